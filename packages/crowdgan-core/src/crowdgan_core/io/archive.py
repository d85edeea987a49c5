"""Reading of ZIP archives in place, entry by entry, with checks against malicious archives."""

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
"""Maximum unpacked size of an image in an archive: ten times the largest camera images."""

MAX_COMPRESSION_RATIO = 1000
"""Maximum ratio of unpacked to packed size; a higher one is a decompression bomb (deflate reaches 1032 on zeros)."""

RATIO_CHECK_MIN_BYTES = 2**20
"""Minimum unpacked size at which the ratio is checked; smaller entries are harmless at any ratio."""

FIXED_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""Timestamp of every written entry, the earliest in the ZIP format, so that equal contents give equal archives."""

ENCRYPTED_FLAG = 0x1
"""Bit of a ZIP entry's flags (PKWARE APPNOTE 4.4.4)."""


def is_zip(path: Path) -> bool:
    """Whether `path` is a ZIP archive, judged by its signature."""
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except OSError:
        return False


def entry_names(path: Path) -> list[str]:
    """Names of the files in a ZIP archive, in its order, without folders and system files.

    Raises:
        DatasetError: the archive is damaged or encrypted, or an entry points outside the archive.
    """
    return list(_entries(path, path.stat().st_mtime_ns, os.getpid()))


@contextmanager
def open_entry(path: Path, name: str, max_bytes: int = MAX_IMAGE_BYTES) -> Iterator[IO[bytes]]:
    """Opens one entry of a ZIP archive for reading.

    Raises:
        DatasetError: the entry is missing or damaged, or unpacks to more than `max_bytes`.
    """
    where = f"{path}:{name}"
    key = (path, _modified(path), os.getpid())
    archive = _archive(*key)
    info = _entries(*key).get(name)
    if info is None:
        raise DatasetError(f"{where}: no such entry in the archive")
    if info.file_size > max_bytes:
        raise DatasetError(f"{where}: unpacks to {info.file_size} bytes; the maximum is {max_bytes} bytes")
    if info.file_size > RATIO_CHECK_MIN_BYTES and info.file_size > MAX_COMPRESSION_RATIO * max(info.compress_size, 1):
        limit = f"unpacks to more than {MAX_COMPRESSION_RATIO} times its size"
        raise DatasetError(f"{where}: {limit}: refused as a decompression bomb")
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
        DatasetError: as for `open_entry`.
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
    """The open archive, cached because reading its directory takes longer than reading an image.

    The process ID is part of the key: a forked process must not share the file position with its parent.
    """
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # as for `open_entry`
        raise DatasetError(f"{path}: damaged ZIP archive ({error})") from error


@lru_cache(maxsize=16)
def _entries(path: Path, modified_ns: int, process: int) -> dict[str, zipfile.ZipInfo]:
    entries = {}
    for info in _archive(path, modified_ns, process).infolist():
        name = info.filename
        if not name:
            raise DatasetError(f"{path}: damaged ZIP archive (an entry has no name)")
        if info.is_dir() or name.startswith("__MACOSX/"):
            continue
        name = name.replace("\\", "/")  # some tools write backslashes, against the format specification
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or (len(name) > 1 and name[1] == ":"):
            raise DatasetError(f"{path}: entry {name!r} points outside the archive: refused")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DatasetError(f"{path}: entry {name!r} is a symbolic link: refused")
        if info.flag_bits & ENCRYPTED_FLAG:
            raise DatasetError(f"{path}: entry {name!r} is encrypted; unpack the archive and use the folder")
        entries[name] = info
    return entries
