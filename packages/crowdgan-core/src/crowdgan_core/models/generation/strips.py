"""Image strips with captions, and animations."""

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

MIN_WIDTH_PX = 128
"""Minimum image width for a readable caption; narrower images are upscaled by an integer factor."""

GAP_FRACTION = 0.04
"""Gap between the images of a strip as a fraction of their width."""

ONE_WAY_MS = 2500
"""Approximate duration of an animation from the first to the last image."""

FRAME_LIMITS_MS = (40, 700)
"""Shortest and longest duration of a frame."""

END_FRAME_MS = 700
"""Minimum duration of the first and of the last frame."""

HOLD_MS = 1500
"""Duration of the last frame of an animation that plays forwards only."""

WEBP_QUALITY = 90
"""Pillow's scale, 0 to 100."""


def add_captions(images: Sequence[ImageArray], captions: Sequence[Sequence[str]]) -> list[Image.Image]:
    """Each image `[height, width, 3]` with its caption below; small images are upscaled (bicubic)."""
    height, width = images[0].shape[:2]
    factor = upscale_factor(width)
    band = CaptionBand.fit(captions, factor * width)
    captioned_images = []
    for image, caption in zip(images, captions, strict=True):
        canvas = Image.new("RGB", (factor * width, factor * height + band.height_px), PAPER)
        canvas.paste(_upscale(image))
        canvas.paste(band.draw(caption), (0, factor * height))
        captioned_images.append(canvas)
    return captioned_images


def _upscale(image: ImageArray) -> Image.Image:
    height, width = image.shape[:2]
    factor = upscale_factor(width)
    return Image.fromarray(image).resize((factor * width, factor * height), Image.Resampling.BICUBIC)


def upscale_factor(width_px: int) -> int:
    """Integer factor by which images of this width are upscaled."""
    return max(1, -(-MIN_WIDTH_PX // width_px))


def image_strip(images: Sequence[Image.Image]) -> ImageArray:
    """Images of equal size side by side, with gaps: `[height, width, 3]`."""
    width, height = images[0].size
    gap = max(4, round(GAP_FRACTION * width))
    sheet = Image.new("RGB", (len(images) * (width + gap) + gap, height + gap), PAPER)
    for index, image in enumerate(images):
        sheet.paste(image, (gap + index * (width + gap), gap))
    return np.asarray(sheet)


def image_sheet(rows: Sequence[Sequence[ImageArray]], captions: Sequence[Sequence[str]]) -> ImageArray:
    """Rows of images with the caption of each column below the last row: `[height, width, 3]`."""
    strips = [image_strip([_upscale(image) for image in row]) for row in rows[:-1]]
    return np.concatenate([*strips, image_strip(add_captions(rows[-1], captions))])


def check_animation(animation_format: AnimationFormat) -> None:
    """Checks that Pillow can write animations of a format.

    Raises:
        ConfigError: Pillow was built without this format.
    """
    if animation_format == "webp" and not features.check("webp"):
        raise ConfigError("this Pillow was built without WebP; use --format gif")


def encode_animation(
    images: Sequence[Image.Image],
    animation_format: AnimationFormat,
    record: Mapping[str, Any],
    *,
    backwards: bool = True,
) -> bytes:
    """A looping animation that plays the images forwards, and then backwards, with its record as JSON.

    The record is in EXIF ImageDescription (WebP) or in the comment (GIF). Without `backwards`, the last image is held.
    """
    frame_ms = int(np.clip(ONE_WAY_MS / len(images), *FRAME_LIMITS_MS))
    if backwards:
        middle_ms = [frame_ms] * (len(images) - 2)
        frames = [*images, *images[-2:0:-1]]
        durations_ms = [max(frame_ms, END_FRAME_MS), *middle_ms, max(frame_ms, END_FRAME_MS), *middle_ms]
    else:
        frames, durations_ms = list(images), [*[frame_ms] * (len(images) - 1), HOLD_MS]
    text = json.dumps(record)
    options: dict[str, Any] = {"comment": text.encode()}
    if animation_format == "webp":
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = text
        options = {"exif": exif, "quality": WEBP_QUALITY}
    file = io.BytesIO()
    frames[0].save(
        file, animation_format, save_all=True, append_images=frames[1:], duration=durations_ms, loop=0, **options
    )
    return file.getvalue()
