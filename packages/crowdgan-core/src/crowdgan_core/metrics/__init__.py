"""Quality metrics of images: distances between sets of image features, and the contracts of metrics and extractors.

Public names are imported on first use; importing the package does not load numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdgan_core.utils.lazy import attach

if TYPE_CHECKING:
    from crowdgan_core.metrics.distances import FeatureStatistics, KernelDistance, frechet_distance, kernel_distance
    from crowdgan_core.metrics.inception_scores import InceptionScore, inception_score
    from crowdgan_core.metrics.neighbours import DensityCoverage, PrecisionRecall, density_coverage, precision_recall

_MODULES = {
    "DensityCoverage": "neighbours",
    "FeatureStatistics": "distances",
    "InceptionScore": "inception_scores",
    "KernelDistance": "distances",
    "PrecisionRecall": "neighbours",
    "density_coverage": "neighbours",
    "frechet_distance": "distances",
    "inception_score": "inception_scores",
    "kernel_distance": "distances",
    "precision_recall": "neighbours",
}

__all__ = [
    "DensityCoverage",
    "FeatureStatistics",
    "InceptionScore",
    "KernelDistance",
    "PrecisionRecall",
    "density_coverage",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "precision_recall",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
