"""The contract of density predictors: regressions of the density on the pixels of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import Progress


class DensityPredictor(ABC):
    """A regression of a number on images, fitted to an annotated dataset.

    Density fidelity measures generated images with several unlike predictors, and reports the error of each on
    held-out images beside its scores.
    """

    name: ClassVar[str]
    """Name in reports: lower-case letters, digits and hyphens."""

    description: ClassVar[str]
    """How it predicts, in one line."""

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """The reason why the predictor cannot be used, with the command that helps; None if it can be."""
        return None

    @classmethod
    @abstractmethod
    def fit(
        cls,
        images: ImageSet,
        targets: FloatArray,
        *,
        load_extractor: Callable[[str], FeatureExtractor],
        seed: int,
        device: str,
        progress: Progress,
    ) -> DensityPredictor:
        """Fits a predictor.

        Args:
            images: training images.
            targets: one number per image, `[num_images]`, for example the logarithm of the density.
            load_extractor: the feature extractor of a name; each is loaded once, and the features of an image are
                computed once for all predictors.
            seed: seed of everything random.
            device: `auto`, `cpu` or `cuda`.
            progress: receives progress reports.
        """

    @abstractmethod
    def predict(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Predicted numbers `[num_images]` of images `[num_images, height, width, 3]`."""
