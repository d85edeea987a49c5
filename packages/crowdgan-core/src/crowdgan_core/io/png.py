"""Removal of metadata from PNG files before decoding, so that metadata never makes an image unreadable.

Pillow refuses an image whose text or colour profile is damaged or larger than its limits. The pixels depend on the
critical chunks and the transparency alone; of the metadata only the EXIF data is used.

Source: PNG specification, third edition, W3C 2023.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file."""

PIXELS_CHUNK, END_CHUNK, TRANSPARENCY_CHUNK, EXIF_CHUNK = b"IDAT", b"IEND", b"tRNS", b"eXIf"

EXIF_KEYWORDS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Keywords of text chunks with EXIF data or an orientation, as ImageMagick and Adobe write them."""

MAX_TEXT_BYTES = 2**20
"""Maximum unpacked size of such a text: the limit of Pillow."""

ANCILLARY_BIT = 0x20
"""Bit of the first byte of a chunk's type: the chunk is not required for the pixels."""


def without_metadata(data: bytes) -> bytes:
    """An encoded PNG image without metadata except valid EXIF data; other data is returned unchanged."""
    file = io.BytesIO(data)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return data
    parts = [SIGNATURE, *_pixel_chunks(file)]
    return data if sum(map(len, parts)) == len(data) else b"".join(parts)


def header_file(file: IO[bytes]) -> IO[bytes]:
    """A file with the chunks before the pixels, without metadata except valid EXIF data; for other files, `file`.

    If the EXIF data is in a text, the pixels follow.

    Args:
        file: an encoded image, at its start.
    """
    if file.read(len(SIGNATURE)) != SIGNATURE:
        file.seek(0)
        return file
    return io.BytesIO(SIGNATURE + b"".join(_pixel_chunks(file, header_only=True)))


def _pixel_chunks(file: IO[bytes], *, header_only: bool = False) -> Iterator[bytes]:
    """The chunks with pixels and EXIF data, and the rest of a damaged file, which Pillow refuses."""
    keywords: set[bytes] = set()
    while len(header := file.read(8)) == 8:
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        if header_only and kind == PIXELS_CHUNK and not keywords:  # Pillow decodes pixels to find EXIF data in a text
            yield header
            return
        if not kind.isalpha():
            yield header + file.read()
            return
        body = file.read(length + 4)
        is_complete = len(body) == length + 4
        if (
            not kind[0] & ANCILLARY_BIT
            or kind == TRANSPARENCY_CHUNK
            or (is_complete and _is_valid_exif(kind, body[:-4], body[-4:], keywords))
        ):
            yield header + body
        if kind == END_CHUNK or not is_complete:
            return


def _is_valid_exif(kind: bytes, data: bytes, crc: bytes, keywords: set[bytes]) -> bool:
    """Whether a chunk is undamaged and has EXIF data that Pillow can read; adds its keyword to those that are used."""
    if kind != EXIF_CHUNK:
        keyword = next((item for item in EXIF_KEYWORDS if data.startswith(item)), None)
        if keyword is None or keyword in keywords or not _is_short_text(kind, data[len(keyword) :]):
            return False
        keywords.add(keyword)
    return zlib.crc32(kind + data) == int.from_bytes(crc, "big")


def _is_short_text(kind: bytes, text: bytes) -> bool:
    """Whether the text after the keyword is valid and at most `MAX_TEXT_BYTES` when unpacked."""
    if kind == b"zTXt":
        packed = text[1:] if text[:1] == b"\0" else b""
    elif kind == b"iTXt":
        flags, fields = text[:2], text[2:].split(b"\0", 2)
        if len(flags) < 2 or len(fields) < 3:
            return False
        if flags[0] == 0:
            return len(fields[2]) <= MAX_TEXT_BYTES
        packed = fields[2] if flags == b"\1\0" else b""
    else:
        return kind == b"tEXt" and len(text) <= MAX_TEXT_BYTES
    unpacker = zlib.decompressobj()
    try:
        return len(unpacker.decompress(packed, MAX_TEXT_BYTES + 1)) <= MAX_TEXT_BYTES and unpacker.eof
    except zlib.error:
        return False
