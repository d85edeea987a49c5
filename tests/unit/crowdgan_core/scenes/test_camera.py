"""The pinhole camera over a ground plane."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera, focal_length_px, polygon_area_m2

SIZE = (480, 640)


def camera(
    height_m: float = 3.0, pitch_deg: float = 12.0, focal: float = 600.0, size: tuple[int, int] = SIZE
) -> Camera:
    return Camera(height_m=height_m, pitch_rad=math.radians(pitch_deg), focal_length_px=focal, size=size)


CAMERAS = [
    camera(),
    camera(height_m=9.0, pitch_deg=28.0, focal=430.0),
    camera(height_m=2.0, pitch_deg=0.0, focal=890.0, size=(640, 480)),
    camera(height_m=1.5, pitch_deg=-8.0),
    camera(height_m=20.0, pitch_deg=70.0),
]


@pytest.mark.parametrize("view", CAMERAS)
def test_the_ground_point_of_a_pixel_projects_to_the_pixel(view: Camera) -> None:
    height, width = view.size
    rng = np.random.default_rng(0)
    pixels = np.column_stack([rng.uniform(0, width, 500), rng.uniform(0, height, 500)])
    pixels = pixels[pixels[:, 1] > view.horizon_row + 1e-3]
    ground = view.ground_from_pixels(pixels)
    projected = view.project(np.column_stack([ground, np.zeros(len(ground))]))
    np.testing.assert_allclose(projected, pixels, atol=1e-6)
    np.testing.assert_array_equal(view.pixels_from_ground(ground), projected)


@pytest.mark.parametrize("view", CAMERAS)
def test_ground_points_in_front_of_the_camera_are_recovered_from_their_pixels(view: Camera) -> None:
    rng = np.random.default_rng(1)
    ground = np.column_stack([rng.uniform(-20, 20, 200), rng.uniform(5, 60, 200)])
    pixels = view.project(np.column_stack([ground, np.zeros(200)]))
    np.testing.assert_allclose(view.ground_from_pixels(pixels), ground, rtol=1e-6)


def test_projection_equals_that_of_a_pinhole_camera_matrix() -> None:
    view = camera(height_m=4.2, pitch_deg=17.0, focal=777.0)
    cos, sin = math.cos(view.pitch_rad), math.sin(view.pitch_rad)
    to_camera = np.array([[1, 0, 0], [0, -sin, -cos], [0, cos, -sin]])  # right, down, forward
    intrinsics = np.array([[777.0, 0, 320], [0, 777.0, 240], [0, 0, 1]])
    points = np.random.default_rng(2).uniform([-5, 4, 0], [5, 40, 6], (100, 3))
    homogeneous_px = (points - [0, 0, 4.2]) @ to_camera.T @ intrinsics.T
    np.testing.assert_allclose(view.project(points), homogeneous_px[:, :2] / homogeneous_px[:, 2:], rtol=1e-12)


def test_feet_and_heads_satisfy_the_ratio_of_the_ground_plane_method() -> None:
    view = camera(height_m=5.0, pitch_deg=20.0)
    distances = np.linspace(8, 40, 9)
    rows = {z: view.project(np.column_stack([distances * 0.2, distances, np.full(9, z)]))[:, 1] for z in (0.0, 1.7)}
    ratio = np.tan(view.depression(rows[1.7])) / np.tan(view.depression(rows[0.0]))
    np.testing.assert_allclose(ratio, 1 - 1.7 / 5.0, rtol=1e-12)
    np.testing.assert_allclose(5.0 / np.tan(view.depression(rows[0.0])), distances, rtol=1e-12)


def test_lateral_position_satisfies_the_published_formula() -> None:
    view = camera()
    point = np.array([[2.5, 14.0, 0.0]])
    u = view.project(point)[0, 0]
    depth = 14.0 * math.cos(view.pitch_rad) + 3.0 * math.sin(view.pitch_rad)
    assert (u - 320) * depth / 600 == pytest.approx(2.5)


def test_depression_is_zero_at_the_horizon_row() -> None:
    view = camera()
    assert view.depression(view.horizon_row) == pytest.approx(0, abs=1e-12)
    assert view.row_of_distance(1e9) == pytest.approx(view.horizon_row, abs=1e-4)
    assert camera(pitch_deg=0).horizon_row == 240
    assert view.depression(240) == pytest.approx(view.pitch_rad)


def test_pixels_at_and_above_the_horizon_have_no_ground_point() -> None:
    view = camera(pitch_deg=0)
    ground = view.ground_from_pixels(np.array([[320.0, 240.0], [10.0, 3.0], [320.0, 300.0]]))
    assert np.isnan(ground).all(axis=1).tolist() == [True, True, False]


def test_points_behind_the_camera_have_no_pixel() -> None:
    pixels = camera().project(np.array([[0.0, -10.0, 0.0], [0.0, 10.0, 0.0]]))
    assert np.isnan(pixels).all(axis=1).tolist() == [True, False]


def test_no_points_give_no_pixels() -> None:
    assert camera().project(np.empty((0, 3))).shape == (0, 2)
    assert camera().ground_from_pixels(np.empty((0, 2))).shape == (0, 2)


def test_visible_ground_is_bounded_by_the_image_and_the_far_limit() -> None:
    view = camera()
    ground = view.visible_ground(25.0)
    assert ground[2:, 1] == pytest.approx([25.0, 25.0])
    pixels = view.project(np.column_stack([ground, np.zeros(4)]))
    assert pixels[:2] == pytest.approx(np.array([[0, 480], [640, 480]]))
    assert pixels[2:, 0] == pytest.approx([640, 0])


def test_visible_ground_ends_at_the_top_of_an_image_without_horizon() -> None:
    view = camera(pitch_deg=40)
    assert view.horizon_row < 0
    pixels = view.project(np.column_stack([view.visible_ground(1000.0), np.zeros(4)]))
    assert pixels == pytest.approx(np.array([[0, 480], [640, 480], [640, 0], [0, 0]]), abs=1e-6)


def test_area_of_visible_ground_is_the_sum_over_its_rows() -> None:
    view = camera(height_m=4, pitch_deg=35, size=(240, 320), focal=300)
    ground = view.visible_ground(12.0)
    top = float(view.row_of_distance(12.0))
    rows = np.linspace(max(top, 0), 240, 4001)
    y = view.ground_from_pixels(np.column_stack([np.full(len(rows), 160.0), rows]))[:, 1]
    width = view.ground_from_pixels(np.column_stack([np.full(len(rows), 320.0), rows]))[:, 0] * 2
    summed = np.sum((width[1:] + width[:-1]) / 2 * -np.diff(y))
    assert polygon_area_m2(ground) == pytest.approx(summed, rel=1e-6)


@pytest.mark.parametrize(
    ("view", "limit"),
    [(camera(), 1.0), (camera(pitch_deg=-60), 100.0), (camera(pitch_deg=-30, focal=900), 5.0)],
    ids=["too near", "sky only", "above the horizon"],
)
def test_visible_ground_is_empty_if_no_ground_is_in_range(view: Camera, limit: float) -> None:
    ground = view.visible_ground(limit)
    assert ground.shape == (0, 2)
    assert polygon_area_m2(ground) == 0


def test_polygon_area_does_not_depend_on_direction_or_start() -> None:
    triangle = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]])
    assert polygon_area_m2(triangle) == polygon_area_m2(triangle[::-1]) == polygon_area_m2(np.roll(triangle, 1, 0)) == 6
    assert polygon_area_m2(triangle[:2]) == 0


def test_focal_length_refers_to_the_longer_side() -> None:
    assert focal_length_px(36, (480, 640)) == 640
    assert focal_length_px(36, (640, 480)) == 640
    assert focal_length_px(24, (1080, 1920)) == 1280


def test_an_invalid_camera_or_focal_length_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^camera: height_m is 0; it must be above 0$"):
        camera(height_m=0)
    with pytest.raises(ConfigError, match=r"^camera: focal_length_px is nan; it must be above 0$"):
        camera(focal=float("nan"))
    with pytest.raises(ConfigError, match=r"^camera: pitch_rad is .*; it must lie between -π/2 and π/2$"):
        camera(pitch_deg=91)
    with pytest.raises(ConfigError, match=r"^camera: size is \(0, 640\); height and width must be at least 1 px$"):
        camera(size=(0, 640))
    with pytest.raises(ConfigError, match=r"^35 mm equivalent focal length is 0 mm; it must be above 0$"):
        focal_length_px(0, SIZE)
