"""Density predictor `ridge`: ridge regression on frozen features of the image and its tiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import Progress
from crowdgan_density.fidelity.ridge import RidgeModel, fit_ridge

EXTRACTOR = "lite0"
"""Name of the feature extractor."""

TILE_GRID = (2, 3)
"""Rows and columns of the tiles of an image."""

MIN_TILED_SIDE_PX = 192
"""Shorter side of an image from which it is divided into tiles.

Ours: rank correlation on held-out images without and with tiles is 0.85 and 0.79 for synthetic crowds at 32x32 px, 0.91
and 0.87 at 64x64 px, and 0.77 and 0.85 for crops of ShanghaiTech images at 256x256 px.
"""

BATCH_SIZE = 16


class RidgePredictor(DensityPredictor):
    """Ridge regression on features of a network that was trained on other images; the penalty is cross-validated."""

    name: ClassVar[str] = "ridge"
    description: ClassVar[str] = f"ridge regression on {EXTRACTOR} features"

    def __init__(self, extractor: FeatureExtractor, model: RidgeModel) -> None:
        self._extractor, self._model = extractor, model

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """The reason why the feature extractor cannot be loaded; None if it can be."""
        extractor = installed_plugins().feature_extractors.get(EXTRACTOR)
        if extractor is None:
            return f"the feature extractor {EXTRACTOR} is not installed: pip install 'crowdgan-stylegan3[metrics]'"
        return extractor.unavailable_reason()

    @classmethod
    def fit(
        cls,
        images: ImageSet,
        targets: FloatArray,
        *,
        load_extractor: Callable[[str], FeatureExtractor],
        seed: int,
        device: str,
        progress: Progress,
    ) -> RidgePredictor:
        """Fits the regression; nothing is random."""
        extractor = load_extractor(EXTRACTOR)
        progress.start(f"{EXTRACTOR} features", len(images))
        rows = []
        for batch in images.batches(BATCH_SIZE):
            rows.append(tile_features(extractor, batch))
            for _ in batch:
                progress.advance()
        return cls(extractor, fit_ridge(np.concatenate(rows), targets))

    def predict(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Predicted numbers `[num_images]` of images `[num_images, height, width, 3]`."""
        return self._model.predict(tile_features(self._extractor, images))


def tile_features(extractor: FeatureExtractor, images: npt.NDArray[np.uint8]) -> FloatArray:
    """Features of images, of large images the features of all tiles: `[num_images, num_tiles * num_features]`."""
    tiles = [extractor.features(tile) for tile in tile_images(images)]
    return np.concatenate(tiles, axis=1).astype(np.float64)


def tile_images(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """The images, or tiles of images whose shorter side has `MIN_TILED_SIDE_PX` or more.

    Args:
        images: `[num_images, height, width, 3]`.
    """
    height, width = images.shape[1:3]
    if min(height, width) < MIN_TILED_SIDE_PX:
        return [images]
    rows, columns = (
        itertools.pairwise(np.linspace(0, side, count + 1).astype(int).tolist())
        for side, count in zip((height, width), TILE_GRID, strict=True)
    )
    return [
        np.ascontiguousarray(images[:, top:bottom, left:right])
        for (top, bottom), (left, right) in itertools.product(rows, columns)
    ]
