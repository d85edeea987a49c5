"""Scene sources: what reads annotated or plain images, one file per kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.scenes.scene import PersonAnnotations

if TYPE_CHECKING:
    pass
from crowdgan_core.io.stored_images import StoredImage


@dataclass(frozen=True, kw_only=True)
class AnnotatedImage:
    """One image of a source with what the source says of it.

    Boxes refer to the pixels as stored, before any rotation that the EXIF data asks for.
    """

    source_name: str
    """The image's name in the source."""

    image: StoredImage

    people: PersonAnnotations = field(default_factory=PersonAnnotations)

    record: ImageRecord | None = None
    """What the source itself says of the image, its label above all; kept by `crowdgan convert`."""


@dataclass(frozen=True, kw_only=True)
class SourceProblem:
    """Images or annotations that a source cannot use, all for one reason."""

    reason: str
    """In the plural, for example `annotations without an image`."""

    names: Sequence[str]


class SourceReader(Protocol):
    """A source that was recognised and indexed.

    Iterating reads the annotations of its images one by one, in a fixed order, every time anew.
    """

    @property
    def has_annotations(self) -> bool:
        """Whether it says where people are; without that there is no density to measure."""
        ...

    @property
    def problems(self) -> Sequence[SourceProblem]:
        """What was found wrong while indexing."""
        ...

    @property
    def metadata(self) -> DatasetMetadata:
        """What the source itself says of its labels and densities, without images; kept by `crowdgan convert`."""
        ...

    def __len__(self) -> int:
        """Number of images that iterating gives."""
        ...

    def __iter__(self) -> Iterator[AnnotatedImage]: ...


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
    def is_fallback(self) -> bool:
        """True for a source that takes whatever holds images; it is chosen when no other fits."""
        ...

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether these paths look like this kind, judged by names and a quick look inside; bad input is a no."""
        ...

    def open(self, paths: Sequence[Path], annotations: Path | None) -> SourceReader:
        """Indexes the source.

        Raises:
            DatasetError: it is damaged; the message names the file, and the line where there is one.
        """
        ...
