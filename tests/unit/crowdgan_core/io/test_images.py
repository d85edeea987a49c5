"""Every kind of image becomes upright RGB, or a clear error."""

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


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(to_upright_rgb(open_bytes(data, "x"), "x"))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_rgb_keeps_its_pixels(kind: str, options: dict[str, Any]) -> None:
    assert (decoded(encoded(Image.fromarray(RGB), kind, **options)) == RGB).all()


def test_jpeg_is_decoded_as_pillow_does() -> None:
    data = encoded(Image.fromarray(RGB), "JPEG")
    assert (decoded(data) == np.asarray(Image.open(io.BytesIO(data)))).all()


def test_grey_palette_and_cmyk_become_rgb() -> None:
    image = Image.fromarray(RGB)
    grey = image.convert("L")
    assert (decoded(encoded(grey, "PNG")) == np.asarray(grey)[..., None]).all()
    palette = image.quantize(16)
    assert (decoded(encoded(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()
    cmyk = encoded(image.convert("CMYK"), "JPEG", quality=100)
    assert (decoded(cmyk) == np.asarray(Image.open(io.BytesIO(cmyk)).convert("RGB"))).all()
    assert decoded(encoded(image.convert("1"), "PNG")).max() == 255


def test_sixteen_bits_keep_their_upper_eight() -> None:
    samples = np.array([[0, 255, 256, 65535]], np.uint16)
    data = encoded(Image.fromarray(samples), "PNG")
    assert decoded(data)[0, :, 0].tolist() == [0, 0, 1, 255]


def test_alpha_is_blended_over_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    assert decoded(encoded(Image.fromarray(rgba), "PNG"))[0].tolist() == [
        [10, 20, 30],
        [255, 255, 255],
        [127, 127, 127],
    ]
    clear = Image.fromarray(np.array([[0, 1]], np.uint8))
    clear.putpalette([9, 9, 9, 200, 100, 50])
    assert decoded(encoded(clear, "PNG", transparency=0))[0].tolist() == [[255, 255, 255], [200, 100, 50]]


@pytest.mark.parametrize("value", range(1, 9))
def test_rotated_images_are_turned_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = encoded(Image.fromarray(RGB), "PNG", exif=exif)
    assert orientation(open_bytes(data, "x")) == value
    assert (decoded(data) == np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))).all()


def test_the_focal_length_comes_from_the_exif_data() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    data = encoded(Image.fromarray(RGB), "JPEG", exif=exif)
    assert focal_length_35mm(open_bytes(data, "x")) == 28.0
    exif.get_ifd(0x8769)[0xA405] = 0
    assert focal_length_35mm(open_bytes(encoded(Image.fromarray(RGB), "JPEG", exif=exif), "x")) is None
    assert focal_length_35mm(Image.fromarray(RGB)) is None


def test_truncated_images_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "BMP", "WEBP"):
        data = encoded(Image.fromarray(RGB).resize((80, 80)), kind)
        path = tmp_path / f"a.{kind.lower()}"
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(DatasetError, match=f"a.{kind.lower()}: damaged or unreadable image"):
            to_upright_rgb(ImageFile(path).open(), str(path))


def test_what_is_no_image_is_an_error_that_says_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("no image")
    with pytest.raises(DatasetError, match=r"a.jpg: damaged or unreadable image \(not one of JPEG, PNG, WEBP, BMP\)"):
        ImageFile(path).open()
    with pytest.raises(DatasetError, match=r"b.jpg: cannot be read \(No such file or directory\)"):
        ImageFile(tmp_path / "b.jpg").open()
    with pytest.raises(DatasetError, match="damaged or unreadable"):
        EncodedImage(encoded(Image.fromarray(RGB), "GIF"), "c.gif").open()


def test_images_of_too_many_pixels_are_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdgan_core.io.images.MAX_PIXELS", 76)
    with pytest.raises(DatasetError, match="x: 11x7 pixels; at most 76 pixels are read"):
        open_bytes(encoded(Image.fromarray(RGB), "PNG"), "x")


def test_our_png_holds_the_pixels_uncompressed() -> None:
    data = encode_png_uncompressed(RGB)
    assert (np.asarray(Image.open(io.BytesIO(data))) == RGB).all()
    Image.open(io.BytesIO(data)).verify()
    assert RGB[3].tobytes() in data


def test_pixels_in_memory_are_a_image() -> None:
    assert (np.asarray(ArrayImage(RGB, "x").open()) == RGB).all()
