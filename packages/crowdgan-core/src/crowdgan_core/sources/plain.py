"""Pictures without annotations, in a folder or a zip archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crowdgan_core.archive import is_zip
from crowdgan_core.dataset import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_core.sources import Annotated, Problem
from crowdgan_core.storage import Store, is_picture_name, open_store


class PlainPictures:
    """All pictures below some folders or archives, sorted by name."""

    metadata = DatasetMetadata()
    annotated = False
    problems: Sequence[Problem] = ()

    def __init__(self, paths: Sequence[Path]) -> None:
        self._pictures: list[tuple[Store, str]] = [
            (store, name) for store in map(open_store, paths) for name in filter(is_picture_name, store.names())
        ]
        if not self._pictures:
            raise DatasetError(f"{paths[0]}: there are no pictures in it")

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._pictures)

    def __iter__(self) -> Iterator[Annotated]:
        """The pictures, without people and labels."""
        for store, name in self._pictures:
            yield Annotated(source_name=name, picture=store.picture(name))


class FolderSource:
    """Reads all pictures below a folder."""

    name = "folder"
    description = "a folder of pictures"
    general = True

    def fits(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are folders and no annotations are given."""
        return annotations is None and all(path.is_dir() for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> PlainPictures:
        """Lists the pictures."""
        return PlainPictures(paths)


class ZipSource:
    """Reads all pictures of a zip archive."""

    name = "zip"
    description = "a zip archive of pictures"
    general = True

    def fits(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether all paths are zip archives and no annotations are given."""
        return annotations is None and all(is_zip(path) for path in paths)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> PlainPictures:
        """Lists the pictures."""
        return PlainPictures(paths)
