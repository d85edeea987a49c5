"""Density predictor `cnn`: a small convolutional network that is trained on the annotated images.

Importing this module does not load torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import Progress

if TYPE_CHECKING:
    from crowdgan_stylegan3.metrics.pixel_regression import PixelRegression

READ_BATCH_SIZE = 64
"""Images read at a time."""


class CnnPredictor(DensityPredictor):
    """A small convolutional network, trained from random weights; deterministic on a CPU."""

    name: ClassVar[str] = "cnn"
    description: ClassVar[str] = "small convolutional network trained on the dataset"

    def __init__(self, regression: PixelRegression) -> None:
        self._regression = regression

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
    ) -> CnnPredictor:
        """Trains the network on images and their mirror images; feature extractors are not used."""
        from crowdgan_stylegan3.device import resolve_device
        from crowdgan_stylegan3.metrics.pixel_regression import PixelRegression

        batches = images.batches(READ_BATCH_SIZE)
        torch_device = resolve_device(device)
        return cls(PixelRegression.fit(batches, targets, seed=seed, device=torch_device, progress=progress))

    def predict(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Predicted numbers `[num_images]` of images `[num_images, height, width, 3]`."""
        return self._regression.predict(images)
