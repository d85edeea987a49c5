"""Random worlds: a camera, and a crowd of known density on the ground in its view."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera, polygon_area_m2
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.world.camera_sampling import FAR_LIMIT_M, random_camera_view
from crowdgan_core.synthetic.world.polygons import ellipse_polygon, hard_core_points
from crowdgan_core.utils.arrays import Points

STANDING_HEIGHT_M = (MEAN_HEIGHT_M, 0.09)
"""Mean and standard deviation of standing height in metres; the deviation is ours."""

STANDING_HEIGHT_RANGE_M = (1.40, 2.00)
"""Range to which standing heights are clipped, in metres."""

MAX_MIN_DISTANCE_M = 0.5
"""Upper limit of the minimum distance between people in metres: the breadth of a body; ours."""

DISC_COVERAGE_FRACTION = 0.34
"""Fraction of the ground covered by discs whose diameter is the minimum distance.

Well below 0.547, the jamming limit of random sequential addition.

Source: Feder, "Random sequential adsorption", J. Theor. Biol. 1980.
"""

DISTANT_GROUP_PROBABILITY = 0.3
"""Probability of a group in the distance, annotated as one `mask` region."""

STATUE_PROBABILITY = 0.12
"""Probability of a statue behind the crowd, annotated as a `mask` region."""


@dataclass(frozen=True, kw_only=True)
class SyntheticPerson:
    """A person, or a statue, that stands or walks on the ground."""

    x_m: float
    """Ground position to the right of the camera in metres."""

    y_m: float
    """Ground position forward of the camera in metres."""

    height_m: float
    """Standing height in metres, hair included."""

    girth: float
    """Breadth of the body relative to the mean person of this height."""

    heading_rad: float
    """Direction of face and steps in radians: 0 away from the camera along y, π/2 to the right."""

    stride: float
    """Relative step length: 0 standing, 1 brisk walking."""

    phase_rad: float
    """Phase of the gait cycle of two steps in radians."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Light of the sun, or of an overcast sky."""

    azimuth_rad: float
    """Direction of shadows in radians: 0 away from the camera along y, π/2 to the right."""

    elevation_rad: float
    """Elevation of the sun above the horizon in radians."""

    strength: float
    """Depth of shadows: 0 overcast, 1 clear sky."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A camera and the people, statue and light in its view."""

    camera: Camera
    focal_35mm: int
    """35 mm equivalent of the camera's focal length in mm."""

    region_m: Points
    """Ground that the crowd occupies: convex polygon `[num_corners, 2]` in metres, counter-clockwise."""

    people: tuple[SyntheticPerson, ...]
    """The crowd; all positions lie in `region_m`."""

    min_distance_m: float
    """Minimum distance between any two people of the crowd in metres."""

    far_m: float
    """Maximum forward distance of the crowd's ground in metres; buildings stand beyond."""

    distant_group: tuple[SyntheticPerson, ...]
    """A group far behind the crowd, not part of it; may be empty."""

    statue: SyntheticPerson | None
    """A statue behind the crowd."""

    light: Light

    @property
    def area_m2(self) -> float:
        """Area of `region_m` in m²."""
        return polygon_area_m2(self.region_m)

    @property
    def density_per_m2(self) -> float:
        """Exact density of the crowd on the ground that it occupies, in persons/m²."""
        return len(self.people) / self.area_m2


def random_world(rng: np.random.Generator, config: SyntheticConfig, density: float) -> World:
    """A random world with a crowd of `density` persons/m², up to rounding to an integer number of people.

    Args:
        rng: random generator.
        config: image size, ranges of cameras, and maximum number of people; the occupied ground is reduced to fit.
        density: persons per m².
    """
    view = random_camera_view(rng, config, density)
    count = min(config.max_people, max(1, round(density * polygon_area_m2(view.region_m))))
    distance = min(MAX_MIN_DISTANCE_M, math.sqrt(4 * DISC_COVERAGE_FRACTION / (math.pi * density)))
    positions, distance = hard_core_points(rng, view.region_m, count, distance)
    world = World(
        camera=view.camera,
        focal_35mm=view.focal_35mm,
        region_m=view.region_m,
        people=_random_people(rng, positions, _typical_stride(density)),
        min_distance_m=distance,
        far_m=view.far_m,
        distant_group=(),
        statue=None,
        light=_random_light(rng),
    )
    return replace(world, distant_group=_random_distant_group(rng, world), statue=_random_statue(rng, world))


def _typical_stride(density: float) -> float:
    """Typical relative step length at a density: 1 up to 0.5 persons/m², 0.15 (shuffling) from 3 persons/m².

    Source: shape of the fundamental diagram of Weidmann, "Transporttechnik der Fussgänger", 1993, simplified.
    """
    return float(np.interp(density, [0.5, 1.5, 3.0], [1.0, 0.55, 0.15]))


def _random_people(rng: np.random.Generator, positions_m: Points, stride: float) -> tuple[SyntheticPerson, ...]:
    """People at these positions; most walk along one axis, the others in random directions or stand."""
    count = len(positions_m)
    axis = rng.uniform(0, 2 * math.pi)
    along = axis + math.pi * (rng.random(count) < rng.uniform(0, 0.5)) + rng.normal(0, 0.35, count)
    headings = np.where(rng.random(count) < 0.75, along, rng.uniform(0, 2 * math.pi, count))
    strides = np.where(rng.random(count) < 0.3, 0.08, stride * rng.uniform(0.6, 1.1, count))
    heights = rng.normal(*STANDING_HEIGHT_M, count).clip(*STANDING_HEIGHT_RANGE_M)
    girths = rng.normal(1.0, 0.1, count).clip(0.82, 1.35)
    phases = rng.uniform(0, 2 * math.pi, count)
    rows = np.stack([positions_m[:, 0], positions_m[:, 1], heights, girths, headings, strides, phases], axis=1)
    names = ("x_m", "y_m", "height_m", "girth", "heading_rad", "stride", "phase_rad")
    return tuple(SyntheticPerson(**dict(zip(names, row, strict=True))) for row in rows.tolist())


def _random_distant_group(rng: np.random.Generator, world: World) -> tuple[SyntheticPerson, ...]:
    """A group behind the crowd, too small in the image for individual annotations; often empty."""
    near_m = max(world.far_m + 8, 0.8 * FAR_LIMIT_M)
    row = world.camera.row_of_distance(near_m * 1.3)
    if rng.random() > DISTANT_GROUP_PROBABILITY or row < 0.05 * world.camera.size[0]:
        return ()
    centre_m = rng.uniform(near_m, near_m * 1.3)
    half_view_m = centre_m * world.camera.centre_px[0] / world.camera.focal_length_px
    centre = np.array([rng.uniform(-0.7, 0.7) * half_view_m, centre_m])
    group = ellipse_polygon(centre, np.array([rng.uniform(2, 7), rng.uniform(1, 3)]), 0.0, 12)
    positions, _ = hard_core_points(rng, group, int(rng.integers(5, 25)), 0.6)
    return _random_people(rng, positions, 0.5)


def _random_statue(rng: np.random.Generator, world: World) -> SyntheticPerson | None:
    """A statue on the free ground behind the crowd; most often None."""
    if rng.random() > STATUE_PROBABILITY:
        return None
    y_m = world.far_m + rng.uniform(1.5, 3)
    half_view_m = y_m * world.camera.centre_px[0] / world.camera.focal_length_px
    person = _random_people(rng, np.array([[rng.uniform(-0.8, 0.8) * half_view_m, y_m]]), 0.1)[0]
    return replace(person, height_m=rng.uniform(2.3, 3.0), heading_rad=math.pi + rng.normal(0, 0.6))


def _random_light(rng: np.random.Generator) -> Light:
    strength = 0.0 if rng.random() < 0.3 else rng.uniform(0.5, 1.0)
    return Light(
        azimuth_rad=rng.uniform(0, 2 * math.pi), elevation_rad=math.radians(rng.uniform(25, 65)), strength=strength
    )
