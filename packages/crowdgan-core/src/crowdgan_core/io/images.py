"""Decoding of images to upright RGB, EXIF data, and PNG encoding."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.png import header_file, without_metadata
from crowdgan_core.utils.arrays import ImageArray

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""Supported image formats, by their names in Pillow."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp")
"""Suffixes of image files in these formats, in lower case."""

UNSUPPORTED_SUFFIXES = (
    *(".avif", ".avifs", ".blp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".emf", ".eps", ".fit", ".fits", ".flc"),
    *(".fli", ".ftc", ".ftu", ".gbr", ".gif", ".heic", ".heif", ".hif", ".icb", ".icns", ".ico", ".iim", ".im"),
    *(".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx", ".jxl", ".mpo", ".msp", ".palm", ".pbm", ".pcd", ".pcx"),
    *(".pfm", ".pgm", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif"),
    *(".tiff", ".vda", ".vst", ".wmf", ".xbm", ".xpm"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
)
"""Suffixes of images in other formats, in lower case: those of Pillow, other recent ones, and raw camera files."""

MAX_PIXELS = 178_000_000
"""Maximum number of pixels of an image, checked before decoding: just below the limit of Pillow."""

SCALE_16_TO_8_BITS = 1 / 256
"""Factor that converts 16-bit to 8-bit samples."""

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that makes an image upright, by EXIF orientation (EXIF 2.32, tag 0x0112); 1 is upright."""

TRANSPOSED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""

FOCAL_LENGTH_35MM_TAG = 0xA405
"""EXIF tag `FocalLengthIn35mmFilm`."""

MAX_FOCAL_LENGTH_35MM_MM = 65535
"""Largest valid value of the tag in mm (EXIF 2.3: type SHORT)."""


def open_bytes(data: bytes, where: str) -> Image.Image:
    """Opens an encoded image without decoding its pixels.

    Raises:
        DatasetError: the format is not supported, or the image has more than `MAX_PIXELS` pixels; the message starts
            with `where`.
    """
    with _wrap_decoder_errors(where):
        image = Image.open(io.BytesIO(without_metadata(data)), formats=IMAGE_FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise DatasetError(f"{where}: {image.width}x{image.height} pixels; the maximum is {MAX_PIXELS} pixels")
    return image


def read_size(file: IO[bytes], where: str) -> tuple[int, int]:
    """`(height, width)` in pixels of an encoded image in upright orientation, read from its header.

    Raises:
        DatasetError: the format is not supported, or the header is damaged; the message starts with `where`.
    """
    with _wrap_decoder_errors(where):
        return upright_size(Image.open(header_file(file), formats=IMAGE_FORMATS))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """`(height, width)` in pixels of a stored image, after its rotation by EXIF orientation."""
    return image.size if orientation(image) in TRANSPOSED_ORIENTATIONS else (image.height, image.width)


def orientation(image: Image.Image) -> int:
    """EXIF orientation of a stored image, 1 (upright) to 8; 1 if it is absent or invalid."""
    value = _exif_value(image, ExifTags.Base.Orientation)
    return value if value in TRANSPOSITIONS else 1


def focal_length_35mm(image: Image.Image) -> float | None:
    """35 mm equivalent focal length in mm from the EXIF data; None if it is absent, invalid or 0 ("unknown")."""
    value = _exif_value(image, FOCAL_LENGTH_35MM_TAG)
    return float(value) if value is not None and 0 < value <= MAX_FOCAL_LENGTH_35MM_MM else None


def to_upright_rgb(image: Image.Image, where: str) -> Image.Image:
    """The decoded image in RGB, rotated upright by its EXIF orientation.

    Grey, palette and CMYK images are converted; 16-bit samples keep their upper 8 bits; alpha is blended over white.

    Raises:
        DatasetError: the image is truncated or damaged.
    """
    transposition = TRANSPOSITIONS.get(orientation(image))
    with _wrap_decoder_errors(where):
        image.load()
        rgb = _to_rgb(image)
        return rgb.transpose(transposition) if transposition is not None else rgb


def encode_png_uncompressed(pixels: ImageArray) -> bytes:
    """The image as an uncompressed PNG file.

    Pillow takes ten times as long, because it tries five row filters even without compression.

    Source: PNG specification, third edition, W3C 2023.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # filter type 0 before each row
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB, deflate, no interlace
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image if "transparency" not in image.info else _blend_over_white(image.convert("RGBA"))
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's conversion would clip instead of scale
        samples = np.asarray(image, np.int64) * SCALE_16_TO_8_BITS
        return Image.fromarray(samples.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _blend_over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _blend_over_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _exif_value(image: Image.Image, tag: int) -> int | None:
    """An integer of the EXIF data or of its Exif sub-directory; None if it is absent or damaged."""
    if "exif" not in image.info and "Raw profile type exif" not in image.info:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = image.getexif()
            value = exif.get(tag, exif.get_ifd(ExifTags.IFD.Exif).get(tag))
            return None if value is None else int(value)
        except Exception:  # Pillow's EXIF reader raises many types of exceptions on damaged data
            return None


@contextmanager
def _wrap_decoder_errors(where: str) -> Iterator[None]:
    """Converts any exception of Pillow on damaged data to a `DatasetError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, IndexError and more
            is_unknown = isinstance(error, UnidentifiedImageError)
            reason = f"the format is not one of {', '.join(IMAGE_FORMATS)}" if is_unknown else str(error)
            raise DatasetError(f"{where}: damaged or unreadable image ({reason})") from error
