"""Images side by side with captions, and as an animation there and back."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from PIL import ExifTags, Image, features

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.generation.captions import PAPER, CaptionBand
from crowdgan_core.utils.arrays import ImageArray

AnimationFormat = Literal["webp", "gif"]

READABLE_PX = 128
"""Width below which an image is enlarged, by a whole factor, for its caption to be readable."""

GAP_SHARE = 0.04
"""Room around the images of a strip, as a share of their width."""

ONE_WAY_MS = 2500
"""About how long an animation takes from one end to the other."""

FRAME_MS = (40, 700)
"""Shortest and longest time of a frame."""

END_MS = 700
"""How long the first and the last frame stand at least."""

WEBP_QUALITY = 90


def add_captions(images: Sequence[ImageArray], captions: Sequence[Sequence[str]]) -> list[Image.Image]:
    """Each image `[height, width, 3]` with its caption below; small ones enlarged, pixel by pixel."""
    height, width = images[0].shape[:2]
    factor = upscale_factor(width)
    band = CaptionBand.fitting(captions, factor * width)
    captioned_images = []
    for image, caption in zip(images, captions, strict=True):
        canvas = Image.new("RGB", (factor * width, factor * height + band.height_px), PAPER)
        canvas.paste(Image.fromarray(image).resize((factor * width, factor * height), Image.Resampling.NEAREST))
        canvas.paste(band.draw(caption), (0, factor * height))
        captioned_images.append(canvas)
    return captioned_images


def upscale_factor(width_px: int) -> int:
    """The whole factor by which images of this width are enlarged."""
    return max(1, -(-READABLE_PX // width_px))


def image_strip(images: Sequence[Image.Image]) -> ImageArray:
    """Images of one size side by side, with room around them."""
    width, height = images[0].size
    gap = max(4, round(GAP_SHARE * width))
    sheet = Image.new("RGB", (len(images) * (width + gap) + gap, height + gap), PAPER)
    for index, image in enumerate(images):
        sheet.paste(image, (gap + index * (width + gap), gap))
    return np.asarray(sheet)


def check_animation(kind: AnimationFormat) -> None:
    """Checks that Pillow can write animations of a kind.

    Raises:
        ConfigError: it was built without it.
    """
    if kind == "webp" and not features.check("webp"):
        raise ConfigError("this Pillow was built without WebP; choose --format gif")


def encode_animation(images: Sequence[Image.Image], kind: AnimationFormat, record: Mapping[str, Any]) -> bytes:
    """An animated file that runs there and back for ever, with its record as JSON.

    The record stands in EXIF's ImageDescription (WebP) or the comment (GIF).
    """
    frame_ms = int(np.clip(ONE_WAY_MS / len(images), *FRAME_MS))
    middle = [frame_ms] * (len(images) - 2)
    frames = [*images, *images[-2:0:-1]]
    times = [max(frame_ms, END_MS), *middle, max(frame_ms, END_MS), *middle]
    text = json.dumps(record)
    options: dict[str, Any] = {"comment": text.encode()}
    if kind == "webp":
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = text
        options = {"exif": exif, "quality": WEBP_QUALITY}
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=times, loop=0, **options)
    return file.getvalue()
