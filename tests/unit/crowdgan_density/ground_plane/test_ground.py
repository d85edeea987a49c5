"""Persons/m² from one photograph: what comes back of a known camera, and what cannot be told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.testing import EXAMPLE_CAMERA, check_density_estimator
from crowdgan_density.ground_plane.calibration import calibrate_camera, relative_heights
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import find_groups, hull_density
from crowdgan_density.ground_plane.measurement import (
    NO_FLAT_GROUND,
    NO_GROUP,
    NO_PERSPECTIVE,
    TILTED,
    GroundMeasurement,
)
from crowdgan_density.ground_plane.occlusion import hidden_ground_share, occluded_fraction
from crowdgan_density.ground_plane.view import MeasuredView

SIDE_M = 10.0
"""Width and depth of the ground on which the test crowds stand."""


def places(count: int, seed: int = 0, centre: tuple[float, float] = (0.0, 16.0)) -> np.ndarray:
    """Positions in metres, scattered over a jittered lattice."""
    rng = np.random.default_rng(seed)
    side = math.ceil(math.sqrt(count))
    lattice = (np.stack(np.meshgrid(range(side), range(side)), axis=-1).reshape(-1, 2) + 0.5) / side - 0.5
    chosen = lattice[rng.permutation(len(lattice))[:count]]
    return (chosen + rng.uniform(-0.3, 0.3, (count, 2)) / side) * SIDE_M + centre


def scene_of(
    positions_m: np.ndarray,
    *,
    camera: Camera = EXAMPLE_CAMERA,
    seed: int = 0,
    focal: bool = True,
    height_m: float = 0.0,
) -> Scene:
    """What the camera sees of people at these positions, who stand `height_m` over the ground."""
    rng = np.random.default_rng(seed)
    tall = rng.normal(MEAN_HEIGHT_M, 0.09, len(positions_m))
    feet = camera.project(np.column_stack([positions_m, np.full(len(positions_m), height_m)]))
    tops = camera.project(np.column_stack([positions_m, tall + height_m]))
    height = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.18 * height, tops[:, 1], 0.36 * height, height], axis=1)
    return Scene(
        source_name="crowd",
        size=camera.size,
        full_boxes=boxes,
        focal_length_px=camera.focal_length_px if focal else None,
    )


def test_the_contract_of_an_estimator_is_kept() -> None:
    check_density_estimator(GroundPlaneEstimator)


@pytest.mark.parametrize("count", [20, 60, 150])
@pytest.mark.parametrize("pitch_deg", [10, 20, 30])
def test_a_known_density_comes_back(count: int, pitch_deg: int) -> None:
    camera = replace(EXAMPLE_CAMERA, pitch_rad=math.radians(pitch_deg), height_m=6.0)
    density = GroundPlaneEstimator().estimate(scene_of(places(count), camera=camera))
    assert density.value == pytest.approx(count / SIDE_M**2, rel=0.2)
    assert density.interval is not None
    assert density.interval[0] < count / SIDE_M**2 < density.interval[1]


def test_the_camera_comes_back() -> None:
    scene = scene_of(places(100))
    best = calibrate_camera(scene.full_boxes, scene.size, scene.focal_length_px).best()
    assert best.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert math.degrees(best.pitch_rad) == pytest.approx(math.degrees(EXAMPLE_CAMERA.pitch_rad), abs=2)


def test_heights_are_those_of_the_people() -> None:
    scene = scene_of(places(50))
    assert relative_heights(scene.full_boxes, EXAMPLE_CAMERA).mean() == pytest.approx(1, abs=0.03)


def test_without_a_focal_length_the_interval_is_wider_and_holds_the_truth() -> None:
    known, unknown = (
        GroundPlaneEstimator().estimate(scene_of(places(80), focal=focal)).interval for focal in (True, False)
    )
    assert known is not None
    assert unknown is not None
    assert unknown[1] / unknown[0] > known[1] / known[0]
    assert unknown[0] < 80 / SIDE_M**2 < unknown[1]


def test_a_focal_length_may_be_set() -> None:
    scene = scene_of(places(80))
    focal_mm35 = EXAMPLE_CAMERA.focal_length_px / 640 * 36
    told = GroundPlaneEstimator(focal_mm35=focal_mm35).estimate(replace(scene, focal_length_px=None))
    assert told.value == pytest.approx(GroundPlaneEstimator().estimate(scene).value)


def test_a_fifth_of_wrong_boxes_does_little_harm() -> None:
    scene, rng = scene_of(places(100)), np.random.default_rng(1)
    boxes = scene.full_boxes.copy()
    boxes[:20] = np.column_stack([rng.uniform(0, 600, 20), rng.uniform(0, 400, 20), np.full((20, 2), [20, 130])])
    assert GroundPlaneEstimator().estimate(replace(scene, full_boxes=boxes)).value == pytest.approx(1.0, rel=0.2)


def shorter(scene: Scene, shares: np.ndarray) -> Scene:
    """The scene with some people only as tall as a share of what they were; their feet stay."""
    boxes = scene.full_boxes.copy()
    heights = boxes[: len(shares), 3] * shares
    boxes[: len(shares), 1] += boxes[: len(shares), 3] - heights
    boxes[: len(shares), 3] = heights
    return replace(scene, full_boxes=boxes)


@pytest.mark.parametrize(
    ("low", "high"), [(0.55, 0.85), (0.7, 0.8)], ids=["children of 0.9 to 1.4 m", "sitting people of 1.2 to 1.35 m"]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_fifth_of_children_or_sitting_people_does_little_harm(low: float, high: float, seed: int) -> None:
    shares = np.random.default_rng(seed).uniform(low, high, 20)
    scene = shorter(scene_of(places(100, seed), seed=seed), shares)
    found = GroundPlaneEstimator().measured(scene)
    assert isinstance(found, GroundMeasurement)
    assert isinstance(found.view, Camera)
    assert found.view.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.12)
    assert found.density_per_m2 == pytest.approx(1.0, rel=0.2)
    assert found.interval_per_m2[0] < 1.0 < found.interval_per_m2[1]


def test_where_half_of_the_people_sit_it_cannot_be_told() -> None:
    shares = np.random.default_rng(0).uniform(0.7, 0.8, 50)
    assert GroundPlaneEstimator().estimate(shorter(scene_of(places(100)), shares)).reason == NO_FLAT_GROUND


def test_two_groups_do_not_count_the_ground_between_them() -> None:
    near, far = places(64, 1, (-12.0, 20.0)), places(64, 2, (14.0, 30.0))
    camera = replace(EXAMPLE_CAMERA, focal_length_px=300.0, height_m=8.0)
    density = GroundPlaneEstimator().estimate(scene_of(np.vstack([near, far]), camera=camera))
    assert density.value == pytest.approx(64 / SIDE_M**2, rel=0.25)


def test_the_crop_is_measured_with_the_camera_of_the_whole_image() -> None:
    scene = scene_of(np.vstack([places(36, 1, (-5.5, 20.0)), places(144, 2, (5.5, 20.0))]))
    transform = ImageTransform(name="center-crop", size=(240, 240))
    crop = transform.scene(scene, transform.geometry(scene.size))
    frame = MeasuredView.of(crop)
    assert frame.size == scene.size
    assert 0 < np.count_nonzero(frame.shown) < len(scene)
    half = replace(ImageTransform(), name="none", size=(240, 320))
    assert GroundPlaneEstimator().estimate(half.scene(scene, half.geometry(scene.size))).value == pytest.approx(
        GroundPlaneEstimator().estimate(scene).value
    )


def test_one_camera_may_be_shared_by_all_scenes() -> None:
    scenes = [scene_of(places(12, seed), seed=seed) for seed in range(8)]
    fitted = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    assert isinstance(fitted, GroundPlaneEstimator)
    assert fitted.cameras[0] == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert all(fitted.estimate(scene).value == pytest.approx(0.12, rel=0.5) for scene in scenes)
    with pytest.raises(ConfigError, match="shared_camera needs images of one size; there are 2"):
        GroundPlaneEstimator(shared_camera=True).fit([*scenes, replace(scenes[0], size=(500, 640))])


def test_a_known_homography_is_used_instead_of_people(tmp_path: Path) -> None:
    corners = np.array([[100, 300], [500, 300], [600, 470], [50, 470]], float)
    ground = EXAMPLE_CAMERA.ground_from_pixels(corners)
    rows = [
        row
        for (u, v), (x, y) in zip(corners, ground, strict=True)
        for row in ([u, v, 1, 0, 0, 0, -x * u, -x * v, -x], [0, 0, 0, u, v, 1, -y * u, -y * v, -y])
    ]
    matrix = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"image_to_ground_m": matrix.tolist(), "image_size": [640, 480]}))
    density = GroundPlaneEstimator(homography=path).estimate(scene_of(places(100)))
    assert density.value == pytest.approx(1.0, rel=0.1)
    for text in ("{", "[]", '{"image_to_ground_m": [[1]]}', '{"image_to_ground_m": [[0,0,0],[0,0,0],[0,0,0]]}'):
        bad = tmp_path / f"{abs(hash(text))}.json"
        bad.write_text(text)
        with pytest.raises(ConfigError, match=bad.name):
            GroundPlaneEstimator(homography=bad).estimate(scene_of(places(100)))


def test_three_people_cannot_tell() -> None:
    assert GroundPlaneEstimator().estimate(scene_of(places(3))).reason == "fewer than 5 people with a full-body box"


def test_two_levels_of_ground_cannot_tell() -> None:
    lower, upper = scene_of(places(40)), scene_of(places(40, 1, (0.0, 18.0)), height_m=2.2)
    both = replace(
        lower,
        full_boxes=np.vstack([lower.full_boxes, upper.full_boxes]),
        visible_boxes=np.empty((0, 4)),
        head_boxes=np.empty((0, 4)),
        ignore=np.empty(0, bool),
        tagged_person=np.empty(0, bool),
    )
    assert GroundPlaneEstimator().estimate(both).reason == NO_FLAT_GROUND


def test_one_row_of_people_cannot_tell() -> None:
    row = np.column_stack([np.linspace(-5, 5, 12), np.full(12, 16.0)])
    assert GroundPlaneEstimator().estimate(scene_of(row)).reason in (NO_GROUP, NO_PERSPECTIVE)


def test_boxes_that_are_all_equal_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(0, 600, 40), rng.uniform(100, 380, 40), np.full((40, 2), [30, 90])])
    assert (
        GroundPlaneEstimator().estimate(Scene(source_name="x", size=(480, 640), full_boxes=boxes)).reason
        == NO_PERSPECTIVE
    )


def rolled(scene: Scene, degrees: float) -> Scene:
    """What a camera that is turned around its axis sees of the same people."""
    feet = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]
    tops = feet - np.column_stack([np.zeros(len(feet)), scene.full_boxes[:, 3]])
    roll = math.radians(degrees)
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    feet, tops = ((points - [320, 240]) @ turn.T + [320, 240] for points in (feet, tops))
    height = feet[:, 1] - tops[:, 1]
    boxes = np.stack([feet[:, 0] - 0.18 * height, tops[:, 1], 0.36 * height, height], axis=1)
    return replace(scene, full_boxes=boxes)


@pytest.mark.parametrize("degrees", [-14, -6, 6, 14])
def test_a_rolled_camera_cannot_tell(degrees: float) -> None:
    assert GroundPlaneEstimator().estimate(rolled(scene_of(places(120)), degrees)).reason == TILTED


@pytest.mark.parametrize("degrees", [-3, -1, 1, 3])
def test_a_camera_that_is_hardly_rolled_has_an_honest_interval(degrees: float) -> None:
    interval = GroundPlaneEstimator().estimate(rolled(scene_of(places(120)), degrees)).interval
    assert interval is not None
    assert interval[0] < 1.2 < interval[1]


def test_people_whose_feet_are_below_the_image_do_not_count() -> None:
    scene = scene_of(places(100))
    frame = MeasuredView.of(scene)
    cut = replace(scene, size=(300, 640))
    assert np.count_nonzero(MeasuredView.of(cut).shown) == np.count_nonzero(frame.feet_px[:, 1] <= 300)


@pytest.mark.parametrize("centre", [(0.0, 8.5), (6.0, 16.0)], ids=["feet below the image", "feet beside it"])
def test_a_crowd_that_the_image_cuts_is_as_dense_as_the_whole(centre: tuple[float, float]) -> None:
    scene = scene_of(places(225, centre=centre))
    shown = np.count_nonzero(MeasuredView.of(scene).shown)
    assert 90 < shown < 200
    density = GroundPlaneEstimator().estimate(scene)
    assert density.value == pytest.approx(2.25, rel=0.15)
    assert density.interval is not None
    assert density.interval[0] < 2.25 < density.interval[1]


def test_ignore_regions_are_no_people() -> None:
    scene, rng = scene_of(places(100)), np.random.default_rng(3)
    regions = np.column_stack([rng.uniform(0, 500, (40, 2)), rng.uniform(5, 200, (40, 2))])
    everything = Scene(
        source_name="crowd",
        size=scene.size,
        full_boxes=np.vstack([scene.full_boxes, regions]),
        ignore=np.array([False] * 100 + [True] * 40),
        focal_length_px=scene.focal_length_px,
    )
    assert GroundPlaneEstimator().estimate(everything) == GroundPlaneEstimator().estimate(scene)
    counted = replace(everything, ignore=np.zeros(140, bool))
    assert GroundPlaneEstimator().estimate(counted) != GroundPlaneEstimator().estimate(scene)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "los"}, "scale is los"),
        ({"focal_mm35": 0.0}, "focal_mm35 is 0.0; it must be above 0"),
        ({"cameras": (1.0, 2.0)}, "cameras has 2 numbers; it must have three per camera"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GroundPlaneEstimator(**options)  # type: ignore[arg-type]


def test_classes_are_those_of_the_scale() -> None:
    assert GroundPlaneEstimator().classes == tuple("ABCDEF")
    assert GroundPlaneEstimator(scale="crowd-safety").classes == ("free", "busy", "dense", "limit", "crush")
    density = GroundPlaneEstimator(scale="0.5,2").estimate(scene_of(places(100)))
    assert density.class_index == 1


def test_occupied_ground_of_a_lattice_and_of_random_people() -> None:
    lattice = np.stack(np.meshgrid(range(20), range(20)), axis=-1).reshape(-1, 2) * 0.5
    found = hull_density(lattice, find_groups(lattice))
    assert found is not None
    assert found[0] == pytest.approx(4.0, rel=0.15)
    random = np.random.default_rng(0).uniform(0, 20, (800, 2))
    found = hull_density(random, find_groups(random))
    assert found is not None
    assert found[0] == pytest.approx(2.0, rel=0.05)
    line = np.column_stack([np.arange(9.0), np.zeros(9)])
    assert hull_density(line, find_groups(line)) is None
    assert find_groups(np.zeros((3, 2))) == []


def test_hidden_people_are_missing_only_where_annotators_left_them_out() -> None:
    camera = replace(EXAMPLE_CAMERA, height_m=2.2, pitch_rad=math.radians(4))
    positions = places(400)
    everybody = scene_of(positions, camera=camera)
    annotated = occluded_fraction(positions, everybody.full_boxes, camera)
    hidden = hidden_ground_share(positions, everybody.full_boxes, camera)
    assert hidden > 0.15
    assert annotated < 0.75 * hidden


def test_ground_behind_a_wall_of_people_is_hidden() -> None:
    camera = replace(EXAMPLE_CAMERA, height_m=1.2, pitch_rad=0.0)
    wall = np.column_stack([np.linspace(-4, 4, 60), np.full(60, 5.0)])
    behind = places(30, 3, (0.0, 20.0)) * [0.2, 1.0]
    boxes = scene_of(wall, camera=camera).full_boxes
    assert hidden_ground_share(behind, boxes, camera) == 0.5, "the most that is taken to be hidden"
    assert hidden_ground_share(behind, boxes[:0], camera) == 0.0
