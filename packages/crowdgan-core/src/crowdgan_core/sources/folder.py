"""Images without annotations, in a folder or a ZIP archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import is_zip
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, reader_repr


class FolderReader:
    """Reader of all images in folders or archives, including subfolders, sorted by name."""

    metadata = DatasetMetadata()
    has_annotations = False
    problems: Sequence[SourceProblem] = ()

    def __init__(self, paths: Sequence[Path], source_name: str) -> None:
        self._source_name = source_name
        self._images: list[tuple[Store, str]] = [
            (store, name) for store in map(open_store, paths) for name in filter(is_image_name, store.names())
        ]
        if not self._images:
            raise DatasetError(f"{paths[0]}: contains no images")

    def __len__(self) -> int:
        """Number of images."""
        return len(self._images)

    def __repr__(self) -> str:
        """For example `SourceReader(folder, 600 images)`."""
        return reader_repr(self._source_name, self)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images, which have no annotations and labels."""
        for store, name in self._images:
            yield AnnotatedImage(source_name=name, image=store.image(name))


class FolderSource:
    """Reads all images of a folder and its subfolders."""

    name = "folder"
    description = "a folder of images"
    is_fallback = True

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are folders and no annotations are given."""
        return annotations is None and all(path.is_dir() for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> FolderReader:
        """Lists the images."""
        return FolderReader(paths, self.name)


class ZipSource:
    """Reads all images of a ZIP archive."""

    name = "zip"
    description = "a ZIP archive of images"
    is_fallback = True

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are ZIP archives and no annotations are given."""
        return annotations is None and all(is_zip(path) for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> FolderReader:
        """Lists the images."""
        return FolderReader(paths, self.name)
