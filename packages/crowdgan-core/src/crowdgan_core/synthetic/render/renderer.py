"""Draws a made-up place, and says which pixels show whom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from crowdgan_core.synthetic.people.appearance import random_wardrobe, stone_wardrobe
from crowdgan_core.synthetic.people.projection import make_figures
from crowdgan_core.synthetic.render.compositing import draw_people
from crowdgan_core.synthetic.render.pavement import draw_ground, draw_shadows
from crowdgan_core.synthetic.render.scenery import draw_buildings
from crowdgan_core.synthetic.render.sky import FloatImage, draw_sky, sky_colours
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import ImageArray

NOBODY = -1
"""In the buffer of persons: scenery."""

DISTANT = -2
"""In the buffer of persons: the distant group."""

STATUE = -3
"""In the buffer of persons: the statue."""

CROWD_SHADE = 0.5
"""Light lost at the feet of people in a crowd of 4 persons/m², for others keep it off; ours."""

NOISE_LEVELS = (0.8, 2.6)
"""Standard deviation of sensor noise, in levels of 0 to 255, from a bright day to a dull one; ours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedScene:
    """A drawn place. Rows of the arrays belong to `world.people` in their order."""

    pixels: ImageArray
    """`[height, width, 3]` uint8 RGB."""

    owners: npt.NDArray[np.int16]
    """`[height, width]` index of the person who is seen there, or NOBODY, DISTANT, STATUE."""

    full_boxes: npt.NDArray[np.float64]
    """`[num_people, 4]` xyxy pixels of the whole bodies, also beyond the image's edges."""

    head_boxes: npt.NDArray[np.float64]
    """`[num_people, 4]` xyxy pixels of the heads, hair included."""

    solid_px: npt.NDArray[np.int64]
    """`[num_people, 2]` pixels that each body, and of it each head, covers in the image, hidden ones included."""


def draw_world(rng: np.random.Generator, world: World) -> RenderedScene:
    """Draws a place: scenery, ground, shadows, then the people from the farthest to the nearest."""
    zenith, haze = sky_colours(rng, world)
    image = draw_sky(rng, world.camera, zenith, haze)
    draw_ground(rng, image, world.camera, haze)
    statues = (world.statue,) if world.statue else ()
    draw_shadows(image, world.camera, (*world.people, *world.distant, *statues), world.light)
    draw_buildings(rng, image, world, haze)
    owners = np.full(world.camera.size, NOBODY, np.int16)
    light = _light_in_view(world)
    for owner, people in ((DISTANT, world.distant), (STATUE, statues)):
        if people:
            wardrobe = random_wardrobe(rng, len(people)) if owner == DISTANT else stone_wardrobe(len(people))
            draw_people(rng, image, owners, make_figures(people, wardrobe, world.camera, light, haze), owner=owner)
    figures = make_figures(world.people, random_wardrobe(rng, len(world.people)), world.camera, light, haze)
    solid = draw_people(rng, image, owners, figures, shade=CROWD_SHADE * min(1.0, world.density_per_m2 / 4))
    return RenderedScene(
        pixels=_photographed(rng, image, world),
        owners=owners,
        full_boxes=figures.full_boxes,
        head_boxes=figures.head_boxes,
        solid_px=solid,
    )


def _light_in_view(world: World) -> tuple[float, float]:
    """Where light comes from in the image (right, up): from the sun's side, more from above under clouds."""
    sideways = -math.sin(world.light.azimuth_rad) * math.cos(world.light.elevation_rad)
    return world.light.strength * 0.9 * sideways, 0.45 + 0.3 * (1 - world.light.strength)


def _photographed(rng: np.random.Generator, image: FloatImage, world: World) -> ImageArray:
    """The image as a camera stores it: white balance, exposure, darker corners, a soft lens, sensor noise."""
    height, width = world.camera.size
    cloudy = 1 - world.light.strength
    warm = rng.uniform(-0.05, 0.05) - 0.02 * cloudy
    balance = (rng.uniform(0.95, 1.22) * np.array([1 + warm, 1.0, 1 - warm])).astype(np.float32)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = (1 - rng.uniform(0, 0.1) * (x**2 + y**2)).astype(np.float32)
    exposed = image * vignette[..., None]
    exposed *= balance
    np.clip(exposed, 0, 255, out=exposed)
    soft = Image.fromarray(exposed.astype(np.uint8)).filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.6)))
    low, high = NOISE_LEVELS
    strength = low + (high - low) * cloudy * rng.random()
    grain = np.rint(rng.standard_normal((height, width), np.float32) * np.float32(strength)).astype(np.int16)
    noisy = np.asarray(soft, np.int16) + grain[..., None]
    return np.asarray(np.clip(noisy, 0, 255, out=noisy), np.uint8)
