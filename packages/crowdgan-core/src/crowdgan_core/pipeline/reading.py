"""The scenes of a source, read from headers and annotations alone: what measures people needs no pixels."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.pipeline.image_job import SkippedImage, load_full_scene
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.formatting import count_and_list
from crowdgan_core.utils.parallel import available_cpus, parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress

ErrorPolicy = Literal["fail", "skip"]
"""What to do with something that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class ReadConfig:
    """How the scenes of a source are read."""

    on_error: ErrorPolicy = "fail"
    """What to do with images and annotations that cannot be used."""

    workers: int = field(default_factory=available_cpus)
    """Processes; 1 works in this one. The result does not depend on it."""

    max_images: int | None = None
    """Number of images after which to stop; None for all."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; it must be at least 1")
        if self.max_images is not None and self.max_images < 1:
            raise ConfigError(f"max_images is {self.max_images}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """The scenes of a source, and what could not be used."""

    scenes: list[Scene]
    """Whole photographs in the order of the source."""
    skipped: dict[str, list[str]]
    """Reason to what was skipped for it."""


def read_scenes(
    source: SourceReader, source_name: str, settings: ReadConfig, progress: Progress | None = None
) -> ReadResult:
    """All scenes of a source.

    Args:
        source: the indexed source.
        source_name: for messages, for example `crowdhuman: CrowdHuman_train01.zip`.
        settings: how they are read.
        progress: told of each image.

    Raises:
        ConfigError: the source has no annotations of people.
        DatasetError: something cannot be read and `on_error` is `fail`, or no image is left.
    """
    require_annotations(source, source_name)
    skipped = check_source_problems(source, settings.on_error)
    progress = progress or NullProgress()
    progress.start("reading scenes", min(len(source), settings.max_images or len(source)))
    scenes: list[Scene] = []
    items = itertools.islice(source, settings.max_images)
    with closing(parallel_map(load_full_scene, items, workers=settings.workers)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if isinstance(outcome, SkippedImage):
                check_skipped(outcome, settings.on_error)
                skipped.setdefault(outcome.kind, []).append(outcome.reason)
            else:
                scenes.append(outcome)
    if not scenes:
        told = "; ".join(count_and_list(reason, names) for reason, names in skipped.items()) or "the source is empty"
        raise DatasetError(f"{source_name}: no image is left; {told}")
    return ReadResult(scenes=scenes, skipped=skipped)


def require_annotations(source: SourceReader, source_name: str) -> None:
    """Checks that a source says where people are.

    Raises:
        ConfigError: it does not.
    """
    if not source.has_annotations:
        raise ConfigError(
            f"{source_name}: it has no annotations of people, so there is no density to measure; "
            "use `crowdgan convert`, or give annotations by --annotations FILE"
        )


def check_source_problems(source: SourceReader, on_error: ErrorPolicy) -> dict[str, list[str]]:
    """What indexing found wrong: reason to names.

    Raises:
        DatasetError: there is something, and `on_error` is `fail`.
    """
    for problem in source.problems:
        if on_error == "fail":
            raise DatasetError(
                f"{count_and_list(problem.reason, problem.names)}; to leave them out, add --on-error skip"
            )
    return {problem.reason: list(problem.names) for problem in source.problems}


def check_skipped(outcome: SkippedImage, on_error: ErrorPolicy) -> None:
    """Checks that an image which cannot be used may be left out.

    Raises:
        DatasetError: `on_error` is `fail`.
    """
    if on_error == "fail":
        raise DatasetError(f"{outcome.reason}; to leave such images out, add --on-error skip")
