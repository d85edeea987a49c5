"""A feature extractor without weights, an implementation of `crowdgan_core.metrics.extractor.FeatureExtractor`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor

CELLS = 4
"""Rows and columns of the grid."""


class GridColours(FeatureExtractor):
    """Mean and standard deviation of the colours in the cells of a grid."""

    name: ClassVar[str] = "grid-colours"
    description: ClassVar[str] = "mean and standard deviation of colours in a 4x4 grid; no weights"

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> GridColours:
        """The extractor, which has no weights and runs on the CPU only."""
        return cls()

    @property
    def fingerprint(self) -> str:
        """Name and version of the definition."""
        return f"{self.name} 1"

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, 96]` in grey levels / 255."""
        rows = np.array_split(images.astype(np.float32) / 255, CELLS, axis=1)
        cells = [cell for row in rows for cell in np.array_split(row, CELLS, axis=2)]
        parts = [statistic for cell in cells for statistic in (cell.mean(axis=(1, 2)), cell.std(axis=(1, 2)))]
        return np.concatenate(parts, axis=1).astype(np.float32)
