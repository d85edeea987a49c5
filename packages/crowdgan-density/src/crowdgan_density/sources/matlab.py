"""Variables of MATLAB 5 files, read with guards that keep damaged and hostile files out."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError

MAX_FILE_BYTES = 8 * 2**20
"""Size above which an annotation file is refused, ours; 4,633 heads take 0.05 MB."""

MAX_UNPACKED_BYTES = 32 * 2**20
"""Unpacked size above which an annotation file is refused as a decompression bomb, ours."""

MAX_ARRAYS = 200
"""Arrays in a file above which it is refused, ours: heads take 4, and thousands inside one another crash scipy."""

MAT_HEADER_BYTES = 128
"""Length of the header of a MATLAB 5 file. Source of this and the next three: MathWorks, "MAT-File Format"."""

MAT_BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""Last bytes of the header, version 0x0100 and the order mark, to the byte order as `struct` calls it."""

MAT_ARRAY = 14
"""Type of an element that is an array (`miMATRIX`)."""

MAT_COMPRESSED = 15
"""Type of an element that is compressed (`miCOMPRESSED`)."""


def read_variable(path: Path, variable: str) -> Any:
    """One variable of a MATLAB 5 file, nested as scipy gives it: cells and structures are object arrays.

    Raises:
        DatasetError: the file cannot be read, is too large or damaged, or has no such variable.
    """
    from scipy.io import loadmat  # here, because `crowdgan --help` shall not load scipy

    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DatasetError(f"{path}: {size} bytes; annotations of at most {MAX_FILE_BYTES} bytes are read")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    unpacked = _unpacked(data, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            variables = loadmat(io.BytesIO(unpacked), variable_names=[variable])  # type: ignore[arg-type]
        except Exception as error:  # a foreign binary format: damage shows as any of a dozen kinds
            raise DatasetError(f"{path}: damaged MATLAB file ({error})") from error
    if variable not in variables:
        raise DatasetError(f"{path}: no variable {variable} in it")
    return variables[variable]


def _unpacked(data: bytes, path: Path) -> bytes:
    """A MATLAB 5 file with its elements unpacked, never more than `MAX_UNPACKED_BYTES` and about `MAX_ARRAYS`.

    Raises:
        DatasetError: it is no MATLAB 5 file, is cut off or damaged, or unpacks to more.
    """
    order = MAT_BYTE_ORDERS.get(data[MAT_HEADER_BYTES - 4 : MAT_HEADER_BYTES])
    if order is None:
        raise DatasetError(f"{path}: not a MATLAB 5 file, as MATLAB writes with save -v6 or -v7")
    parts, start, total = [data[:MAT_HEADER_BYTES]], MAT_HEADER_BYTES, 0
    while start < len(data):
        try:
            kind, size = struct.unpack_from(f"{order}II", data, start)
            end = start + 8 + size
            if end > len(data):
                raise DatasetError(f"{path}: damaged MATLAB file (cut off after {len(data)} bytes)")
            part = data[start:end]
            if kind == MAT_COMPRESSED:
                part = zlib.decompressobj().decompress(part[8:], MAX_UNPACKED_BYTES + 1)
        except (struct.error, zlib.error) as error:
            raise DatasetError(f"{path}: damaged MATLAB file ({error})") from error
        parts.append(part)
        start, total = end, total + len(part)
        if total > MAX_UNPACKED_BYTES:
            raise DatasetError(f"{path}: unpacks to more than {MAX_UNPACKED_BYTES} bytes; heads take far less")
    unpacked = b"".join(parts)
    if unpacked.count(struct.pack(f"{order}I", MAT_ARRAY)) > MAX_ARRAYS:
        raise DatasetError(f"{path}: more than {MAX_ARRAYS} arrays in it; heads take far fewer")
    return unpacked
