"""Sky of a rendered image: clouds, glare of the sun, and the colours of the day."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.haze import Colour
from crowdgan_core.synthetic.render.float_image import FloatImage, FloatMap, smooth_noise
from crowdgan_core.synthetic.world.world import World

SKY_COLOURS = (
    ((86, 136, 198), (198, 214, 226)),
    ((120, 160, 205), (224, 226, 222)),
    ((150, 166, 184), (206, 208, 208)),
    ((104, 140, 186), (236, 214, 184)),
)
"""Colours at the zenith and at the horizon, RGB; ours."""

OVERCAST_COLOURS = ((164, 170, 178), (208, 210, 210))
"""Colours at the zenith and at the horizon of an overcast sky, RGB; ours."""

CLOUD_CELLS = 96
"""Side of the noise of clouds in cells, before it is enlarged to the sky."""

CLOUD_COLOUR = np.array([246, 244, 240], np.float32)
"""Colour of clouds and of the glare around the sun, RGB; ours."""


def sky_colours(rng: np.random.Generator, world: World) -> tuple[Colour, Colour]:
    """Colours of the sky at the zenith and at the horizon, RGB 0 to 255; the second is also the haze's colour."""
    colours = SKY_COLOURS[rng.integers(len(SKY_COLOURS))] if world.light.strength > 0 else OVERCAST_COLOURS
    zenith, horizon = np.array(colours, float)
    return zenith, horizon


def render_sky(rng: np.random.Generator, camera: Camera, zenith: Colour, horizon: Colour) -> FloatImage:
    """An image of the sky with clouds and glare; below the horizon it has the horizon's colour."""
    height, width = camera.size
    image = np.broadcast_to(horizon.astype(np.float32)[:, None, None], (3, height, width)).copy()
    rows = min(height, math.ceil(camera.horizon_row) + 1)
    if rows < 2:
        return image
    elevation = (-camera.depression(np.arange(rows) + 0.5) / math.radians(40)).clip(0, 1).astype(np.float32)[:, None]
    sun_x, sun_y = rng.uniform(-0.2, 1.2) * width, camera.horizon_row * rng.uniform(-0.2, 0.8)
    glare_x = np.exp(-(((np.arange(width) + 0.5 - sun_x) / (0.25 * width)) ** 2)).astype(np.float32)
    glare_y = np.exp(-(((np.arange(rows) - sun_y) / (0.25 * width)) ** 2)).astype(np.float32)
    cover = _cloud_cover(rng, (rows, width)) * elevation ** np.float32(0.2)
    cover = (cover + (np.float32(0.5) * glare_y)[:, None] * glare_x).clip(0, 1)
    for channel, (at_zenith, at_horizon, cloud) in enumerate(zip(zenith, horizon, CLOUD_COLOUR, strict=True)):
        sky = np.float32(at_horizon) + np.float32(at_zenith - at_horizon) * elevation ** np.float32(0.7)
        image[channel, :rows] = sky + (np.float32(cloud) - sky) * cover
    return image


def _cloud_cover(rng: np.random.Generator, size: tuple[int, int]) -> FloatMap:
    """Opacity of clouds, `[height, width]`, 0 to 0.85: four octaves of noise above a random threshold."""
    total = np.zeros((CLOUD_CELLS, CLOUD_CELLS), np.float32)
    for octave in range(4):
        cells = rng.random((3 * 2**octave, 2 * 2**octave), np.float32)
        total += smooth_noise(cells, total.shape) * np.float32(0.55**octave)
    threshold = np.float32(rng.uniform(1.05, 1.7))
    return ((smooth_noise(total, size) - threshold) * 2).clip(0, np.float32(0.85))
