"""Density estimates of many scenes, computed in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from crowdgan_core.density.checked_calls import estimate_scene
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import Workers, parallel_list
from crowdgan_core.utils.progress import Progress


def estimate_densities(
    estimators: Sequence[DensityEstimator],
    scenes: Sequence[Scene],
    *,
    workers: Workers = 1,
    progress: Progress | None = None,
) -> list[list[DensityEstimate]]:
    """Estimates of fitted estimators: for each estimator one estimate per scene.

    If an estimator raises DensityError for a scene, its estimate is unknown, and the message is the reason.

    Raises:
        PluginError: another exception in an estimator's code, or an invalid estimate.
    """
    estimate_scene = partial(_estimate_all, tuple(estimators))
    by_scene = parallel_list(estimate_scene, scenes, "estimating", workers=workers, progress=progress)
    return [[estimates[index] for estimates in by_scene] for index in range(len(estimators))]


def _estimate_all(estimators: tuple[DensityEstimator, ...], scene: Scene) -> list[DensityEstimate]:
    return [_estimate(estimator, scene) for estimator in estimators]


def _estimate(estimator: DensityEstimator, scene: Scene) -> DensityEstimate:
    try:
        return estimate_scene(estimator, scene)
    except DensityError as error:
        return DensityEstimate.unknown(estimator.unit, str(error))
