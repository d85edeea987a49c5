"""Source readers of plugins; what they return is checked here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SceneSource, SourceProblem, SourceReader
from crowdgan_core.utils.plugin_calls import plugin_call, provided_name, require_result

KIND = "scene source"


def matches_checked(source: SceneSource, paths: Sequence[Path], annotations: Path | None) -> bool:
    """Whether a source matches the paths.

    Raises:
        PluginError: an exception in the source's code.
    """
    with plugin_call(KIND, source, f"matches: {', '.join(map(str, paths))}"):
        return source.matches(paths, annotations)


def open_checked(source: SceneSource, paths: Sequence[Path], annotations: Path | None) -> CheckedSource:
    """Opens and indexes a source.

    Raises:
        DatasetError, ConfigError: the source is damaged, or does not read these paths.
        PluginError: another exception in the source's code, or a result that violates the contract of readers.
    """
    where = ", ".join(path.resolve().name for path in paths)
    with plugin_call(KIND, source, where):
        return CheckedSource(source, source.open(paths, annotations), where)


class CheckedSource:
    """A source reader that checks what a source's reader returns; errors name the source. See `open_checked`.

    Args:
        source: the source.
        reader: the reader that it opened.
        where: names of its paths, for messages.
    """

    def __init__(self, source: SceneSource, reader: SourceReader, where: str) -> None:
        self._source, self._reader = source, reader
        self._require = partial(require_result, kind=KIND, provided=source)
        self.has_annotations = reader.has_annotations
        self.problems: Sequence[SourceProblem] = tuple(reader.problems)
        self.metadata: DatasetMetadata = reader.metadata
        self._count = len(reader)
        for name, expected in (("has_annotations", bool), ("metadata", DatasetMetadata)):
            value = getattr(self, name)
            problem = f"{name} is {value!r:.80}; it must be {expected.__name__}"
            self._require(isinstance(value, expected), where=where, problem=problem)
        for item in self.problems:
            problem = f"problems contains {item!r:.80}; its elements must be SourceProblem objects"
            self._require(isinstance(item, SourceProblem), where=where, problem=problem)

    def __len__(self) -> int:
        """Number of images."""
        return self._count

    def __repr__(self) -> str:
        """For example `SourceReader(crowdhuman, 15000 images)`."""
        return f"SourceReader({self._source.name}, {'1 image' if self._count == 1 else f'{self._count} images'})"

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images.

        Raises:
            DatasetError: the source is damaged.
            PluginError: another exception in the source's code, an invalid image, or another number of images.
        """
        where, end, count, provider = "reading its images", object(), 0, provided_name(self._source)
        with plugin_call(KIND, self._source, where):
            images = iter(self._reader)
        while True:
            with plugin_call(KIND, self._source, where):
                image: Any = next(images, end)  # a plugin's types are not checked statically
            if image is end:
                break
            problem = _problem(image)
            self._require(problem is None, where=where, problem=problem or "")
            count += 1
            yield replace(image, provider=provider)
        problem = f"its length is {self._count}, but it yielded {count} images"
        self._require(count == self._count, where=where, problem=problem)


def _problem(image: Any) -> str | None:
    """The reason why an object is not a valid image of a source; None if it is."""
    if not isinstance(image, AnnotatedImage):
        return f"it yielded {type(image).__name__}; it must yield AnnotatedImage objects"
    name: Any = image.source_name
    if not isinstance(name, str) or not name:
        return f"source_name is {name!r:.80}; it must be text"
    handle: Any = image.image
    if not isinstance(getattr(handle, "where", None), str) or not callable(getattr(handle, "open", None)):
        return f"image {image.source_name}: image is {handle!r:.80}; it must be an image handle with where and open"
    if not isinstance(image.people, PersonAnnotations):
        return f"image {image.source_name}: people is {image.people!r:.80}; it must be PersonAnnotations"
    if not isinstance(image.record, ImageRecord | None):
        return f"image {image.source_name}: record is {image.record!r:.80}; it must be ImageRecord or None"
    return None
