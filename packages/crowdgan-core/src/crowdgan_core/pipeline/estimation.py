"""The scenes of a source, read from headers and annotations alone: what measures people needs no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress


def estimate_densities(
    estimators: Sequence[DensityEstimator],
    scenes: Sequence[Scene],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[list[DensityEstimate]]:
    """What estimators, already fitted, say of scenes: for each estimator one density per scene.

    Where an estimator is defined to fail on a scene, it cannot tell, and its message is the reason.
    """
    progress = progress or NullProgress()
    progress.start("estimating", len(scenes))
    found: list[list[DensityEstimate]] = [[] for _ in estimators]
    with closing(parallel_map(partial(_estimate_all, tuple(estimators)), scenes, workers=workers)) as answers:
        for answer in answers:
            progress.advance()
            for densities, density in zip(found, answer, strict=True):
                densities.append(density)
    return found


def _estimate_all(estimators: tuple[DensityEstimator, ...], scene: Scene) -> list[DensityEstimate]:
    return [_estimate(estimator, scene) for estimator in estimators]


def _estimate(estimator: DensityEstimator, scene: Scene) -> DensityEstimate:
    try:
        return estimator.estimate(scene)
    except DensityError as error:
        return DensityEstimate.unknown(estimator.unit, str(error))
