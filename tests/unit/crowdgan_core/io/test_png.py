"""PNG files are decoded whatever metadata they contain."""

from __future__ import annotations

import io
import zlib
from typing import IO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import MAX_TEXT_CHUNK, MAX_TEXT_MEMORY, PngInfo

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import focal_length_35mm, open_bytes, orientation, read_size, to_upright_rgb
from crowdgan_core.io.png import SIGNATURE, header_file, without_metadata
from tests.support.sources import png_chunk

RGB = np.random.default_rng(0).integers(0, 256, (7, 11, 3), np.uint8)


def png(before: bytes = b"", after: bytes = b"", **options: object) -> bytes:
    """A PNG file of `RGB` with chunks before and after the pixels."""
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG", **options)
    data = file.getvalue()
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    return data[:start] + before + data[start:end] + after + data[end:]


def packed(size: int) -> bytes:
    return zlib.compress(bytes(size))


METADATA = {
    "compressed text above the limit": png_chunk(b"zTXt", b"a\0\0" + packed(MAX_TEXT_CHUNK + 1)),
    "international text above the limit": png_chunk(b"iTXt", b"a\0\1\0\0\0" + packed(MAX_TEXT_CHUNK + 1)),
    "plain text above the limit": png_chunk(b"tEXt", b"a\0" + b"x" * (MAX_TEXT_CHUNK + 1)),
    "colour profile above the limit": png_chunk(b"iCCP", b"a\0\0" + packed(MAX_TEXT_CHUNK + 1)),
    "EXIF text above the limit": png_chunk(b"zTXt", b"Raw profile type exif\0\0" + packed(MAX_TEXT_CHUNK + 1)),
    "more text than all chunks may have": png_chunk(b"tEXt", b"a\0" + b"x" * 2**20) * (MAX_TEXT_MEMORY // 2**20 + 1),
    "damaged text": png_chunk(b"tEXt", b"a\0text", is_damaged=True),
    "damaged EXIF data": png_chunk(b"eXIf", b"Exif", is_damaged=True),
    "unknown compression of a text": png_chunk(b"zTXt", b"a\0\7abc"),
    "unknown compression of the colour profile": png_chunk(b"iCCP", b"a\0\7abc"),
    "empty colour profile": png_chunk(b"iCCP", b"a"),
    "truncated gamma": png_chunk(b"gAMA", b"1"),
    "truncated chromaticities": png_chunk(b"cHRM", b"1"),
    "empty rendering intent": png_chunk(b"sRGB", b""),
    "truncated density": png_chunk(b"pHYs", b"1"),
    "invalid animation": png_chunk(b"acTL", b"\xff" * 8) + png_chunk(b"fcTL", b"\xff" * 26),
    "private chunk": png_chunk(b"prVt", b"x" * 100, is_damaged=True),
}


@pytest.mark.parametrize("kind", METADATA)
@pytest.mark.parametrize("is_before", [True, False])
def test_metadata_never_makes_an_image_unreadable(kind: str, is_before: bool) -> None:
    data = png(**{"before" if is_before else "after": METADATA[kind]})
    assert (np.asarray(to_upright_rgb(open_bytes(data, "x"), "x")) == RGB).all()
    assert read_size(io.BytesIO(data), "x") == (7, 11)


def test_a_file_that_ends_in_its_metadata_is_read() -> None:
    data = png(after=METADATA["plain text above the limit"])
    assert (np.asarray(to_upright_rgb(open_bytes(data[:-1000], "x"), "x")) == RGB).all()


def test_exif_data_in_a_chunk_or_a_text_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {0xA405: 28}
    text = PngInfo()
    hexadecimal = exif.tobytes().hex()
    text.add_text("Raw profile type exif", f"\nexif\n{len(hexadecimal) // 2:8}\n{hexadecimal}\n", zip=True)
    for data in (png(METADATA["damaged text"], exif=exif), png(METADATA["damaged text"], pnginfo=text)):
        image = open_bytes(data, "x")
        assert (orientation(image), focal_length_35mm(image)) == (6, 28.0)
        assert (np.asarray(to_upright_rgb(image, "x")) == np.rot90(RGB, -1)).all()
        assert read_size(io.BytesIO(data), "x") == (11, 7)


def test_transparency_is_kept() -> None:
    pixels = RGB.copy()
    pixels[0, 0] = (1, 2, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", transparency=(1, 2, 3))
    decoded = np.asarray(to_upright_rgb(open_bytes(file.getvalue(), "x"), "x"))
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert (decoded[1:] == RGB[1:]).all()


def test_other_data_and_images_without_metadata_are_not_copied() -> None:
    for data in (b"", b"\x89PNG", b"JPEG", png()):
        assert without_metadata(data) is data


class CountingFile(io.BytesIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_the_header_is_read_without_the_pixels() -> None:
    data = png(METADATA["plain text above the limit"])
    file: IO[bytes] = CountingFile(data + bytes(10_000))
    header = header_file(file).read()
    assert header.startswith(SIGNATURE)
    assert header.endswith(b"IDAT")
    assert isinstance(file, CountingFile)
    assert file.count == data.index(b"IDAT") + 4
    other = CountingFile(b"BM and more")
    assert header_file(other).read() == b"BM and more"


@pytest.mark.parametrize("damage", ["pixels", "size", "truncated", "no pixels"])
def test_damaged_pixels_are_an_error(damage: str) -> None:
    data = bytearray(png(METADATA["damaged text"]))
    position = data.index(b"IDAT")
    if damage == "pixels":
        data[position + 6] ^= 255
    elif damage == "size":
        data[18] ^= 255
    else:
        del data[position + 20 if damage == "truncated" else position - 4 :]
    with pytest.raises(DatasetError, match=r"^x: damaged or unreadable image"):
        to_upright_rgb(open_bytes(bytes(data), "x"), "x")
