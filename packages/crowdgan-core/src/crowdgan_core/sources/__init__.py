"""Scene sources: what reads annotated or plain pictures, one file per kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crowdgan_core.dataset import DatasetMetadata, PictureRecord
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.scene import People

if TYPE_CHECKING:
    from PIL import Image


class Picture(Protocol):
    """A stored picture that any process can open: picklable, and small unless it holds the pixels itself."""

    @property
    def where(self) -> str:
        """The picture's file, and its name inside an archive, for messages."""
        ...

    def open(self) -> Image.Image:
        """The stored picture, not turned or converted; its pixels may be loaded later.

        Raises:
            DatasetError: it is missing, damaged, encrypted or too large.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """One picture of a source with what the source says of it.

    Boxes refer to the pixels as stored, before any rotation that the EXIF data asks for.
    """

    source_name: str
    """The picture's name in the source."""

    picture: Picture

    people: People = field(default_factory=People)

    record: PictureRecord | None = None
    """What the source itself says of the picture, its label above all; kept by `crowdgan convert`."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Pictures or annotations that a source cannot use, all for one reason."""

    reason: str
    """In the plural, for example `annotations without a picture`."""

    names: Sequence[str]


class OpenSource(Protocol):
    """A source that was recognised and indexed.

    Iterating reads the annotations of its pictures one by one, in a fixed order, every time anew.
    """

    @property
    def annotated(self) -> bool:
        """Whether it says where people are; without that there is no density to measure."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """What was found wrong while indexing."""
        ...

    @property
    def metadata(self) -> DatasetMetadata:
        """What the source itself says of its labels and densities, without pictures; kept by `crowdgan convert`."""
        ...

    def __len__(self) -> int:
        """Number of pictures that iterating gives."""
        ...

    def __iter__(self) -> Iterator[Annotated]: ...


class SceneSource(Protocol):
    """A kind of source."""

    @property
    def name(self) -> str:
        """For messages, metadata and `crowdgan plugins`."""
        ...

    @property
    def description(self) -> str:
        """What it reads, in one line."""
        ...

    @property
    def general(self) -> bool:
        """True for a source that takes whatever holds pictures; it is chosen when no other fits."""
        ...

    def fits(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether these paths look like this kind, judged by names and a quick look inside; bad input is a no."""
        ...

    def open(self, paths: Sequence[Path], annotations: Path | None) -> OpenSource:
        """Indexes the source.

        Raises:
            DatasetError: it is damaged; the message names the file, and the line where there is one.
        """
        ...


def source_for(
    paths: Sequence[Path], annotations: Path | None, kind: str | None, sources: Mapping[str, SceneSource]
) -> SceneSource:
    """The source that reads `paths`: the one called `kind`, or the one that recognises them.

    Raises:
        ConfigError: no source has that name, none recognises the paths, or several do.
        DatasetError: a path does not exist.
    """
    if kind is not None:
        if kind not in sources:
            raise ConfigError(f"--source-kind {kind}: there is no such source; there are {', '.join(sources)}")
        return sources[kind]
    for path in (*paths, *filter(None, [annotations])):
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder")
    fitting = [source for source in sources.values() if source.fits(paths, annotations)]
    chosen = [source for source in fitting if not source.general] or fitting
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        names = ", ".join(source.name for source in chosen)
        raise ConfigError(f"{paths[0]}: it may be {names}; choose with --source-kind NAME")
    read = "; ".join(f"{source.name} ({source.description})" for source in sources.values())
    raise ConfigError(f"{paths[0]}: no source recognises it. What can be read: {read}")
