"""Camera posteriors from people's boxes."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from crowdgan_core.errors import DensityError
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.calibration import calibrate_camera, relative_heights
from tests.support.crowds import crowd_positions, crowd_scene


def test_a_known_camera_is_recovered() -> None:
    scene = crowd_scene(crowd_positions(100))
    best = calibrate_camera(scene.full_boxes, scene.size, scene.focal_length_px).best()
    assert best.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert math.degrees(best.pitch_rad) == pytest.approx(math.degrees(EXAMPLE_CAMERA.pitch_rad), abs=2)


def test_relative_heights_average_to_1() -> None:
    scene = crowd_scene(crowd_positions(50))
    assert relative_heights(scene.full_boxes, EXAMPLE_CAMERA).mean() == pytest.approx(1, abs=0.03)


def test_the_focal_length_is_optional() -> None:
    scene = crowd_scene(crowd_positions(50))
    posterior = calibrate_camera(scene.full_boxes, scene.size)
    assert len(np.unique(posterior.focal_lengths_px)) == 7
    assert posterior.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("boxes", [np.ones((1, 4)), np.full((3, 4), np.nan), np.array([[0, 0, 5, 9], [9, 9, 0, 9.0]])])
def test_boxes_that_cannot_be_used_are_an_error(boxes: np.ndarray) -> None:
    message = "the boxes cannot be used for calibration; give 2 or more finite boxes with a size above 0"
    with pytest.raises(DensityError, match=f"^{re.escape(message)}$"):
        calibrate_camera(boxes, (480, 640))


def test_the_repr_of_a_posterior_is_one_line() -> None:
    scene = crowd_scene(crowd_positions(50))
    shown = repr(calibrate_camera(scene.full_boxes, scene.size, scene.focal_length_px))
    assert re.fullmatch(r"CameraPosterior\(\d+ cameras, best \d\.\d m high, \d+\.\d° down, 560 px, 640x480\)", shown)
