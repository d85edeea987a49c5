"""Images of the difference of two images."""

from __future__ import annotations

import numpy as np

from crowdgan_core.manipulation.similarity import psnr
from crowdgan_core.models.generation.strips import add_captions, image_strip
from crowdgan_core.utils.arrays import ImageArray


def comparison(target: ImageArray, image: ImageArray, caption: str) -> ImageArray:
    """Target, image and absolute difference side by side, with captions: `[height, width, 3]`."""
    images = [target, image, difference_image(target, image)]
    captions = [("target",), (caption, f"{psnr(image, target):.1f} dB"), ("difference",)]
    return image_strip(add_captions(images, captions))


def difference_image(a: ImageArray, b: ImageArray) -> ImageArray:
    """Absolute difference of two images `[height, width, 3]`: white for equal pixels, black for the maximum."""
    return np.asarray(255 - np.abs(a.astype(np.int16) - b), np.uint8)
