"""Rendering of a world to an image, with the index of the visible person at each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from crowdgan_core.synthetic.people.appearance import random_appearance, statue_appearance
from crowdgan_core.synthetic.people.projection import project_people
from crowdgan_core.synthetic.render.compositing import PersonIndexImage, draw_people
from crowdgan_core.synthetic.render.pavement import draw_shadows, render_ground
from crowdgan_core.synthetic.render.scenery import draw_scenery
from crowdgan_core.synthetic.render.sky import FloatImage, render_sky, sky_colours
from crowdgan_core.synthetic.world.world import World
from crowdgan_core.utils.arrays import FloatArray, ImageArray

SCENERY_INDEX, DISTANT_GROUP_INDEX, STATUE_INDEX = -1, -2, -3
"""Entries of `RenderedScene.person_index` at pixels that show no person of the crowd."""

CROWD_SHADE_FRACTION = 0.5
"""Fraction of light lost at the feet in a crowd of 4 persons/m², due to the people around; ours."""

NOISE_RANGE_LEVELS = (0.8, 2.6)
"""Standard deviation of sensor noise on a bright and on a dark day, in levels of 0 to 255; ours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderedScene:
    """A rendered world. Rows of the arrays correspond to `World.people`."""

    pixels: ImageArray
    """`[height, width, 3]` uint8 RGB."""

    person_index: PersonIndexImage
    """`[height, width]` index of the visible person, or SCENERY_INDEX, DISTANT_GROUP_INDEX, STATUE_INDEX."""

    full_boxes: FloatArray
    """`[num_people, 4]` xyxy pixels of the full bodies, including parts beyond the image's edges."""

    head_boxes: FloatArray
    """`[num_people, 4]` xyxy pixels of the heads, hair included."""

    covered_px: npt.NDArray[np.int64]
    """`[num_people, 2]` number of pixels that each body, and its head, covers in the image, occluded ones included."""


def render_scene(rng: np.random.Generator, world: World) -> RenderedScene:
    """Renders a world: sky, ground, shadows, scenery, then the people from the farthest to the nearest."""
    zenith, haze = sky_colours(rng, world)
    image = render_sky(rng, world.camera, zenith, haze)
    render_ground(rng, image, world.camera, haze)
    statues = (world.statue,) if world.statue else ()
    draw_shadows(image, world.camera, (*world.people, *world.distant_group, *statues), world.light)
    draw_scenery(rng, image, world, haze)
    person_index = np.full(world.camera.size, SCENERY_INDEX, np.int16)
    light = _light_in_view(world)
    if world.distant_group:
        appearance = random_appearance(rng, len(world.distant_group))
        bodies = project_people(world.distant_group, appearance, world.camera, light, haze)
        draw_people(rng, image, person_index, bodies, common_index=DISTANT_GROUP_INDEX)
    if statues:
        bodies = project_people(statues, statue_appearance(len(statues)), world.camera, light, haze)
        draw_people(rng, image, person_index, bodies, common_index=STATUE_INDEX)
    bodies = project_people(world.people, random_appearance(rng, len(world.people)), world.camera, light, haze)
    feet_shade = CROWD_SHADE_FRACTION * min(1.0, world.density_per_m2 / 4)
    covered_px = draw_people(rng, image, person_index, bodies, feet_shade=feet_shade)
    return RenderedScene(
        pixels=_apply_camera_effects(rng, image, world),
        person_index=person_index,
        full_boxes=bodies.full_boxes,
        head_boxes=bodies.head_boxes,
        covered_px=covered_px,
    )


def _light_in_view(world: World) -> tuple[float, float]:
    """Direction to the light in the image, (right, up): from the sun's side, and more from above if overcast."""
    sideways = -math.sin(world.light.azimuth_rad) * math.cos(world.light.elevation_rad)
    return world.light.strength * 0.9 * sideways, 0.45 + 0.3 * (1 - world.light.strength)


def _apply_camera_effects(rng: np.random.Generator, image: FloatImage, world: World) -> ImageArray:
    """The image after vignetting, exposure, white balance, lens blur and sensor noise."""
    height, width = world.camera.size
    overcast = 1 - world.light.strength
    warmth = rng.uniform(-0.05, 0.05) - 0.02 * overcast
    balance = (rng.uniform(0.95, 1.22) * np.array([1 + warmth, 1.0, 1 - warmth])).astype(np.float32)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = (1 - rng.uniform(0, 0.1) * (x**2 + y**2)).astype(np.float32)
    exposed = image * vignette[..., None]
    exposed *= balance
    np.clip(exposed, 0, 255, out=exposed)
    blurred = Image.fromarray(exposed.astype(np.uint8)).filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.6)))
    low, high = NOISE_RANGE_LEVELS
    strength = low + (high - low) * overcast * rng.random()
    noise = np.rint(rng.standard_normal((height, width), np.float32) * np.float32(strength)).astype(np.int16)
    noisy = np.asarray(blurred, np.int16) + noise[..., None]
    return np.asarray(np.clip(noisy, 0, 255, out=noisy), np.uint8)
