"""Rendering of a world to an image, with the index of the visible person at each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.synthetic.people.appearance import (
    Appearance,
    join_appearances,
    random_appearance,
    statue_appearance,
)
from crowdgan_core.synthetic.people.projection import project_people
from crowdgan_core.synthetic.render.camera_effects import apply_camera_effects
from crowdgan_core.synthetic.render.cloth import body_brightness
from crowdgan_core.synthetic.render.compositing import PersonIndexImage, draw_people
from crowdgan_core.synthetic.render.float_image import to_image
from crowdgan_core.synthetic.render.pavement import draw_shadows, render_ground
from crowdgan_core.synthetic.render.scenery import draw_scenery
from crowdgan_core.synthetic.render.sky import render_sky, sky_colours
from crowdgan_core.synthetic.world.world import SyntheticPerson, World
from crowdgan_core.utils.arrays import FloatArray, ImageArray

SCENERY_INDEX, DISTANT_GROUP_INDEX, STATUE_INDEX = -1, -2, -3
"""Entries of `RenderedScene.person_index` at pixels that show no person of the crowd."""

CROWD_SHADE_FRACTION = 0.5
"""Fraction of light lost at the feet in a crowd of 4 persons/m², due to the people around; ours."""


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
    background = render_sky(rng, world.camera, zenith, haze)
    render_ground(rng, background, world.camera, haze)
    everyone, entries, appearance = _random_bodies(rng, world)
    draw_shadows(background, world.camera, everyone, world.light)
    draw_scenery(rng, background, world, haze)
    image = to_image(background)
    bodies = project_people(everyone, appearance, world.camera, _light_in_view(world), haze)
    person_index = np.full(world.camera.size, SCENERY_INDEX, np.int16)
    covered_px = draw_people(image, person_index, bodies, entries)
    feet_shade = CROWD_SHADE_FRACTION * min(1.0, world.density_per_m2 / 4)
    brightness = body_brightness(person_index, bodies, feet_shade)
    count = len(world.people)
    return RenderedScene(
        pixels=apply_camera_effects(rng, image, brightness, world.light),
        person_index=person_index,
        full_boxes=bodies.full_boxes[:count],
        head_boxes=bodies.head_boxes[:count],
        covered_px=covered_px[:count],
    )


def _random_bodies(rng: np.random.Generator, world: World) -> tuple[tuple[SyntheticPerson, ...], list[int], Appearance]:
    """The crowd, then the distant group and the statue, which stand behind it; their entries in `person_index`."""
    statues = (world.statue,) if world.statue else ()
    people = (*world.people, *world.distant_group)
    entries = [*range(len(world.people)), *[DISTANT_GROUP_INDEX] * len(world.distant_group)]
    appearance = random_appearance(rng, len(people))
    if statues:
        appearance = join_appearances(appearance, statue_appearance(len(statues)))
    return (*people, *statues), [*entries, *[STATUE_INDEX] * len(statues)], appearance


def _light_in_view(world: World) -> tuple[float, float]:
    """Direction to the light in the image, (right, up): from the sun's side, and more from above if overcast."""
    sideways = -math.sin(world.light.azimuth_rad) * math.cos(world.light.elevation_rad)
    return world.light.strength * 0.9 * sideways, 0.45 + 0.3 * (1 - world.light.strength)
