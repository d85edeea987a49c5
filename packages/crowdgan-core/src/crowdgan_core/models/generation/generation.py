"""Asking a generator for many images, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import ConfigError, PluginError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.generation.parsing import MAX_NUMBER, is_usable
from crowdgan_core.utils.arrays import ImageArray


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How images are made, other than their seeds and labels.

    Raises:
        ConfigError: a number out of its range.
    """

    truncation_psi: float = 1.0
    """Pull towards the mean latent: 1 for none, 0 for the mean image."""

    translate: tuple[float, float] = (0.0, 0.0)
    """`(x, y)` by which images move, in image widths, right and down."""

    rotate_deg: float = 0.0
    """Angle by which they turn about their centre, in degrees, anticlockwise."""

    batch_size: int = 8
    """Images that are made at once; the images do not depend on it."""

    def __post_init__(self) -> None:
        if not all(map(is_usable, (self.truncation_psi, *self.translate, self.rotate_deg))):
            raise ConfigError(f"truncation, translation and rotation must be finite numbers, at most {MAX_NUMBER:g}")
        if self.batch_size < 1:
            raise ConfigError(f"batch size is {self.batch_size}; it must be at least 1")

    @property
    def moves(self) -> bool:
        """Whether images are moved or turned."""
        return self.translate != (0.0, 0.0) or self.rotate_deg != 0.0


def generate_images(
    generator: ImageGenerator, seeds: Sequence[int], labels: Sequence[LabelVector | None], rendering: GenerationOptions
) -> Iterator[ImageArray]:
    """Images `[height, width, 3]`, one per seed and label, in their order.

    Raises:
        ConfigError: the generator cannot do what is asked.
        PluginError: it returned something else than images.
    """
    if rendering.moves and not generator.supports_transform:
        raise ConfigError("images of this model cannot be moved or turned; leave out the translation and rotation")
    for start in range(0, len(seeds), rendering.batch_size):
        some = list(seeds[start : start + rendering.batch_size])
        vectors = [vector for vector in labels[start : start + rendering.batch_size] if vector is not None]
        images = generator.generate(
            some,
            np.array(vectors, np.float32) if vectors else None,
            truncation_psi=rendering.truncation_psi,
            translate=rendering.translate,
            rotate_deg=rendering.rotate_deg,
        )
        expected = (len(some), *generator.card.resolution, 3)
        if images.shape != expected or images.dtype != np.uint8:
            found = f"{images.dtype} of shape {images.shape}"
            raise PluginError(f"backend {generator.card.backend} returned {found}; it must be uint8 of {expected}")
        yield from images
