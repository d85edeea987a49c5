"""Variables of MATLAB 5 files, with checks against damaged and malicious files."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from typing import IO, Any

from crowdgan_core.errors import DatasetError

MAX_FILE_BYTES = 8 * 2**20
"""Maximum size of an annotation file, ours; 4,633 heads need 0.05 MB."""

MAX_UNPACKED_BYTES = 32 * 2**20
"""Maximum unpacked size of an annotation file, ours; protects against decompression bombs."""

MAX_ARRAYS = 200
"""Maximum number of arrays in a file, ours: head points need 4, and thousands of nested arrays crash scipy."""

MAT_HEADER_BYTES = 128
"""Length of the header of a MATLAB 5 file. Source of this and the next three: MathWorks, "MAT-File Format"."""

MAT_BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""Last bytes of the header, version 0x0100 and the byte-order mark, to the byte order of `struct`."""

MAT_ARRAY = 14
"""Type of an array element (`miMATRIX`)."""

MAT_COMPRESSED = 15
"""Type of a compressed element (`miCOMPRESSED`)."""


def read_variable(file: IO[bytes], where: str, variable: str) -> Any:
    """One variable of a MATLAB 5 file, nested as in scipy: cells and structures are object arrays.

    Args:
        file: the open file.
        where: location of the file for messages.
        variable: name of the variable.

    Raises:
        DatasetError: the file is too large or damaged, or has no such variable.
    """
    variables = read_variables(file, where, [variable])
    if variable not in variables:
        raise DatasetError(f"{where}: the variable {variable} is missing")
    return variables[variable]


def read_variables(file: IO[bytes], where: str, names: Sequence[str]) -> dict[str, Any]:
    """Those of the named variables that a MATLAB 5 file has, as `read_variable`.

    Raises:
        DatasetError: the file is too large or damaged.
    """
    from scipy.io import loadmat  # imported late: `crowdgan --help` must not load scipy

    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DatasetError(f"{where}: the file is larger than the maximum of {MAX_FILE_BYTES} bytes")
    unpacked = _unpack(data, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            variables = loadmat(io.BytesIO(unpacked), variable_names=list(names))  # type: ignore[arg-type]
        except Exception as error:  # scipy raises a dozen types of exceptions for damaged files
            raise DatasetError(f"{where}: damaged MATLAB file ({error})") from error
    return {name: variables[name] for name in names if name in variables}


def _unpack(data: bytes, where: str) -> bytes:
    """A MATLAB 5 file with unpacked elements, at most `MAX_UNPACKED_BYTES` and about `MAX_ARRAYS`.

    Raises:
        DatasetError: the data is not a MATLAB 5 file, is truncated or damaged, or exceeds a limit.
    """
    order = MAT_BYTE_ORDERS.get(data[MAT_HEADER_BYTES - 4 : MAT_HEADER_BYTES])
    if order is None:
        raise DatasetError(f"{where}: not a MATLAB 5 file, as written by MATLAB's save -v6 or -v7")
    parts, start, total = [data[:MAT_HEADER_BYTES]], MAT_HEADER_BYTES, 0
    while start < len(data):
        try:
            element_type, size = struct.unpack_from(f"{order}II", data, start)
            end = start + 8 + size
            if end > len(data):
                raise DatasetError(f"{where}: damaged MATLAB file (truncated after {len(data)} bytes)")
            part = data[start:end]
            if element_type == MAT_COMPRESSED:
                part = zlib.decompressobj().decompress(part[8:], MAX_UNPACKED_BYTES + 1)
        except (struct.error, zlib.error) as error:
            raise DatasetError(f"{where}: damaged MATLAB file ({error})") from error
        parts.append(part)
        start, total = end, total + len(part)
        if total > MAX_UNPACKED_BYTES:
            raise DatasetError(f"{where}: unpacks to more than the allowed {MAX_UNPACKED_BYTES} bytes")
    unpacked = b"".join(parts)
    if unpacked.count(struct.pack(f"{order}I", MAT_ARRAY)) > MAX_ARRAYS:
        raise DatasetError(f"{where}: contains more than the allowed {MAX_ARRAYS} arrays")
    return unpacked
