"""Damaged and malicious images, and unusual file names."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import focal_length_35mm, open_bytes, to_upright_rgb
from crowdgan_core.sources.folder import FolderSource
from tests.integration.fuzz.tools import Pipeline, checked_case, mutate_bytes, source_opener, valid_images


def test_mutated_images_are_refused_or_decoded(encode_noise: Callable[..., bytes]) -> None:
    rng = random.Random(18)
    decoded = 0
    valid = valid_images(encode_noise)
    for case in range(1500):
        name = rng.choice(list(valid))
        data = mutate_bytes(valid[name], rng)
        with checked_case(f"{case} ({name})"):
            image = open_bytes(data, name)
            focal_length_35mm(image)
            upright = to_upright_rgb(image, name)
            assert upright.mode == "RGB"
            assert min(upright.size) > 0
            decoded += 1
    assert 100 < decoded < 1400


def test_folders_of_mutated_images_are_refused_or_converted_without_the_damaged_images(
    tmp_path: Path, pipeline: Pipeline, encode_noise: Callable[..., bytes]
) -> None:
    rng = random.Random(19)
    valid = valid_images(encode_noise)
    for case in range(60):
        folder = tmp_path / f"images{case}"
        folder.mkdir()
        for name, data in valid.items():
            (folder / name).write_bytes(mutate_bytes(data, rng))
        pipeline.run(source_opener(FolderSource(), folder), case)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


@pytest.mark.parametrize("value", ["9" * 400, "-5", "inf", b"\xff\xff", (1, 2), -5, 0], ids=repr)
def test_an_invalid_focal_length_in_the_exif_data_is_ignored(value: Any, encode_noise: Callable[..., bytes]) -> None:
    data = encode_noise(1, (24, 32), "JPEG", exif=_exif_block(value))
    assert focal_length_35mm(open_bytes(data, "a.jpg")) is None


def _exif_block(value: Any) -> bytes:
    """An EXIF block in which the focal length has the type of `value` instead of the type required by the tag."""
    ascii_or_bytes = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None
    if ascii_or_bytes is not None:
        type_code, count, data = 2 if isinstance(value, str) else 7, len(ascii_or_bytes), ascii_or_bytes
    elif isinstance(value, tuple):
        type_code, count, data = 3, len(value), struct.pack(f"<{len(value)}H", *value)
    else:
        type_code, count, data = 9, 1, struct.pack("<i", value)
    head = b"II*\0" + struct.pack("<I", 8)
    ifd0 = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + struct.pack("<I", 0)
    inline = len(data) <= 4
    stored = data.ljust(4, b"\0") if inline else struct.pack("<I", 44)
    exif_ifd = struct.pack("<HHHI", 1, 0xA405, type_code, count) + stored + struct.pack("<I", 0)
    return b"Exif\0\0" + head + ifd0 + exif_ifd + (b"" if inline else data)


@pytest.mark.parametrize("size", [(0, 8), (8, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(size: tuple[int, int], encode_noise: Callable[..., bytes]) -> None:
    data = bytearray(encode_noise(1, (8, 8), "BMP"))
    data[18:26] = struct.pack("<ii", size[1], size[0])
    with pytest.raises(DatasetError, match=r"^a\.bmp: "):
        to_upright_rgb(open_bytes(bytes(data), "a.bmp"), "a.bmp")


STRICT_UTF8_ENVIRONMENT = {"PYTHONIOENCODING": "utf-8:strict"}
"""Makes stdout reject invalid Unicode, as in all locales except C."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are not valid Unicode")
@pytest.mark.parametrize(
    ("name", "on_error"),
    [
        (b"caf\xe9.jpg", "skip"),
        (b"[/red].jpg", "skip"),
        (b"[bold].jpg", "skip"),
        (b"two\nlines.jpg", "skip"),
        (b"caf\xe9.jpg", "fail"),
        (b"[/red].jpg", "fail"),
        (b"[bold].jpg", "fail"),
        (b"two\nlines.jpg", "fail"),
    ],
)
def test_a_damaged_image_with_an_unusual_name_is_reported_in_one_line_or_skipped(
    name: bytes, on_error: str, tmp_path: Path, crowdgan: list[str], encode_noise: Callable[..., bytes]
) -> None:
    damaged = tmp_path / "images" / os.fsdecode(name)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    (tmp_path / "images" / "valid.jpg").write_bytes(encode_noise(1, (24, 32)))
    command = [*crowdgan, "convert", "--source", "images", "--dest", "out.zip", "--on-error", on_error]
    environment = {**os.environ, **STRICT_UTF8_ENVIRONMENT, "COLUMNS": "200"}
    completed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    if on_error == "skip":
        assert (completed.returncode, completed.stderr) == (0, b"")
        assert len(ZipFormat().open(tmp_path / "out.zip")) == 1
        expected = "[bold]" if b"[bold]" in name else "images"
        assert expected in completed.stdout.decode()
    else:
        assert completed.returncode == 1
        assert completed.stderr.startswith(b"crowdgan: error: images/")
        assert completed.stderr.count(b"\n") == 1
