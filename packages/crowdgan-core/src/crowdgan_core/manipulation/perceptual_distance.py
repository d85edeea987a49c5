"""Perceptual distance of two images: LPIPS, or the distance of the features of an installed network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.inputs import EvaluationInputs, checked_features
from crowdgan_core.utils.arrays import FloatArray, ImageArray

EXTRACTORS = ("vgg16", "lite0")
"""Feature extractors in the order of preference."""


@runtime_checkable
class LpipsExtractor(Protocol):
    """A feature extractor that computes LPIPS (Zhang et al., 2018)."""

    def lpips(self, a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> FloatArray:
        """LPIPS distance of each pair of images `[num_images, height, width, 3]`, `[num_images]`."""
        ...


@dataclass(frozen=True)
class PerceptualDistance:
    """Distance of two images in the features of a network; 0 for equal images.

    With an extractor that has no LPIPS features, it is the Euclidean distance of the features, each scaled to unit
    length: 0 to 2.
    """

    extractor: FeatureExtractor

    @classmethod
    def of_available_extractor(cls, inputs: EvaluationInputs) -> PerceptualDistance | None:
        """The distance with the first of `EXTRACTORS` that is available; None without any.

        Raises:
            CheckpointError: its weights are damaged.
        """
        available = [name for name in EXTRACTORS if inputs.unavailable_extractor(name) is None]
        return cls(inputs.extractor(available[0])) if available else None

    @property
    def name(self) -> str:
        """`LPIPS`, or the name of the feature extractor."""
        return "LPIPS" if isinstance(self.extractor, LpipsExtractor) else self.extractor.name

    def __call__(self, a: ImageArray, b: ImageArray) -> float:
        """The distance of two images `[height, width, 3]`.

        Raises:
            PluginError: the extractor failed.
        """
        if isinstance(self.extractor, LpipsExtractor):
            return float(self.extractor.lpips(a[None], b[None])[0])
        features = checked_features(self.extractor, np.stack([a, b]), 0, "compared images").astype(np.float64)
        first, second = features / np.linalg.norm(features, axis=1, keepdims=True)
        return float(np.linalg.norm(first - second))
