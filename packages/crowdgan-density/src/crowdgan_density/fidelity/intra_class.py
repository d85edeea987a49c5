"""Kernel distances (KID) between real and generated images within each class."""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.metrics import kernel_distance
from crowdgan_core.metrics.extractor import FeatureArray
from crowdgan_core.metrics.fidelity_report import IntraClassDistance
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_core.utils.arrays import IndexArray

MIN_IMAGES = 20
"""Minimum number of real and of generated images of a class; with fewer the standard error exceeds the distance."""

NUM_SUBSETS = 20
"""Subsets of the distance; each has at most as many images as the smaller set, so that few subsets suffice."""


def intra_class_distances(
    real: FeatureArray,
    real_classes: IndexArray,
    generated: FeatureArray,
    generated_classes: IndexArray,
    names: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[IntraClassDistance, ...]:
    """The kernel distance within each class, or the reason why it was not computed.

    Source: SFID of CcGAN (Ding et al. 2021), with the kernel distance, which is not biased for few images, in place of
    the Fréchet distance.

    Args:
        real: `[num_real, num_features]`.
        real_classes: `[num_real]`, class of each real image.
        generated: `[num_generated, num_features]`.
        generated_classes: `[num_generated]`, requested class of each generated image.
        names: names of the classes.
        seed: seed of the subsets.
    """
    return tuple(
        _distance(name, real[real_classes == index], generated[generated_classes == index], seed)
        for index, name in enumerate(names)
    )


def _distance(name: str, real: FeatureArray, generated: FeatureArray, seed: int) -> IntraClassDistance:
    distance, reason = None, None
    if min(len(real), len(generated)) < MIN_IMAGES:
        reason = f"{len(real)} real and {len(generated)} generated images; at least {MIN_IMAGES} of each are needed"
    else:
        size = min(len(real), len(generated)) // 2
        result = kernel_distance(real, generated, num_subsets=NUM_SUBSETS, subset_size=max(size, 2), seed=seed)
        distance = MetricValue(float(result.mean), float(result.standard_error))
    return IntraClassDistance(
        class_name=name, num_real=len(real), num_generated=len(generated), distance=distance, reason=reason
    )
