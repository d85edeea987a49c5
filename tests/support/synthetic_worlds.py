"""Small synthetic worlds with given people, for tests of rendering and annotations."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.annotations import annotate
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.render.renderer import RenderedScene, render_scene
from crowdgan_core.synthetic.world.world import Light, SyntheticPerson, World, random_world

SIZE = (240, 320)
"""(height, width) of the images in pixels."""

DENSITIES_PER_M2 = (0.1, 0.8, 3.0)


def synthetic_person(x_m: float, y_m: float, **changes: float) -> SyntheticPerson:
    """A mean person who stands at this ground position and faces the camera."""
    values = {"height_m": 1.7, "girth": 1.0, "heading_rad": math.pi, "stride": 0.0, "phase_rad": 0.0, **changes}
    return SyntheticPerson(x_m=x_m, y_m=y_m, **values)


def example_world(*people: SyntheticPerson, distant_group: tuple[SyntheticPerson, ...] = ()) -> World:
    """A world with these people, seen from a height of 2.5 m at a pitch of 10 degrees."""
    return World(
        camera=Camera(height_m=2.5, pitch_rad=math.radians(10), focal_length_px=300, size=SIZE),
        focal_35mm=34,
        region_m=np.array([[-5.0, 3.0], [5.0, 3.0], [5.0, 13.0], [-5.0, 13.0]]),
        people=people,
        min_distance_m=0.3,
        far_m=13.0,
        distant_group=distant_group,
        statue=None,
        light=Light(azimuth_rad=1.0, elevation_rad=0.7, strength=0.8),
    )


def small_random_world(index: int, size: tuple[int, int] = SIZE) -> World:
    """A random world; the density changes with the index."""
    density = DENSITIES_PER_M2[index % len(DENSITIES_PER_M2)]
    return random_world(np.random.default_rng([8, index]), SyntheticConfig(images=1, size=size, max_people=60), density)


def render(world: World) -> RenderedScene:
    """The world, rendered with a fixed seed."""
    return render_scene(np.random.default_rng(0), world)


def render_annotated(world: World) -> tuple[RenderedScene, dict, dict]:
    """The rendered world, its CrowdHuman record and its ground truth."""
    rendered = render(world)
    return rendered, *annotate(rendered, world, "1,a")


def min_distance(points: np.ndarray) -> float:
    """Minimum distance between any two of the points `[num_points, 2]`."""
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return float(distances.min())
