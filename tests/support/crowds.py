"""Scenes of crowds on flat ground with known positions, and scenes with invalid boxes."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import EXAMPLE_CAMERA

SIDE_M = 10.0
"""Width and depth in metres of the ground that the crowds occupy."""

HEIGHT_SD_M = 0.09
"""Standard deviation of people's heights in metres."""


def crowd_positions(num_people: int, seed: int = 0, centre: tuple[float, float] = (0.0, 16.0)) -> np.ndarray:
    """Positions in metres on a jittered lattice, `[num_people, 2]`."""
    rng = np.random.default_rng(seed)
    side = math.ceil(math.sqrt(num_people))
    lattice = (np.stack(np.meshgrid(range(side), range(side)), axis=-1).reshape(-1, 2) + 0.5) / side - 0.5
    selected = lattice[rng.permutation(len(lattice))[:num_people]]
    return (selected + rng.uniform(-0.3, 0.3, (num_people, 2)) / side) * SIDE_M + centre


def crowd_scene(
    positions_m: np.ndarray,
    *,
    camera: Camera = EXAMPLE_CAMERA,
    seed: int = 0,
    focal_length_known: bool = True,
    ground_height_m: float = 0.0,
) -> Scene:
    """The scene of people at these positions on ground of a given height."""
    rng = np.random.default_rng(seed)
    heights_m = rng.normal(MEAN_HEIGHT_M, HEIGHT_SD_M, len(positions_m))
    feet = camera.project(np.column_stack([positions_m, np.full(len(positions_m), ground_height_m)]))
    tops = camera.project(np.column_stack([positions_m, heights_m + ground_height_m]))
    height = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.18 * height, tops[:, 1], 0.36 * height, height], axis=1)
    return Scene(
        source_name="crowd",
        size=camera.size,
        full_boxes=boxes,
        focal_length_px=camera.focal_length_px if focal_length_known else None,
    )


def irregular_scene(rng: np.random.Generator, num_people: int) -> Scene:
    """A scene of valid boxes, and boxes that are outside the image, larger than it, empty or missing."""
    scale = 10.0 ** rng.integers(-3, 5, (num_people, 1))
    boxes = rng.uniform([-1, -1, 0, 0], [1, 1, 1, 1], (num_people, 4)) * scale
    boxes[rng.random(num_people) < 0.1] = np.nan
    boxes[rng.random(num_people) < 0.1, 2:] = 0
    size = (int(rng.integers(1, 2000)), int(rng.integers(1, 2000)))
    return Scene(source_name="irregular", size=size, full_boxes=boxes, ignore=rng.random(num_people) < 0.1)
