"""Density edits of one image, and their files: image strip, animation, difference, and each edited image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.manipulation.editing import edit_latents
from crowdgan_core.manipulation.latent_file import encode_latent
from crowdgan_core.manipulation.latent_means import LatentMeans
from crowdgan_core.manipulation.project import difference_image
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, describe_label
from crowdgan_core.models.generation.parsing import parse_seeds
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record
from crowdgan_core.models.generation.strips import (
    AnimationFormat,
    add_captions,
    check_animation,
    encode_animation,
    image_sheet,
)
from crowdgan_core.models.generation.sweep_steps import SweepRange, SweepStep, sweep_steps
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator
from crowdgan_core.utils.arrays import FloatArray, ImageArray
from crowdgan_core.utils.flags import flag

STRIP_NAME, ANIMATION_STEM = "edit.png", "edit"


@dataclass(frozen=True, kw_only=True)
class EditOptions:
    """Layers and strength of a density edit.

    Raises:
        ConfigError: a strength that is not a finite number.
    """

    layers: tuple[int, ...] | None = flag(
        "--layers",
        default=None,
        shown_default="all",
        parse=parse_seeds,
        metavar="A-B",
        help="Layers that are changed, coarse to fine, e.g. 4-7: finer layers keep more of the image, and change the "
        "density less.",
    )

    strength: float = flag("--strength", default=1.0, help="Factor of the change.")

    def __post_init__(self) -> None:
        if not np.isfinite(self.strength):
            raise ConfigError(f"strength is {self.strength}; it must be a finite number")


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """Images of one latent at several densities."""

    source: LabelVector
    """Label of the unedited image."""

    image: ImageArray
    """The unedited image, `[height, width, 3]`."""

    steps: tuple[SweepStep, ...]
    """Requested labels with captions."""

    latents: LatentArray
    """`[num_steps, num_layers, latent_dim]`"""

    images: ImageArray
    """`[num_steps, height, width, 3]`"""

    measured: Mapping[str, FloatArray] = field(default_factory=dict)
    """Measured density of the unedited and of each edited image, `[1 + num_steps]`, by the name of the predictor."""

    def with_measured(self, measurement: DensityMeasurement) -> Edit:
        """The edit with measured densities."""
        return replace(self, measured=measurement.measure(np.stack([self.image, *self.images])))


def edit_image(
    generator: LatentGenerator,
    latent: LatentArray,
    source: LabelVector,
    steps: Sequence[SweepStep],
    *,
    means: LatentMeans | None = None,
    options: EditOptions | None = None,
) -> Edit:
    """Edits of an image to the densities of a sweep; everything else is kept as far as the model allows.

    Args:
        generator: the generator, or its tuned copy.
        latent: `[1, num_layers, latent_dim]`.
        source: label of `latent`.
        steps: requested labels.
        means: means of the generator's latents, which several edits can share.
        options: layers and strength.

    Raises:
        ConfigError: a layer that the generator does not have.
    """
    options = options or EditOptions()
    num_layers = generator.latent_shape[0]
    if options.layers is not None and max(options.layers) >= num_layers:
        raise ConfigError(f"layer {max(options.layers)}: the model has {num_layers} layers, 0 to {num_layers - 1}")
    latents = edit_latents(
        latent,
        means or LatentMeans(generator),
        source,
        [step.vector for step in steps],
        layers=options.layers,
        strength=options.strength,
    )
    return Edit(
        source=source,
        image=generator.synthesise(latent)[0],
        steps=tuple(steps),
        latents=latents,
        images=np.stack([generator.synthesise(item[None])[0] for item in latents]),
    )


def single_step(card: ModelCard, vector: LabelVector) -> tuple[SweepStep, ...]:
    """The step of an edit to one label."""
    return (SweepStep(vector=vector, caption=(describe_label(card, vector),)),)


def edit_steps(card: ModelCard, vector: LabelVector | None, sweep_range: SweepRange) -> tuple[SweepStep, ...]:
    """The steps of an edit to one label, or of a sweep if the label is None.

    Raises:
        ConfigError: the model has no labels, or both a label and a range are given.
    """
    if vector is None:
        return sweep_steps(card, sweep_range)
    if sweep_range != SweepRange():
        raise ConfigError("a density and a sweep are both given; remove --density, or --from, --to and --steps")
    return single_step(card, vector)


@dataclass(frozen=True, kw_only=True)
class EditConfig:
    """Output files of an edit."""

    animation: AnimationFormat = flag("--format", default="webp", help="Animation format.")
    outdir: Path = flag("--outdir", help="Output folder.")
    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite existing files.")

    record: Mapping[str, Any] = field(default_factory=dict)
    """Origin of the latent, for the records."""

    def names(self, num_steps: int) -> list[str]:
        """Names of the output files."""
        numbered = [f"edited-{index}.{suffix}" for index in range(num_steps) for suffix in ("png", "npz")]
        return [STRIP_NAME, f"{ANIMATION_STEM}.{self.animation}", *numbered]

    def check_destination(self, num_steps: int) -> None:
        """Checks that the output files may and can be written.

        Raises:
            DatasetError: a file exists and `overwrite` is False.
            ConfigError: Pillow does not support the animation format.
        """
        check_animation(self.animation)
        for name in self.names(num_steps):
            check_overwrite(self.outdir / name, overwrite=self.overwrite)


def write_edit(edit: Edit, card: ModelCard, config: EditConfig) -> list[Path]:
    """Writes the strip, the animation, and image and latents of each step; returns the paths.

    The strip has the unedited and the edited images in its first row, and their differences in its second row.

    Raises:
        DatasetError: a file exists already or cannot be written.
    """
    config.check_destination(len(edit.steps))
    captions = _captions(edit, card)
    images = [edit.image, *edit.images]
    differences = [difference_image(edit.image, image) for image in images]
    indices = range(len(edit.steps))
    record, *records = (_record(edit, config, *selected) for selected in (indices, *((index,) for index in indices)))
    with atomic_writer(config.outdir) as write:

        def save(name: str, data: bytes) -> None:
            write(name, data, overwrite=config.overwrite)

        sheet = image_sheet([images, differences], captions)
        save(STRIP_NAME, encode_png_with_metadata(sheet, record))
        frames = add_captions(images, captions)
        save(
            config.names(0)[1],
            encode_animation(frames, config.animation, _record(edit, config, *range(len(edit.steps)))),
        )
        for index, single in enumerate(records):
            save(f"edited-{index}.png", encode_png_with_metadata(edit.images[index], single))
            save(f"edited-{index}.npz", encode_latent(edit.latents[index : index + 1], single))
    return [config.outdir / name for name in config.names(len(edit.steps))]


def _captions(edit: Edit, card: ModelCard) -> list[tuple[str, ...]]:
    """Label of each image, and its measured densities."""
    captions = [("unedited", describe_label(card, edit.source)), *(step.caption for step in edit.steps)]
    return [
        (*caption, *(f"{name}: {values[index]:.3g}" for name, values in edit.measured.items()))
        for index, caption in enumerate(captions)
    ]


def edit_record(card: ModelCard, model_name: str, options: EditOptions, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Model, options and origin of an edit, JSON-ready."""
    layers = None if options.layers is None else list(options.layers)
    return {**origin, "layers": layers, "strength": options.strength, **model_record(card, model_name)}


def _record(edit: Edit, config: EditConfig, *indices: int) -> dict[str, Any]:
    """The record of one edited image, or of several."""
    labels = [list(edit.steps[index].vector) for index in indices]
    measured = {name: [float(values[1 + index]) for index in indices] for name, values in edit.measured.items()}
    if len(indices) == 1:
        label: dict[str, Any] = {"label": labels[0], "measured": {name: value[0] for name, value in measured.items()}}
    else:
        label = {"labels": labels, "measured": measured}
    return {**config.record, "edited from": list(edit.source), **{key: value for key, value in label.items() if value}}
