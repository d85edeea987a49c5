"""Effects of lens and sensor: vignetting, exposure, white balance, blur and noise."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.render.float_image import FloatMap, row_blocks
from crowdgan_core.synthetic.world.world import Light
from crowdgan_core.utils.arrays import FloatArray, ImageArray

NOISE_RANGE_LEVELS = (0.8, 2.6)
"""Standard deviation of sensor noise on a bright and on a dark day, in levels of 0 to 255; ours."""

BLUR_RANGE_PX = (0.2, 0.6)
"""Standard deviation of the lens blur in pixels; ours."""


def apply_camera_effects(
    rng: np.random.Generator, image: Image.Image, brightness: FloatMap, light: Light
) -> ImageArray:
    """The image after lens blur, vignetting, exposure, white balance and sensor noise, `[height, width, 3]`.

    Args:
        rng: random generator.
        image: RGB image.
        brightness: `[height, width]` factor of the pixels' light.
        light: light of the day; there is more noise on a dark day.
    """
    height, width = brightness.shape
    overcast = 1 - light.strength
    warmth = rng.uniform(-0.05, 0.05) - 0.02 * overcast
    balance = rng.uniform(0.95, 1.22) * np.array([1 + warmth, 1.0, 1 - warmth])
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    loss = rng.uniform(0, 0.1)
    vignette_y, vignette_x = (1 - loss * y**2).astype(np.float32), (loss * x**2).astype(np.float32)
    low, high = NOISE_RANGE_LEVELS
    noise_sd = low + (high - low) * overcast * rng.random()
    noise_levels = (0.5 + noise_sd * _normal_quantiles()).astype(np.float32)  # 0.5: conversion to integers rounds
    blur_sd_px = rng.uniform(*BLUR_RANGE_PX)
    planes = [_blur(np.asarray(band), blur_sd_px) for band in image.split()]
    quantiles = np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width)
    pixels = np.empty((height, width, 3), np.uint8)
    for rows in row_blocks(height):
        noise = noise_levels.take(quantiles[rows])
        gain = brightness[rows] * (vignette_y[rows] - vignette_x)
        for channel, plane in enumerate(planes):
            exposed = plane[rows] * (gain * np.float32(balance[channel]))
            exposed += noise
            np.clip(exposed, 0, 255, out=exposed)
            pixels[rows, :, channel] = exposed
    return pixels


def _blur(plane: npt.NDArray[np.uint8], sd_px: float) -> npt.NDArray[np.uint16]:
    """The plane `[height, width]`, blurred over three pixels per axis with this standard deviation in pixels.

    The weights are s²/2, 1 − s², s²/2. They are multiples of 1/256: products of 16 bits are fast.
    """
    neighbour_weight = round(128 * sd_px**2)
    blurred = plane.astype(np.uint16)
    for lines in (blurred, blurred.T):
        neighbours = lines[:-2] + lines[2:]
        neighbours *= neighbour_weight
        inner = lines[1:-1]
        inner *= 256 - 2 * neighbour_weight
        inner += neighbours
        inner += 128  # half of the divisor: rounds
        inner >>= 8
    return blurred


@cache
def _normal_quantiles() -> FloatArray:
    """Medians of 256 equally probable intervals of the normal distribution, `[256]`."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((level + 0.5) / 256) for level in range(256)])
