"""Images in memory as the image sets of contract checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor

GRID = 4
"""Cells of `CellColours` along each side of an image."""


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """An implementation of `ImageSet`."""

    images: npt.NDArray[np.uint8]
    """`[num_images, height, width, 3]`"""

    description: str = "example images"

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` in pixels."""
        _, height, width, _ = self.images.shape
        return height, width

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Copies of the images in order."""
        for start in range(0, len(self.images), batch_size):
            yield self.images[start : start + batch_size].copy()

    def content_hash(self) -> None:
        """None: features are not cached."""


class CellColours(FeatureExtractor):
    """Mean colours of the cells of a grid, in place of the features of a network."""

    name = "cell-colours"
    description = f"mean colours of a {GRID}x{GRID} grid"
    fingerprint = "cell-colours 1"

    @classmethod
    def load(cls, weights: object = None, device: str = "auto") -> CellColours:
        """The extractor."""
        return cls()

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Colours `[num_images, 3 GRID²]`, from 0 to 1."""
        rows = np.array_split(images.astype(np.float32) / 255, GRID, axis=1)
        cells = [cell.mean(axis=(1, 2)) for row in rows for cell in np.array_split(row, GRID, axis=2)]
        return np.concatenate(cells, axis=1)


def graded_images(num_images: int, size: tuple[int, int], seed: int = 0) -> tuple[ImageArrays, npt.NDArray[np.float64]]:
    """Noisy images whose brightness increases with a number, and the numbers from 0 to 1 in random order."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.linspace(0, 1, num_images))
    pixels = 40 + 160 * numbers[:, None, None, None] + rng.normal(0, 10, (num_images, *size, 3))
    return ImageArrays(np.clip(pixels, 0, 255).astype(np.uint8)), numbers
