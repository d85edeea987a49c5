"""PNG files with random metadata, which must never change the pixels or make them unreadable."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from crowdgan_core.io.images import open_bytes, orientation, read_size, to_upright_rgb
from crowdgan_core.io.png import SIGNATURE
from tests.integration.fuzz.tools import EXTREME_BYTES, mutate_bytes
from tests.support.sources import png_chunk

KINDS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"acTL", b"fcTL", b"fdAT")
KINDS += (b"eXIf", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"prVt", b"vpAg", b"caBX")
"""Types of chunks with metadata."""

LARGE = zlib.compress(bytes(2**20 + 1))
"""Packed data that unpacks to more than the limit of Pillow."""

BODIES = (
    *(b"", b"\0", b"Comment\0", b"Comment\0text", b"Comment\0\0" + LARGE, b"Comment\0\1\0\0\0" + LARGE),
    *(b"Comment\0\7\0", b"icc\0\0" + LARGE, b"Raw profile type exif\0\0" + LARGE, b"Raw profile type exif\0\n\nzz"),
    *(b"XML:com.adobe.xmp\0\0\0\0\0<x/>", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE, b"Comment\0" + b"x" * 2**20),
    *(b"\0\0\0\2\0\0\0\0", b"Exif\0\0II*\0", b"\xff" * 40),
)
"""Contents of such chunks: valid, damaged and above the limits."""


def split_chunks(data: bytes) -> list[bytes]:
    """The chunks of a PNG file."""
    chunks, start = [], len(SIGNATURE)
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        chunks.append(data[start:end])
        start = end
    return chunks


def random_metadata(rng: random.Random) -> bytes:
    """A chunk with metadata, in a third of the cases with a damaged checksum."""
    body = rng.choice(BODIES)
    if rng.random() < 0.4:
        body = mutate_bytes(body[:200], rng) + rng.choice(EXTREME_BYTES)
    return png_chunk(rng.choice(KINDS), body, is_damaged=rng.random() < 0.3)


def test_random_metadata_changes_no_pixels(encode_noise: Callable[..., bytes]) -> None:
    rng = random.Random(47)
    valid = encode_noise(1, (24, 32), "PNG")
    pixels = np.asarray(Image.open(io.BytesIO(valid)).convert("RGB"))
    first, *others, end = split_chunks(valid)
    for case in range(450):
        chunks = list(others)
        added = [random_metadata(rng) for _ in range(rng.randint(1, 5))]
        for chunk in added:
            chunks.insert(rng.randint(0, len(chunks)), chunk)
        data = SIGNATURE + b"".join([first, *chunks, end])
        where = f"case {case}: {[chunk[:40] for chunk in added]}"
        image = open_bytes(data, where)
        assert orientation(image) == 1, where
        assert (np.asarray(to_upright_rgb(image, where)) == pixels).all(), where
        assert read_size(io.BytesIO(data), where) == (24, 32), where


def test_a_file_that_ends_within_its_last_metadata_has_all_pixels(encode_noise: Callable[..., bytes]) -> None:
    rng = random.Random(48)
    valid = encode_noise(1, (24, 32), "PNG")
    pixels = np.asarray(Image.open(io.BytesIO(valid)).convert("RGB"))
    end = valid.index(b"IEND") - 4
    for case in range(100):
        chunk = random_metadata(rng)
        data = valid[:end] + chunk[: rng.randrange(len(chunk))]
        where = f"case {case}: {chunk[:40]!r}"
        assert (np.asarray(to_upright_rgb(open_bytes(data, where), where)) == pixels).all(), where
