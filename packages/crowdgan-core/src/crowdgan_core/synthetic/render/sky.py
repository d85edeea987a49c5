"""Sky of a rendered image: clouds, glare of the sun, and the colours of the day."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.haze import Colour
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import FloatArray

FloatImage = npt.NDArray[np.float32]
"""`[height, width, 3]` RGB, 0 to 255, during rendering."""

SKY_COLOURS = (
    ((86, 136, 198), (198, 214, 226)),
    ((120, 160, 205), (224, 226, 222)),
    ((150, 166, 184), (206, 208, 208)),
    ((104, 140, 186), (236, 214, 184)),
)
"""Colours at the zenith and at the horizon, RGB; ours."""

OVERCAST_COLOURS = ((164, 170, 178), (208, 210, 210))
"""Colours at the zenith and at the horizon of an overcast sky, RGB; ours."""

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
    image = np.broadcast_to(horizon.astype(np.float32), (height, width, 3)).copy()
    rows = min(height, math.ceil(camera.horizon_row) + 1)
    if rows < 2:
        return image
    elevation = (-camera.depression(np.arange(rows) + 0.5) / math.radians(40)).clip(0, 1)[:, None]
    sky = (horizon + (zenith - horizon) * elevation**0.7).astype(np.float32)
    sun_x, sun_y = rng.uniform(-0.2, 1.2) * width, camera.horizon_row * rng.uniform(-0.2, 0.8)
    squared_distance = (np.arange(width) + 0.5 - sun_x) ** 2 + (np.arange(rows)[:, None] - sun_y) ** 2
    glare = 0.5 * np.exp(-squared_distance / (0.25 * width) ** 2)
    cover = (_cloud_cover(rng, rows, width) * elevation**0.2 + glare).clip(0, 1).astype(np.float32)
    image[:rows] = sky[:, None] + (CLOUD_COLOUR - sky[:, None]) * cover[..., None]
    return image


def _cloud_cover(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """Opacity of clouds, `[height, width]`, 0 to 0.85: four octaves of noise above a random threshold."""
    total = np.zeros((height, width))
    for octave in range(4):
        cells = rng.random((3 * 2**octave, 2 * 2**octave)).astype(np.float32)
        total += np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)) * 0.55**octave
    threshold = rng.uniform(1.05, 1.7)
    return np.asarray(((total - threshold) * 2).clip(0, 0.85))
