"""The fraction of people occluded by people nearer to the camera."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.occlusion import occluded_fraction, occluded_ground_fraction
from tests.support.crowds import crowd_positions, crowd_scene


def test_occluded_people_count_only_if_they_are_not_annotated() -> None:
    camera = replace(EXAMPLE_CAMERA, height_m=2.2, pitch_rad=math.radians(4))
    positions = crowd_positions(400)
    boxes = crowd_scene(positions, camera=camera).full_boxes
    of_ground = occluded_ground_fraction(positions, boxes, camera)
    assert of_ground > 0.15
    assert occluded_fraction(positions, boxes, camera) < 0.75 * of_ground


def test_ground_behind_a_dense_row_of_people_is_occluded() -> None:
    camera = replace(EXAMPLE_CAMERA, height_m=1.2, pitch_rad=0.0)
    row = np.column_stack([np.linspace(-4, 4, 60), np.full(60, 5.0)])
    behind = crowd_positions(30, 3, (0.0, 20.0)) * [0.2, 1.0]
    boxes = crowd_scene(row, camera=camera).full_boxes
    assert occluded_ground_fraction(behind, boxes, camera) == 0.5, "the maximum"
    assert occluded_ground_fraction(behind, boxes[:0], camera) == 0.0
