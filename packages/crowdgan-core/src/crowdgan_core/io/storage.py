"""Places that hold image files: folders and zip archives, behind one face."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import entry_names, is_zip, open_entry
from crowdgan_core.io.images import SUFFIXES
from crowdgan_core.io.stored_images import ImageFile, ZipImage

MAX_TEXT_BYTES = 8 * 2**30
"""Size above which an annotation or metadata file is refused: a hundred times CrowdHuman's."""


@dataclass(frozen=True)
class FolderStore:
    """A folder and all below it."""

    path: Path

    def names(self) -> list[str]:
        """Names of all files relative to the folder, with forward slashes, sorted; hidden ones left out.

        Links to folders are followed, each folder once.
        """
        found = []
        visited: set[tuple[int, int]] = set()
        _is_new(str(self.path), "", visited)
        for folder, folders, files in os.walk(self.path, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".") and _is_new(folder, name, visited)]
            below = Path(folder).relative_to(self.path)
            found += [(below / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def image(self, name: str) -> ImageFile:
        """The image of that name."""
        return ImageFile(self.path / name)

    def where(self, name: str) -> str:
        """How messages call the file of that name."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The file of that name, to read from.

        Raises:
            DatasetError: it cannot be read.
        """
        try:
            with (self.path / name).open("rb") as file:
                yield file
        except OSError as error:
            raise DatasetError(f"{self.where(name)}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class ZipStore:
    """A zip archive, read in place."""

    path: Path

    def names(self) -> list[str]:
        """Names of all files in the archive, sorted.

        Raises:
            DatasetError: the archive is damaged, encrypted, or has entries that point outside.
        """
        return sorted(entry_names(self.path))

    def image(self, name: str) -> ZipImage:
        """The image of that name."""
        return ZipImage(self.path, name)

    def where(self, name: str) -> str:
        """How messages call the entry of that name."""
        return f"{self.path}:{name}"

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The entry of that name, to read from.

        Raises:
            DatasetError: it is damaged or too large.
        """
        with open_entry(self.path, name, MAX_TEXT_BYTES) as file:
            yield file


Store = FolderStore | ZipStore


def open_store(path: Path) -> Store:
    """The folder or zip archive at `path`.

    Raises:
        DatasetError: it does not exist or is neither.
    """
    if path.is_dir():
        return FolderStore(path)
    if is_zip(path):
        return ZipStore(path)
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    raise DatasetError(f"{path}: it must be a folder or a zip archive")


def _is_new(folder: str, name: str, visited: set[tuple[int, int]]) -> bool:
    """Whether a folder has not been visited under another name, as in a circle of links; notes that it now is."""
    try:
        status = (Path(folder) / name).stat()
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    fresh = key not in visited
    visited.add(key)
    return fresh


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image's."""
    return name.lower().endswith(SUFFIXES)
