"""Stored images: opening them safely, making them upright RGB, and writing the PNGs of a dataset."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.arrays import ImageArray

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""Pillow's names of the image formats that are read."""


SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""File names that count as images, in lower case."""


MAX_PIXELS = 178_000_000
"""Images with more pixels are refused before they are decoded: just below Pillow's own bound."""


BITS_16_TO_8 = 1 / 256
"""Factor from 16-bit to 8-bit samples."""


TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the turn that makes the image upright (EXIF 2.32, tag 0x0112); 1 is upright."""


FOCAL_LENGTH_35MM = 0xA405
"""EXIF tag `FocalLengthIn35mmFilm`."""


MAX_FOCAL_LENGTH_35MM = 65535
"""Largest focal length in mm that the tag can hold (EXIF 2.3: type SHORT); beyond it is damage."""


def open_bytes(data: bytes, where: str) -> Image.Image:
    """The image that `data` encodes, its pixels not yet loaded.

    Raises:
        DatasetError: no image of a known format, or one of more than `MAX_PIXELS`; the message starts with `where`.
    """
    with _decoding(where):
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise DatasetError(f"{where}: {image.width}x{image.height} pixels; at most {MAX_PIXELS} pixels are read")
    return image


def orientation(image: Image.Image) -> int:
    """EXIF orientation of a stored image, 1 (upright) to 8; 1 where there is none or a damaged one."""
    value = _exif_value(image, ExifTags.Base.Orientation)
    return value if value in TRANSPOSITIONS else 1


def focal_length_35mm(image: Image.Image) -> float | None:
    """Focal length in mm on 35 mm film from the EXIF data; None where it is absent, damaged or 0 ("unknown")."""
    value = _exif_value(image, FOCAL_LENGTH_35MM)
    return float(value) if value is not None and 0 < value <= MAX_FOCAL_LENGTH_35MM else None


def to_upright_rgb(image: Image.Image, where: str) -> Image.Image:
    """The image with its pixels loaded, in RGB, turned upright as its EXIF orientation says.

    Grey, palette and CMYK are converted; 16-bit samples keep their upper 8 bits; alpha is blended over white.

    Raises:
        DatasetError: the image is truncated or damaged.
    """
    turn = TRANSPOSITIONS.get(orientation(image))
    with _decoding(where):
        image.load()
        rgb = _to_rgb(image)
        return rgb.transpose(turn) if turn is not None else rgb


def encode_png_uncompressed(pixels: ImageArray) -> bytes:
    """The PNG file, not compressed, of `[height, width, 3]` uint8 pixels.

    Own code because Pillow tries five row filters even where nothing is compressed, ten times the time of this.

    Source: PNG specification, third edition, W3C 2023.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # filter type 0 before each row
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB, deflate, no interlace
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image if "transparency" not in image.info else _over_white(image.convert("RGBA"))
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip instead of scale
        samples = np.asarray(image, np.int64) * BITS_16_TO_8
        return Image.fromarray(samples.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _exif_value(image: Image.Image, tag: int) -> int | None:
    """A whole number of the EXIF data or of its Exif block; damaged data counts as none."""
    if "exif" not in image.info and "Raw profile type exif" not in image.info:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = image.getexif()
            value = exif.get(tag, exif.get_ifd(ExifTags.IFD.Exif).get(tag))
            return None if value is None else int(value)
        except Exception:  # Pillow's reader of a foreign binary format fails in every way there is
            return None


@contextmanager
def _decoding(where: str) -> Iterator[None]:
    """Turns whatever Pillow raises on damaged data into a `DatasetError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # its decoders raise OSError, SyntaxError, struct.error, IndexError and more
            unknown = isinstance(error, UnidentifiedImageError)
            reason = f"not one of {', '.join(FORMATS)}" if unknown else str(error)
            raise DatasetError(f"{where}: damaged or unreadable image ({reason})") from error
