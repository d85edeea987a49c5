from __future__ import annotations

import math

import pytest

from crowdgan_core.scenes.camera import Camera, polygon_area_m2
from crowdgan_core.synthetic.world.camera_sampling import _distance_for_area, near_limit_m, occupied_ground


@pytest.mark.parametrize("pitch_deg", [0, 12, 60])
@pytest.mark.parametrize("area_m2", [1e-3, 25.0, 400.0])
def test_the_ground_up_to_the_distance_has_the_area(pitch_deg: float, area_m2: float) -> None:
    camera = Camera(height_m=4.0, pitch_rad=math.radians(pitch_deg), focal_length_px=500, size=(480, 640))
    far_m = _distance_for_area(camera, area_m2, 1e4)
    assert polygon_area_m2(occupied_ground(camera, far_m)) == pytest.approx(area_m2, rel=1e-6)


def test_the_distance_is_limited() -> None:
    camera = Camera(height_m=4.0, pitch_rad=0.2, focal_length_px=500, size=(480, 640))
    limit_m = near_limit_m(camera) + 3
    assert _distance_for_area(camera, 1e6, limit_m) == limit_m
