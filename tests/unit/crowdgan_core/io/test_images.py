"""Decoding of images of every type to upright RGB, and errors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import encode_png_uncompressed, focal_length_35mm, open_bytes, orientation, to_upright_rgb
from crowdgan_core.io.stored_images import ArrayImage, EncodedImage, ImageFile

RGB = np.random.default_rng(0).integers(0, 256, (7, 11, 3), np.uint8)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def decode(data: bytes) -> np.ndarray:
    return np.asarray(to_upright_rgb(open_bytes(data, "x"), "x"))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_rgb_keeps_its_pixels(kind: str, options: dict[str, Any]) -> None:
    assert (decode(encode(Image.fromarray(RGB), kind, **options)) == RGB).all()


def test_jpeg_pixels_equal_those_of_pillow() -> None:
    data = encode(Image.fromarray(RGB), "JPEG")
    assert (decode(data) == np.asarray(Image.open(io.BytesIO(data)))).all()


def test_grey_palette_and_cmyk_images_are_converted_to_rgb() -> None:
    image = Image.fromarray(RGB)
    grey = image.convert("L")
    assert (decode(encode(grey, "PNG")) == np.asarray(grey)[..., None]).all()
    palette = image.quantize(16)
    assert (decode(encode(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()
    cmyk = encode(image.convert("CMYK"), "JPEG", quality=100)
    assert (decode(cmyk) == np.asarray(Image.open(io.BytesIO(cmyk)).convert("RGB"))).all()
    assert decode(encode(image.convert("1"), "PNG")).max() == 255


def test_16_bit_samples_keep_their_upper_8_bits() -> None:
    samples = np.array([[0, 255, 256, 65535]], np.uint16)
    data = encode(Image.fromarray(samples), "PNG")
    assert decode(data)[0, :, 0].tolist() == [0, 0, 1, 255]


def test_alpha_is_blended_over_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    assert decode(encode(Image.fromarray(rgba), "PNG"))[0].tolist() == [
        [10, 20, 30],
        [255, 255, 255],
        [127, 127, 127],
    ]
    transparent = Image.fromarray(np.array([[0, 1]], np.uint8))
    transparent.putpalette([9, 9, 9, 200, 100, 50])
    assert decode(encode(transparent, "PNG", transparency=0))[0].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize("value", range(1, 9))
def test_images_are_rotated_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = encode(Image.fromarray(RGB), "PNG", exif=exif)
    assert orientation(open_bytes(data, "x")) == value
    assert (decode(data) == np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))).all()


def test_the_focal_length_is_read_from_the_exif_data() -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA405: 28}
    data = encode(Image.fromarray(RGB), "JPEG", exif=exif)
    assert focal_length_35mm(open_bytes(data, "x")) == 28.0
    exif[0x8769] = {0xA405: 0}
    assert focal_length_35mm(open_bytes(encode(Image.fromarray(RGB), "JPEG", exif=exif), "x")) is None
    assert focal_length_35mm(Image.fromarray(RGB)) is None


def test_a_truncated_image_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "BMP", "WEBP"):
        data = encode(Image.fromarray(RGB).resize((80, 80)), kind)
        path = tmp_path / f"a.{kind.lower()}"
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(DatasetError, match=f"a.{kind.lower()}: damaged or unreadable image"):
            to_upright_rgb(ImageFile(path).open(), str(path))


def test_a_file_of_an_unsupported_type_is_an_error_that_lists_the_supported_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("not an image")
    with pytest.raises(
        DatasetError, match=r"a.jpg: damaged or unreadable image \(the format is not one of JPEG, PNG, WEBP, BMP\)"
    ):
        ImageFile(path).open()
    with pytest.raises(DatasetError, match=r"b.jpg: cannot be read \(No such file or directory\)"):
        ImageFile(tmp_path / "b.jpg").open()
    with pytest.raises(DatasetError, match="damaged or unreadable"):
        EncodedImage(encode(Image.fromarray(RGB), "GIF"), "c.gif").open()


def test_an_image_with_too_many_pixels_is_an_error_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdgan_core.io.images.MAX_PIXELS", 76)
    with pytest.raises(DatasetError, match="x: 11x7 pixels; the maximum is 76 pixels"):
        open_bytes(encode(Image.fromarray(RGB), "PNG"), "x")


def test_the_encoded_png_contains_the_uncompressed_pixels() -> None:
    data = encode_png_uncompressed(RGB)
    assert (np.asarray(Image.open(io.BytesIO(data))) == RGB).all()
    Image.open(io.BytesIO(data)).verify()
    assert RGB[3].tobytes() in data


def test_opening_an_array_image_returns_its_pixels() -> None:
    assert (np.asarray(ArrayImage(RGB, "x").open()) == RGB).all()
