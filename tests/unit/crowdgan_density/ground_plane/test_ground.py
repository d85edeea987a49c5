"""Persons/m² from one image: known densities are recovered, and failed checks give an unknown density."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.testing import EXAMPLE_CAMERA, check_density_estimator
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.homography import read_homography
from crowdgan_density.ground_plane.measurement import (
    NO_FLAT_GROUND,
    NO_GROUP,
    NO_PERSPECTIVE,
    TILTED,
    GroundMeasurement,
)
from crowdgan_density.ground_plane.view import MeasuredView
from crowdgan_density.ground_plane.voronoi import VoronoiEstimator
from tests.support.crowds import SIDE_M, crowd_positions, crowd_scene


def test_the_contract_of_an_estimator_is_fulfilled() -> None:
    check_density_estimator(GroundPlaneEstimator)


@pytest.mark.parametrize("num_people", [20, 60, 150])
@pytest.mark.parametrize("pitch_deg", [10, 20, 30])
def test_a_known_density_is_recovered(num_people: int, pitch_deg: int) -> None:
    camera = replace(EXAMPLE_CAMERA, pitch_rad=math.radians(pitch_deg), height_m=6.0)
    estimate = GroundPlaneEstimator().estimate(crowd_scene(crowd_positions(num_people), camera=camera))
    assert estimate.value == pytest.approx(num_people / SIDE_M**2, rel=0.2)
    assert estimate.interval is not None
    assert estimate.interval[0] < num_people / SIDE_M**2 < estimate.interval[1]


def test_an_unknown_focal_length_widens_the_interval() -> None:
    known, unknown = (
        GroundPlaneEstimator().estimate(crowd_scene(crowd_positions(80), focal_length_known=is_known)).interval
        for is_known in (True, False)
    )
    assert known is not None
    assert unknown is not None
    assert unknown[1] / unknown[0] > known[1] / known[0]
    assert unknown[0] < 80 / SIDE_M**2 < unknown[1]


def test_the_focal_length_can_be_an_option() -> None:
    scene = crowd_scene(crowd_positions(80))
    focal_mm35 = EXAMPLE_CAMERA.focal_length_px / 640 * 36
    estimate = GroundPlaneEstimator(focal_mm35=focal_mm35).estimate(replace(scene, focal_length_px=None))
    assert estimate.value == pytest.approx(GroundPlaneEstimator().estimate(scene).value)


def test_an_outlier_fraction_of_a_fifth_is_tolerated() -> None:
    scene, rng = crowd_scene(crowd_positions(100)), np.random.default_rng(1)
    boxes = scene.full_boxes.copy()
    boxes[:20] = np.column_stack([rng.uniform(0, 600, 20), rng.uniform(0, 400, 20), np.full((20, 2), [20, 130])])
    assert GroundPlaneEstimator().estimate(replace(scene, full_boxes=boxes)).value == pytest.approx(1.0, rel=0.2)


def shorten_people(scene: Scene, factors: np.ndarray) -> Scene:
    """The scene with the heights of the first people multiplied by factors; foot positions do not change."""
    boxes = scene.full_boxes.copy()
    heights = boxes[: len(factors), 3] * factors
    boxes[: len(factors), 1] += boxes[: len(factors), 3] - heights
    boxes[: len(factors), 3] = heights
    return replace(scene, full_boxes=boxes)


@pytest.mark.parametrize(
    ("low", "high"), [(0.55, 0.85), (0.7, 0.8)], ids=["children of 0.9 to 1.4 m", "seated people of 1.2 to 1.35 m"]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_fifth_of_children_or_seated_people_is_tolerated(low: float, high: float, seed: int) -> None:
    factors = np.random.default_rng(seed).uniform(low, high, 20)
    scene = shorten_people(crowd_scene(crowd_positions(100, seed), seed=seed), factors)
    measurement = GroundPlaneEstimator().measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    assert isinstance(measurement.projection, Camera)
    assert measurement.projection.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.12)
    assert measurement.density_per_m2 == pytest.approx(1.0, rel=0.2)
    assert measurement.interval_per_m2[0] < 1.0 < measurement.interval_per_m2[1]


def test_the_density_is_unknown_if_half_of_the_people_are_seated() -> None:
    factors = np.random.default_rng(0).uniform(0.7, 0.8, 50)
    scene = shorten_people(crowd_scene(crowd_positions(100)), factors)
    assert GroundPlaneEstimator().estimate(scene).reason == NO_FLAT_GROUND


def test_ground_between_two_groups_is_not_occupied() -> None:
    near, far = crowd_positions(64, 1, (-12.0, 20.0)), crowd_positions(64, 2, (14.0, 30.0))
    camera = replace(EXAMPLE_CAMERA, focal_length_px=300.0, height_m=8.0)
    estimate = GroundPlaneEstimator().estimate(crowd_scene(np.vstack([near, far]), camera=camera))
    assert estimate.value == pytest.approx(64 / SIDE_M**2, rel=0.25)


def test_resizing_the_image_does_not_change_the_density() -> None:
    scene = crowd_scene(np.vstack([crowd_positions(36, 1, (-5.5, 20.0)), crowd_positions(144, 2, (5.5, 20.0))]))
    half = replace(ImageTransform(), name="none", size=(240, 320))
    assert GroundPlaneEstimator().estimate(half.scene(scene, half.geometry(scene.size))).value == pytest.approx(
        GroundPlaneEstimator().estimate(scene).value
    )


def test_one_camera_can_be_shared_by_all_scenes() -> None:
    scenes = [crowd_scene(crowd_positions(12, seed), seed=seed) for seed in range(8)]
    fitted = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    assert isinstance(fitted, GroundPlaneEstimator)
    assert fitted.cameras[0] == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert all(fitted.estimate(scene).value == pytest.approx(0.12, rel=0.5) for scene in scenes)
    with pytest.raises(ConfigError, match="shared_camera needs images of one size; there are 2 sizes"):
        GroundPlaneEstimator(shared_camera=True).fit([*scenes, replace(scenes[0], size=(500, 640))])
    with pytest.raises(ConfigError, match="the shared camera cannot be calibrated: fewer than 5 people with a full"):
        GroundPlaneEstimator(shared_camera=True).fit([crowd_scene(crowd_positions(3))])


def homography_matrix() -> np.ndarray:
    """The homography of the example camera, from pixels to metres."""
    corners = np.array([[100, 300], [500, 300], [600, 470], [50, 470]], float)
    ground = EXAMPLE_CAMERA.ground_from_pixels(corners)
    rows = [
        row
        for (u, v), (x, y) in zip(corners, ground, strict=True)
        for row in ([u, v, 1, 0, 0, 0, -x * u, -x * v, -x], [0, 0, 0, u, v, 1, -y * u, -y * v, -y])
    ]
    return np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)


def estimate_with_homography(folder: Path, matrix: np.ndarray, size: tuple[int, int] = (640, 480)) -> DensityEstimate:
    """The estimate of a crowd of 1 person/m² with a homography of images of `size` (width, height)."""
    path = folder / "h.json"
    path.write_text(json.dumps({"image_to_ground_m": matrix.tolist(), "image_size": size}))
    read_homography.cache_clear()
    return GroundPlaneEstimator(homography=path).estimate(crowd_scene(crowd_positions(100)))


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        np.linalg.inv(homography_matrix()),
        np.diag([100, 100, 1]) @ homography_matrix(),
        np.diag([0.3048, 0.3048, 1]) @ homography_matrix(),
        np.diag([1 / 0.3048, 1 / 0.3048, 1]) @ homography_matrix(),
        homography_matrix() @ np.array([[1, 0, 0], [0, -1, 480], [0, 0, 1]]),
    ],
    ids=["identity", "inverse", "centimetres", "inverse of feet", "feet", "mirrored image"],
)
def test_a_homography_that_does_not_fit_the_people_is_refused(tmp_path: Path, matrix: np.ndarray) -> None:
    estimate = estimate_with_homography(tmp_path, matrix)
    assert estimate.value is None
    assert "the homography does not fit the image" in (estimate.reason or "")


def test_people_partly_cut_off_do_not_reject_a_homography(tmp_path: Path) -> None:
    """A fifth of the boxes has half the height."""
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"image_to_ground_m": homography_matrix().tolist(), "image_size": [640, 480]}))
    scene = crowd_scene(crowd_positions(100))
    boxes = scene.full_boxes.copy()
    boxes[::5] += np.array([0, 0.5, 0, -0.5]) * boxes[::5, 3:]
    estimate = GroundPlaneEstimator(homography=path).estimate(replace(scene, full_boxes=boxes))
    assert estimate.value == pytest.approx(1.0, rel=0.1)


def test_a_homography_replaces_calibration(tmp_path: Path) -> None:
    estimate = estimate_with_homography(tmp_path, homography_matrix())
    assert estimate.value == pytest.approx(1.0, rel=0.1)
    for text in ("{", "[]", '{"image_to_ground_m": [[1]]}', '{"image_to_ground_m": [[0,0,0],[0,0,0],[0,0,0]]}'):
        bad = tmp_path / f"{abs(hash(text))}.json"
        bad.write_text(text)
        with pytest.raises(ConfigError, match=bad.name):
            GroundPlaneEstimator(homography=bad).estimate(crowd_scene(crowd_positions(100)))


def test_a_homography_of_images_of_another_shape_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="image_size is 1920 x 1080 px, and an image has 640 x 480 px; they must have"
    ):
        estimate_with_homography(tmp_path, homography_matrix(), (1920, 1080))
    assert estimate_with_homography(tmp_path, homography_matrix(), (639, 480)).value == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"H": 1, "image_size": [1, 1]}',
            "image_to_ground_m is missing; found 'H', 'image_size', allowed are image_to",
        ),
        ("{}", "image_to_ground_m is missing; found no keys, allowed are image_to_ground_m, 3 x 3 from"),
        ("[]", "the content must be an object; allowed are"),
    ],
)
def test_a_homography_file_without_matrix_names_the_keys(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "h.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_homography(path, (480, 640))


def test_swapped_corners_are_not_heads() -> None:
    scene = crowd_scene(crowd_positions(10))
    reason = GroundPlaneEstimator().estimate(replace(scene, full_boxes=scene.full_boxes * [1, 1, -1, 1])).reason
    assert reason == "no person has a valid full-body box (width and height above 0; swapped corners are not valid)"


def test_the_density_of_three_people_is_unknown() -> None:
    reason = GroundPlaneEstimator().estimate(crowd_scene(crowd_positions(3))).reason
    assert reason == "fewer than 5 people with a full-body box"


def test_the_density_on_two_levels_of_ground_is_unknown() -> None:
    lower = crowd_scene(crowd_positions(40))
    upper = crowd_scene(crowd_positions(40, 1, (0.0, 18.0)), ground_height_m=2.2)
    both = replace(
        lower,
        full_boxes=np.vstack([lower.full_boxes, upper.full_boxes]),
        visible_boxes=np.empty((0, 4)),
        head_boxes=np.empty((0, 4)),
        ignore=np.empty(0, bool),
        tagged_person=np.empty(0, bool),
    )
    assert GroundPlaneEstimator().estimate(both).reason == NO_FLAT_GROUND


def test_the_density_of_one_row_of_people_is_unknown() -> None:
    row = np.column_stack([np.linspace(-5, 5, 12), np.full(12, 16.0)])
    assert GroundPlaneEstimator().estimate(crowd_scene(row)).reason in (NO_GROUP, NO_PERSPECTIVE)


def test_the_density_of_equal_boxes_is_unknown() -> None:
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(0, 600, 40), rng.uniform(100, 380, 40), np.full((40, 2), [30, 90])])
    scene = Scene(source_name="x", size=(480, 640), full_boxes=boxes)
    assert GroundPlaneEstimator().estimate(scene).reason == NO_PERSPECTIVE


def roll_camera(scene: Scene, degrees: float) -> Scene:
    """The scene of the same people, with the camera rotated about its axis."""
    feet = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]
    tops = feet - np.column_stack([np.zeros(len(feet)), scene.full_boxes[:, 3]])
    roll = math.radians(degrees)
    rotation = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    feet, tops = ((points - [320, 240]) @ rotation.T + [320, 240] for points in (feet, tops))
    height = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.18 * height, tops[:, 1], 0.36 * height, height], axis=1)
    return replace(scene, full_boxes=boxes)


@pytest.mark.parametrize("degrees", [-14, -6, 6, 14])
def test_the_density_with_a_rolled_camera_is_unknown(degrees: float) -> None:
    assert GroundPlaneEstimator().estimate(roll_camera(crowd_scene(crowd_positions(120)), degrees)).reason == TILTED


@pytest.mark.parametrize("degrees", [-3, -1, 1, 3])
def test_the_interval_with_a_slightly_rolled_camera_contains_the_ground_truth(degrees: float) -> None:
    interval = GroundPlaneEstimator().estimate(roll_camera(crowd_scene(crowd_positions(120)), degrees)).interval
    assert interval is not None
    assert interval[0] < 1.2 < interval[1]


@pytest.mark.parametrize("centre", [(0.0, 8.5), (6.0, 16.0)], ids=["feet below the image", "feet beside it"])
def test_a_crowd_cut_by_the_image_has_the_density_of_the_full_crowd(centre: tuple[float, float]) -> None:
    scene = crowd_scene(crowd_positions(225, centre=centre))
    in_image = np.count_nonzero(MeasuredView.from_scene(scene).in_region)
    assert 90 < in_image < 200
    estimate = GroundPlaneEstimator().estimate(scene)
    assert estimate.value == pytest.approx(2.25, rel=0.15)
    assert estimate.interval is not None
    assert estimate.interval[0] < 2.25 < estimate.interval[1]


def test_ignore_regions_are_not_people() -> None:
    scene, rng = crowd_scene(crowd_positions(100)), np.random.default_rng(3)
    regions = np.column_stack([rng.uniform(0, 500, (40, 2)), rng.uniform(5, 200, (40, 2))])
    with_regions = Scene(
        source_name="crowd",
        size=scene.size,
        full_boxes=np.vstack([scene.full_boxes, regions]),
        ignore=np.array([False] * 100 + [True] * 40),
        focal_length_px=scene.focal_length_px,
    )
    assert GroundPlaneEstimator().estimate(with_regions) == GroundPlaneEstimator().estimate(scene)
    without_tags = replace(with_regions, ignore=np.zeros(140, bool))
    assert GroundPlaneEstimator().estimate(without_tags) != GroundPlaneEstimator().estimate(scene)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "los"}, "no such scale los"),
        ({"focal_mm35": 0.0}, "focal_mm35 is 0.0; it must be above 0"),
        ({"cameras": (1.0, 2.0)}, "cameras has 2 numbers; it must have three per camera"),
    ],
)
def test_invalid_options_are_an_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GroundPlaneEstimator(**options)  # type: ignore[arg-type]


def test_classes_are_those_of_the_scale() -> None:
    assert GroundPlaneEstimator().classes == tuple("ABCDEF")
    assert GroundPlaneEstimator(scale="crowd-safety").classes == ("free", "busy", "dense", "limit", "crush")
    estimate = GroundPlaneEstimator(scale="0.5,2").estimate(crowd_scene(crowd_positions(100)))
    assert estimate.class_index == 1


@pytest.mark.parametrize("offset_px", [0.0, 1e-9, 1e-3])
@pytest.mark.parametrize("estimator", [GroundPlaneEstimator, VoronoiEstimator])
def test_people_at_one_position_with_a_known_camera_have_an_unknown_density(
    estimator: type[GroundPlaneEstimator], offset_px: float
) -> None:
    one = crowd_scene(crowd_positions(1))
    offsets = np.random.default_rng(0).uniform(-offset_px, offset_px, (8, 4)) * [1, 1, 0, 0]
    scene = replace(one.select(np.zeros(8, int)), full_boxes=np.repeat(one.full_boxes, 8, axis=0) + offsets)
    estimate = estimator(cameras=(5.0, 20.0, 560.0)).estimate(scene)
    assert estimate == DensityEstimate.unknown("persons/m²", NO_GROUP)
