"""Density edits of one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.background_similarity import background_similarity, other_images
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, describe_label
from crowdgan_core.models.generation.generation import synthesise_images
from crowdgan_core.models.generation.parsing import parse_layers
from crowdgan_core.models.generation.sweep_steps import SweepRange, SweepStep, sweep_steps
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import FloatArray, ImageArray
from crowdgan_core.utils.flags import flag


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
        parse=parse_layers,
        metavar="LAYERS",
        help="Layers that are changed, from 0 (coarsest), e.g. 4-7: finer layers keep more of the image, and change "
        "the density less.",
    )

    strength: float = flag("--strength", default=1.0, help="Factor of the change.")

    def __post_init__(self) -> None:
        if not np.isfinite(self.strength):
            raise ConfigError(f"strength is {self.strength}; it must be a finite number")

    def check_generator(self, generator: LatentGenerator) -> None:
        """Checks that a generator has these layers.

        Raises:
            ConfigError: it does not.
        """
        num_layers, _ = generator.latent_shape
        if self.layers is not None and max(self.layers) >= num_layers:
            raise ConfigError(f"layer {max(self.layers)}: the model has {num_layers} layers, 0 to {num_layers - 1}")


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

    background: FloatArray | None = None
    """Similarity of the background of each edited image to that of the unedited one, `[num_steps]`."""

    def with_measured(self, measurement: DensityMeasurement) -> Edit:
        """The edit with measured densities."""
        return replace(self, measured=measurement.measure(np.stack([self.image, *self.images])))

    def with_background(self, generator: LatentGenerator) -> Edit:
        """The edit with similarities of the background; other images of the generator have a similarity of 0."""
        others = other_images(generator, [step.vector for step in self.steps])
        return replace(self, background=background_similarity(self.image, self.images, others))


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
    options.check_generator(generator)
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
        images=synthesise_images(generator, latents, batch_size=1),
    )


def edit_latents(
    latent: LatentArray,
    means: LatentMeans,
    source: LabelVector,
    targets: Sequence[LabelVector],
    *,
    layers: Sequence[int] | None = None,
    strength: float = 1.0,
) -> LatentArray:
    """Latents whose density is changed, `[num_targets, num_layers, latent_dim]`; everything else is kept.

    The direction from the source to the target label is added. A target that equals the source gives the latent itself.

    Args:
        latent: `[1, num_layers, latent_dim]`.
        means: means of the generator's latents.
        source: label of `latent`.
        targets: requested labels.
        layers: indices of the layers that are changed; None for all.
        strength: factor of the direction.
    """
    directions = np.stack([means.direction(source, target) for target in targets])
    weights = np.zeros((latent.shape[1], 1))
    weights[slice(None) if layers is None else list(layers)] = strength
    return np.asarray(latent + weights * directions, np.float32)


def label_step(card: ModelCard, vector: LabelVector) -> SweepStep:
    """The step of an edit to one label."""
    return SweepStep(vector=vector, caption=(describe_label(card, vector),))


def edit_steps(card: ModelCard, vector: LabelVector | None, sweep_range: SweepRange) -> tuple[SweepStep, ...]:
    """The steps of an edit to one label, or of a sweep if the label is None.

    Raises:
        ConfigError: the model has no labels, or both a label and a range are given.
    """
    if vector is None:
        return sweep_steps(card, sweep_range)
    if sweep_range != SweepRange():
        raise ConfigError("a density and a sweep are both given; remove --density, or --from, --to and --steps")
    return (label_step(card, vector),)
