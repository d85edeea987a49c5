"""Reading of ZIP archives in place, entry by entry, with checks against malicious archives."""

from __future__ import annotations

import copy
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name, is_ignored

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

UTF8_FLAG = 0x800
"""Bit of a ZIP entry's flags: its name is UTF-8, otherwise code page 437 (PKWARE APPNOTE 4.4.4)."""

UNICODE_PATH_ID = 0x7075
"""ID of the extra field with the name in UTF-8 (PKWARE APPNOTE 4.6.9)."""

UNICODE_PATH_HEADER = struct.Struct("<BI")
"""Start of this field: version 1, and the CRC-32 of the name in the header."""

FIRST_SIGNATURE = b"PK\x03\x04"
"""First bytes of a ZIP archive that is not empty."""

UNFINISHED_SUFFIXES = (".part", ".partial", ".crdownload", ".download")
"""Suffixes that browsers and download tools append to the name of an unfinished download."""


def is_zip(path: Path) -> bool:
    """Whether `path` is a ZIP archive, judged by its signature."""
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except OSError:
        return False


def check_complete(path: Path) -> None:
    """Checks that a file with the name or the first bytes of a ZIP archive is a complete one; accepts other files.

    Raises:
        DatasetError: the archive is incomplete, for example an interrupted download, or is not a ZIP archive.
    """
    if not path.is_file() or is_zip(path):
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(FIRST_SIGNATURE))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    has_suffix = path.suffix.lower() == ".zip"
    is_unfinished = path.suffix.lower() in UNFINISHED_SUFFIXES and Path(path.stem).suffix.lower() == ".zip"
    if is_unfinished or start == FIRST_SIGNATURE or (has_suffix and FIRST_SIGNATURE.startswith(start)):
        raise DatasetError(f"{path}: incomplete ZIP archive ({path.stat().st_size} bytes); download or copy it again")
    if has_suffix:
        raise DatasetError(f"{path}: not a ZIP archive, although its name ends in .zip; download or copy it again")


def entry_names(path: Path) -> list[str]:
    """Canonical names of the files in a ZIP archive, in its order, without folders, hidden files and system files.

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
    info = _entries(*key).get(canonical_name(name))
    if info is None:
        raise DatasetError(f"{where}: no such entry in the archive")
    if info.file_size > max_bytes:
        raise DatasetError(f"{where}: unpacks to {info.file_size} bytes; the maximum is {max_bytes} bytes")
    if info.file_size > RATIO_CHECK_MIN_BYTES and info.file_size > MAX_COMPRESSION_RATIO * max(info.compress_size, 1):
        limit = f"unpacks to more than {MAX_COMPRESSION_RATIO} times its size"
        raise DatasetError(f"{where}: {limit}: refused as a decompression bomb")
    try:
        with _open_info(archive, info) as file:
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
        decoded = _decoded_name(info)
        if not decoded:
            raise DatasetError(f"{path}: damaged ZIP archive (an entry has no name)")
        is_folder = decoded.endswith(("/", "\\"))  # some tools write backslashes, against the format specification
        name = canonical_name(decoded)
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or (len(name) > 1 and name[1] == ":"):
            raise DatasetError(f"{path}: entry {name!r} points outside the archive: refused")
        if is_folder or is_ignored(name):
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DatasetError(f"{path}: entry {name!r} is a symbolic link: refused")
        if info.flag_bits & ENCRYPTED_FLAG:
            raise DatasetError(f"{path}: entry {name!r} is encrypted; unpack the archive and use the folder")
        entries[name] = info
    return entries


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Name of an entry: UTF-8 if its flag, an extra field or its bytes say so, otherwise code page 437.

    Many tools write UTF-8 without the flag, for example the Archive Utility of macOS.
    """
    raw = _raw_name(info)
    for candidate in (_unicode_path(info.extra, raw), raw):
        try:
            name = candidate.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if name:
            return name.partition("\0")[0]
    return info.filename


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_FLAG else "cp437", "surrogateescape")


def _unicode_path(extra: bytes, raw_name: bytes) -> bytes:
    """The name in the extra field for Unicode names; empty if there is none, or it is that of an earlier name."""
    while len(extra) >= 4:
        field_id, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if field_id == UNICODE_PATH_ID and len(field) > UNICODE_PATH_HEADER.size:
            version, crc = UNICODE_PATH_HEADER.unpack_from(field)
            if version == 1 and crc == zlib.crc32(raw_name):
                return field[UNICODE_PATH_HEADER.size :]
    return b""


def _open_info(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Opens an entry, also if only one of its two headers has the flag for UTF-8, which zipfile refuses."""
    try:
        return archive.open(info)
    except zipfile.BadZipFile:
        other = copy.copy(info)
        encoding = "cp437" if info.flag_bits & UTF8_FLAG else "utf-8"
        other.orig_filename = _raw_name(info).decode(encoding, "replace")
        return archive.open(other)
