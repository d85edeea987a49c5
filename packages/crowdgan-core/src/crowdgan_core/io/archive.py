"""Zip archives read in place, entry by entry, after checks that keep hostile ones out."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from crowdgan_core.errors import DatasetError

MAX_IMAGE_BYTES = 256 * 2**20
"""Unpacked size above which an archive's image is refused: ten times the largest photographs."""

MAX_RATIO = 1000
"""Unpacked over packed size above which an entry is a decompression bomb (deflate reaches 1032 on zeros)."""

RATIO_MATTERS_BYTES = 2**20
"""Entries that unpack to less than this are harmless at any ratio."""

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Time of all entries that are written, the earliest a zip can hold, so that equal contents make equal archives."""

ENCRYPTED = 0x1
"""Bit of a zip entry's flags (PKWARE APPNOTE 4.4.4)."""


def is_zip(path: Path) -> bool:
    """Whether `path` is a file that looks like a zip archive."""
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except OSError:
        return False


def entry_names(path: Path) -> list[str]:
    """Names of the files in a zip archive, in its order, folders and system files left out.

    Raises:
        DatasetError: the archive is damaged or encrypted, or an entry points outside of it.
    """
    return list(_entries(path, path.stat().st_mtime_ns, os.getpid()))


@contextmanager
def open_entry(path: Path, name: str, max_bytes: int = MAX_IMAGE_BYTES) -> Iterator[IO[bytes]]:
    """One entry of a zip archive as a file to read from.

    Raises:
        DatasetError: there is no such entry, it is damaged, or unpacks to more than `max_bytes`.
    """
    where = f"{path}:{name}"
    key = (path, _modified(path), os.getpid())
    archive = _archive(*key)
    info = _entries(*key).get(name)
    if info is None:
        raise DatasetError(f"{where}: no such entry in the archive")
    if info.file_size > max_bytes:
        raise DatasetError(f"{where}: unpacks to {info.file_size} bytes; at most {max_bytes} are read")
    if info.file_size > RATIO_MATTERS_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise DatasetError(f"{where}: unpacks to over {MAX_RATIO} times its size: refused as a decompression bomb")
    try:
        with archive.open(info) as file:
            yield file
    except DatasetError:
        raise
    except Exception as error:  # zipfile and its decompressors raise LZMAError, struct.error, KeyError and more
        raise DatasetError(f"{where}: damaged archive entry ({error})") from error


def read_entry(path: Path, name: str, max_bytes: int = MAX_IMAGE_BYTES) -> bytes:
    """All bytes of one entry.

    Raises:
        DatasetError: as `open_entry`.
    """
    with open_entry(path, name, max_bytes) as file:
        return file.read()


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=16)
def _archive(path: Path, _modified_ns: int, _process: int) -> zipfile.ZipFile:
    """The open archive, kept open: reading its directory again would cost more than the image.

    A forked process opens it anew, since both would move the one place in the file.
    """
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # as in `open_entry`
        raise DatasetError(f"{path}: damaged zip archive ({error})") from error


@lru_cache(maxsize=16)
def _entries(path: Path, modified_ns: int, process: int) -> dict[str, zipfile.ZipInfo]:
    entries = {}
    for info in _archive(path, modified_ns, process).infolist():
        name = info.filename
        if not name:
            raise DatasetError(f"{path}: damaged zip archive (an entry without a name)")
        if info.is_dir() or name.startswith("__MACOSX/"):
            continue
        name = name.replace("\\", "/")  # as some tools write them, against the rules of the format
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or (len(name) > 1 and name[1] == ":"):
            raise DatasetError(f"{path}: entry {name!r} points outside of the archive: refused")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DatasetError(f"{path}: entry {name!r} is a symbolic link: refused")
        if info.flag_bits & ENCRYPTED:
            raise DatasetError(f"{path}: entry {name!r} is encrypted; unpack the archive and give the folder")
        entries[name] = info
    return entries
