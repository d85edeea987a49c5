"""The scenes of a source, read from headers and annotations alone: what measures people needs no pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from crowdgan_core.density import Density, DensityEstimator
from crowdgan_core.errors import ConfigError, DatasetError, DensityError
from crowdgan_core.parallel import ordered_map, usable_cores
from crowdgan_core.picturework import Unusable, whole_scene
from crowdgan_core.progress import NoProgress, Progress
from crowdgan_core.scene import Scene
from crowdgan_core.sources import OpenSource
from crowdgan_core.summary import counted

OnTrouble = Literal["fail", "skip"]
"""What to do with something that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """How the scenes of a source are read."""

    on_error: OnTrouble = "fail"
    """What to do with pictures and annotations that cannot be used."""

    workers: int = field(default_factory=usable_cores)
    """Processes; 1 works in this one. The result does not depend on it."""

    max_images: int | None = None
    """Number of pictures after which to stop; None for all."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; it must be at least 1")
        if self.max_images is not None and self.max_images < 1:
            raise ConfigError(f"max_images is {self.max_images}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The scenes of a source, and what could not be used."""

    scenes: list[Scene]
    """Whole photographs in the order of the source."""
    skipped: dict[str, list[str]]
    """Reason to what was skipped for it."""


def read_scenes(
    source: OpenSource, source_name: str, settings: ReadSettings, progress: Progress | None = None
) -> Reading:
    """All scenes of a source.

    Args:
        source: the indexed source.
        source_name: for messages, for example `crowdhuman: CrowdHuman_train01.zip`.
        settings: how they are read.
        progress: told of each picture.

    Raises:
        ConfigError: the source has no annotations of people.
        DatasetError: something cannot be read and `on_error` is `fail`, or no picture is left.
    """
    refuse_without_annotations(source, source_name)
    skipped = known_problems(source, settings.on_error)
    progress = progress or NoProgress()
    progress.start("reading scenes", min(len(source), settings.max_images or len(source)))
    scenes: list[Scene] = []
    items = itertools.islice(source, settings.max_images)
    with closing(ordered_map(whole_scene, items, workers=settings.workers)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if isinstance(outcome, Unusable):
                refuse_unusable(outcome, settings.on_error)
                skipped.setdefault(outcome.kind, []).append(outcome.reason)
            else:
                scenes.append(outcome)
    if not scenes:
        told = "; ".join(counted(reason, names) for reason, names in skipped.items()) or "the source is empty"
        raise DatasetError(f"{source_name}: no picture is left; {told}")
    return Reading(scenes=scenes, skipped=skipped)


def estimates(
    estimators: Sequence[DensityEstimator],
    scenes: Sequence[Scene],
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[list[Density]]:
    """What estimators, already fitted, say of scenes: for each estimator one density per scene.

    Where an estimator is defined to fail on a scene, it cannot tell, and its message is the reason.
    """
    progress = progress or NoProgress()
    progress.start("estimating", len(scenes))
    found: list[list[Density]] = [[] for _ in estimators]
    with closing(ordered_map(partial(_estimate_all, tuple(estimators)), scenes, workers=workers)) as answers:
        for answer in answers:
            progress.advance()
            for densities, density in zip(found, answer, strict=True):
                densities.append(density)
    return found


def refuse_without_annotations(source: OpenSource, source_name: str) -> None:
    """Checks that a source says where people are.

    Raises:
        ConfigError: it does not.
    """
    if not source.annotated:
        raise ConfigError(
            f"{source_name}: it has no annotations of people, so there is no density to measure; "
            "use `crowdgan convert`, or give annotations by --annotations FILE"
        )


def known_problems(source: OpenSource, on_error: OnTrouble) -> dict[str, list[str]]:
    """What indexing found wrong: reason to names.

    Raises:
        DatasetError: there is something, and `on_error` is `fail`.
    """
    for problem in source.problems:
        if on_error == "fail":
            raise DatasetError(f"{counted(problem.reason, problem.names)}; to leave them out, add --on-error skip")
    return {problem.reason: list(problem.names) for problem in source.problems}


def refuse_unusable(outcome: Unusable, on_error: OnTrouble) -> None:
    """Checks that a picture which cannot be used may be left out.

    Raises:
        DatasetError: `on_error` is `fail`.
    """
    if on_error == "fail":
        raise DatasetError(f"{outcome.reason}; to leave such pictures out, add --on-error skip")


def _estimate_all(estimators: tuple[DensityEstimator, ...], scene: Scene) -> list[Density]:
    return [_estimate(estimator, scene) for estimator in estimators]


def _estimate(estimator: DensityEstimator, scene: Scene) -> Density:
    try:
        return estimator.estimate(scene)
    except DensityError as error:
        return Density.unknown(estimator.unit, str(error))
