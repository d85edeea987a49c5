"""Protocols of sources: collections of input images, with or without annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.stored_images import EncodedImage, FileImage, StoredImage
from crowdgan_core.scenes.scene import PersonAnnotations


@dataclass(frozen=True, kw_only=True)
class AnnotatedImage:
    """One image of a source with its annotations and metadata.

    Boxes refer to the stored pixels, before rotation by the EXIF orientation.
    """

    source_name: str
    """Name of the image in the source."""

    image: StoredImage
    """Handle of the image."""

    people: PersonAnnotations = field(default_factory=PersonAnnotations)
    """Annotations of people; empty if the source has none."""

    record: ImageRecord | None = None
    """Metadata of the image in the source, such as its label, which `crowdgan convert` keeps; None if there is none."""

    provider: str | None = None
    """Name of the source for messages, which is set when the image is read; None before."""

    def is_readable(self) -> bool:
        """Whether this process, which may run on another machine than the one that opened the source, sees it."""
        return not isinstance(self.image, FileImage) or self.image.path.exists()

    def with_contents(self) -> AnnotatedImage:
        """The image with the contents of its file, or unchanged if the file cannot be read."""
        if not isinstance(self.image, FileImage):
            return self
        try:
            return replace(self, image=EncodedImage(self.image.read(), self.image.where))
        except DatasetError:
            return self  # the error is raised again where the image is opened


@dataclass(frozen=True, kw_only=True)
class SourceProblem:
    """Images, annotations or other files that cannot be used, for one reason."""

    reason: str
    """Reason as a plural noun phrase, for example `annotations without an image`."""

    names: Sequence[str]
    """Names or locations of the images or annotations."""

    is_error: bool = True
    """Whether `--on-error` decides if the run stops; False if they are only counted in the summary."""


class SourceReader(Protocol):
    """Reader of an opened and indexed source.

    Each iteration reads the annotations image by image, in a fixed order.
    """

    @property
    def has_annotations(self) -> bool:
        """Whether the source has annotations of people, which density estimation requires."""
        ...

    @property
    def problems(self) -> Sequence[SourceProblem]:
        """Problems found during indexing."""
        ...

    @property
    def metadata(self) -> DatasetMetadata:
        """Labels and densities of the source, without image records, which `crowdgan convert` keeps."""
        ...

    def __len__(self) -> int:
        """Number of images."""
        ...

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images."""
        ...


class SceneSource(Protocol):
    """A source type: detects and opens collections of input images."""

    @property
    def name(self) -> str:
        """Name for messages, metadata and `crowdgan plugins`."""
        ...

    @property
    def description(self) -> str:
        """Description of the supported input, in one line."""
        ...

    @property
    def is_fallback(self) -> bool:
        """Whether the source accepts any images, and is therefore used only if no other source matches."""
        ...

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether the paths have this source type, judged by names and a quick check; False for invalid input."""
        ...

    def open(self, paths: Sequence[Path], annotations: Path | None) -> SourceReader:
        """Opens and indexes the source.

        Raises:
            DatasetError: the source is damaged; the message gives the file, and the line if there is one.
        """
        ...


def single_path(source_name: str, paths: Sequence[Path], annotations: Path | None) -> Path:
    """The only path of a source that reads one path without a separate annotation file.

    Raises:
        ConfigError: several paths, or an annotation file.
    """
    reject_annotations(source_name, annotations)
    if len(paths) != 1:
        raise ConfigError(f"{paths[1]}: {source_name} reads one --source at a time, and {len(paths)} are given")
    return paths[0]


def reject_annotations(source_name: str, annotations: Path | None) -> None:
    """Checks that no annotation file is given.

    Raises:
        ConfigError: an annotation file is given.
    """
    if annotations is not None:
        raise ConfigError(f"--annotations {annotations}: {source_name} reads no such file; remove the option")
