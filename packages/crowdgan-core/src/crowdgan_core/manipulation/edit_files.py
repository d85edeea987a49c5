"""Files of a density edit: image strip with differences, animation, and image and latents of each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crowdgan_core.io.atomic import atomic_writer, check_overwrite, check_writable
from crowdgan_core.manipulation.comparison import difference_image
from crowdgan_core.manipulation.density_edit import Edit, EditOptions
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import describe_label
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record
from crowdgan_core.models.generation.strips import (
    AnimationFormat,
    add_captions,
    check_animation,
    encode_animation,
    image_sheet,
)
from crowdgan_core.models.latent_file import encode_latent
from crowdgan_core.utils.flags import flag

STRIP_NAME, ANIMATION_STEM = "edit.png", "edit"


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
            DatasetError: a file exists and `overwrite` is False, or the folder cannot be written.
            ConfigError: Pillow does not support the animation format.
        """
        check_animation(self.animation)
        check_writable(self.outdir)
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
    is_single = len(indices) == 1

    def selected(values: Sequence[Any]) -> Any:
        return values[indices[0]] if is_single else [values[index] for index in indices]

    record = {
        **config.record,
        "edited from": list(edit.source),
        "label" if is_single else "labels": selected([list(step.vector) for step in edit.steps]),
    }
    if edit.measured:
        record["measured"] = {name: selected(values[1:].tolist()) for name, values in edit.measured.items()}
    if edit.background is not None:
        record["background_similarity"] = selected(edit.background.tolist())
    return record
