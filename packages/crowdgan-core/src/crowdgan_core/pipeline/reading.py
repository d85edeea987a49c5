"""The scenes of a source, read from image headers and annotations; no pixels are decoded."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from crowdgan_core.cluster.parallel_options import ParallelOptions
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.pipeline.image_job import SkippedImage, load_full_scene
from crowdgan_core.pipeline.summary import list_skipped
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.dataset import DatasetSource
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.formatting import count_and_list
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress

ErrorPolicy = Literal["fail", "skip"]
"""Handling of images or annotations that cannot be used: stop with an error, or skip and count them."""


@dataclass(frozen=True, kw_only=True)
class ReadConfig(ParallelOptions):
    """Settings for reading the images of a source.

    Raises:
        ConfigError: a number below 1.
    """

    on_error: ErrorPolicy = flag(
        "--on-error", default="fail", help="How to handle damaged or unmatched images and annotations."
    )

    max_images: int | None = flag("--max-images", default=None, min=1, help="Maximum number of images to read.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_images is not None and self.max_images < 1:
            raise ConfigError(f"max_images is {self.max_images}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """The scenes of a source, and the images and annotations that were skipped."""

    scenes: list[Scene]
    """Scenes of full images, in the order of the source."""
    skipped: dict[str, list[str]]
    """Skipped items by category."""


def read_scenes(
    source: SourceReader, source_name: str, config: ReadConfig, progress: Progress | None = None
) -> ReadResult:
    """All scenes of a source.

    Args:
        source: the indexed source.
        source_name: for messages, for example `crowdhuman: CrowdHuman_train01.zip`.
        config: error handling, worker processes and maximum number of images.
        progress: receives one step per image.

    Raises:
        ConfigError: the source has no annotations of people.
        DatasetError: something cannot be read and `on_error` is `fail`, or no images remain.
    """
    require_annotations(source, source_name)
    skipped = check_source_problems(source, config.on_error)
    progress = progress or NullProgress()
    progress.start("reading scenes", min(len(source), config.max_images or len(source)))
    scenes: list[Scene] = []
    images = itertools.islice(source, config.max_images)
    with closing(parallel_map(load_full_scene, images, workers=config.executor)) as outcomes:
        for outcome in outcomes:
            progress.advance()
            if isinstance(outcome, SkippedImage):
                check_skipped(outcome, config.on_error)
                skipped.setdefault(outcome.category, []).append(outcome.reason)
            else:
                scenes.append(outcome)
    if not scenes:
        raise DatasetError(f"{source_name}: no images remain; {list_skipped(skipped)}")
    return ReadResult(scenes=scenes, skipped=skipped)


def require_annotations(source: SourceReader, source_name: str) -> None:
    """Checks that a source has annotations of people.

    Raises:
        ConfigError: it has none.
    """
    if not source.has_annotations:
        is_dataset = source_name.startswith(f"{DatasetSource.name}: ")
        subject = "this is a dataset, which" if is_dataset else "the source"
        unused = "; ".join(count_and_list(problem.reason, problem.names) for problem in source.problems)
        raise ConfigError(
            f"{source_name}: {subject} has no annotations of people, so no density can be estimated"
            f"{f' (found {unused})' if unused else ''}; name the folder that contains both images and annotations, in "
            "a layout that `crowdgan plugins` lists, or add an annotation file by --annotations FILE; without "
            "densities, use `crowdgan convert`"
        )


def check_source_problems(source: SourceReader, on_error: ErrorPolicy) -> dict[str, list[str]]:
    """Names of the unusable images and annotations that indexing detected, by reason.

    Raises:
        DatasetError: such items exist, are errors, and `on_error` is `fail`.
    """
    for problem in source.problems:
        if on_error == "fail" and problem.is_error:
            raise DatasetError(f"{count_and_list(problem.reason, problem.names)}; to skip them, add --on-error skip")
    return {problem.reason: list(problem.names) for problem in source.problems}


def check_skipped(outcome: SkippedImage, on_error: ErrorPolicy) -> None:
    """Checks that an unusable image may be skipped.

    Raises:
        DatasetError: `on_error` is `fail`.
    """
    if on_error == "fail":
        raise DatasetError(f"{outcome.reason}; to skip such images, add --on-error skip")
