"""Air and sky: haze that fades what is far, clouds, and the colours of the day."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.world.world import World

Colour = npt.NDArray[np.float64]
"""`[3]` RGB, 0 to 255."""

FloatImage = npt.NDArray[np.float32]
"""`[height, width, 3]` RGB, 0 to 255, being drawn."""

SKIES = (
    ((86, 136, 198), (198, 214, 226)),
    ((120, 160, 205), (224, 226, 222)),
    ((150, 166, 184), (206, 208, 208)),
    ((104, 140, 186), (236, 214, 184)),
)
"""Colours at the zenith and at the horizon, RGB; ours."""

GREY_SKY = ((164, 170, 178), (208, 210, 210))
"""The same under clouds."""

VEIL = np.array([246, 244, 240], np.float32)
"""Colour of clouds and of the air round the sun, RGB."""

HAZE_M = 260.0
"""Distance in metres at which 63% of a thing's colour is lost to haze."""


def haze_share(distance_m: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Share of haze in the colour of things at a distance, 1 − exp(−d / HAZE_M) (Koschmieder's law)."""
    return np.asarray(1 - np.exp(-np.asarray(distance_m, float) / HAZE_M))


def sky_colours(rng: np.random.Generator, world: World) -> tuple[Colour, Colour]:
    """Colours of the sky at the zenith and at the horizon, RGB 0 to 255; the second is also that of the haze."""
    pair = SKIES[rng.integers(len(SKIES))] if world.light.strength > 0 else GREY_SKY
    zenith, horizon = np.array(pair, float)
    return zenith, horizon


def draw_sky(rng: np.random.Generator, camera: Camera, zenith: Colour, horizon: Colour) -> FloatImage:
    """The sky with clouds and a veil round the sun, `[height, width, 3]`; below the horizon its colour goes on."""
    height, width = camera.size
    image = np.broadcast_to(horizon.astype(np.float32), (height, width, 3)).copy()
    rows = min(height, math.ceil(camera.horizon_row) + 1)
    if rows < 2:
        return image
    above = (-camera.depression(np.arange(rows) + 0.5) / math.radians(40)).clip(0, 1)[:, None]
    sky = (horizon + (zenith - horizon) * above**0.7).astype(np.float32)
    glow_x, glow_y = rng.uniform(-0.2, 1.2) * width, camera.horizon_row * rng.uniform(-0.2, 0.8)
    distance2 = (np.arange(width) + 0.5 - glow_x) ** 2 + (np.arange(rows)[:, None] - glow_y) ** 2
    glow = 0.5 * np.exp(-distance2 / (0.25 * width) ** 2)
    veil = (_clouds(rng, rows, width) * above**0.2 + glow).clip(0, 1).astype(np.float32)
    image[:rows] = sky[:, None] + (VEIL - sky[:, None]) * veil[..., None]
    return image


def _clouds(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float64]:
    """Cover of clouds from 0 to 0.85: noise of four octaves, stretched along the horizon, cut off at a random level."""
    total = np.zeros((height, width))
    for octave in range(4):
        cells = rng.random((3 * 2**octave, 2 * 2**octave)).astype(np.float32)
        total += np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)) * 0.55**octave
    cut = rng.uniform(1.05, 1.7)
    return np.asarray(((total - cut) * 2).clip(0, 0.85))
