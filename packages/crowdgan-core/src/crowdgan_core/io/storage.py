"""File stores: folders and ZIP archives with a common interface."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import check_complete, entry_names, is_zip, open_entry
from crowdgan_core.io.images import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES
from crowdgan_core.io.names import is_ignored
from crowdgan_core.io.stored_images import ImageFile, ZipImage

MAX_TEXT_BYTES = 8 * 2**30
"""Maximum size of an annotation or metadata file in bytes: a hundred times the size of CrowdHuman's."""


@dataclass(frozen=True)
class FolderStore:
    """A folder, including its subfolders."""

    path: Path

    def names(self) -> list[str]:
        """Sorted relative paths of all files with forward slashes, without hidden and system files and folders.

        Links to folders are followed; each folder is visited once.

        Raises:
            DatasetError: a folder cannot be read.
        """
        names = []
        visited: set[tuple[int, int]] = set()
        _visit(str(self.path), "", visited)
        for folder, folders, files in os.walk(self.path, onerror=_raise_unreadable, followlinks=True):
            folders[:] = [name for name in folders if not is_ignored(name) and _visit(folder, name, visited)]
            prefix = "" if folder == str(self.path) else f"{Path(folder).relative_to(self.path).as_posix()}/"
            names += [f"{prefix}{name}" for name in files if not is_ignored(name)]
        return sorted(names)

    def subfolder(self, name: str) -> FolderStore:
        """The store of a folder in this one."""
        return FolderStore(self.path / name)

    def image(self, name: str) -> ImageFile:
        """The image with this name."""
        return ImageFile(self.path / name)

    def where(self, name: str) -> str:
        """Location of the file for messages."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens the file with this name for reading.

        Raises:
            DatasetError: the file cannot be read.
        """
        try:
            with (self.path / name).open("rb") as file:
                yield file
        except OSError as error:
            raise DatasetError(f"{self.where(name)}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class ZipStore:
    """A ZIP archive, or a folder in it, read in place."""

    path: Path
    prefix: str = ""
    """Start of the names of the entries in the folder, with a slash at the end; empty for the whole archive."""

    def names(self) -> list[str]:
        """Sorted canonical names of all files, relative to the folder, without hidden and system files and folders.

        Raises:
            DatasetError: the archive is damaged or encrypted, or an entry points outside the archive.
        """
        return sorted(name[len(self.prefix) :] for name in entry_names(self.path) if name.startswith(self.prefix))

    def subfolder(self, name: str) -> ZipStore:
        """The store of a folder in this one."""
        return replace(self, prefix=f"{self.prefix}{name}/")

    def image(self, name: str) -> ZipImage:
        """The image with this name."""
        return ZipImage(self.path, f"{self.prefix}{name}")

    def where(self, name: str) -> str:
        """Location of the entry for messages."""
        return f"{self.path}:{self.prefix}{name}"

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Opens the entry with this name for reading.

        Raises:
            DatasetError: the entry is missing, damaged or too large.
        """
        with open_entry(self.path, f"{self.prefix}{name}", MAX_TEXT_BYTES) as file:
            yield file


Store = FolderStore | ZipStore


def open_store(path: Path) -> Store:
    """The store of the folder or ZIP archive at `path`.

    Raises:
        DatasetError: `path` does not exist, or is neither a folder nor a complete ZIP archive.
    """
    if path.is_dir():
        return FolderStore(path)
    if is_zip(path):
        return ZipStore(path)
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    check_complete(path)
    raise DatasetError(f"{path}: must be a folder or a ZIP archive")


def _raise_unreadable(error: OSError) -> None:
    raise DatasetError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _visit(folder: str, name: str, visited: set[tuple[int, int]]) -> bool:
    """Whether a folder is visited for the first time, for protection against link cycles; adds it to `visited`."""
    try:
        status = (Path(folder) / name).stat()
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    is_new = key not in visited
    visited.add(key)
    return is_new


def without_image_suffix(name: str) -> str:
    """A name without the suffix of an image file, if it has one; other suffixes may be part of the name."""
    return name[: -len(Path(name).suffix)] if is_image_name(name) else name


def is_image_name(name: str) -> bool:
    """Whether a file name has an image suffix."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_unsupported_image_name(name: str) -> bool:
    """Whether a file name has the suffix of an image format that is not supported."""
    return name.lower().endswith(UNSUPPORTED_SUFFIXES)
