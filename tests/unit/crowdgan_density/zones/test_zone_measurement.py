"""Zones on the ground: area, people and density, compared with ground truth, PedPy and their definition."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera, polygon_area_m2
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.sources.crowdhuman import parse_line
from crowdgan_core.synthetic import SyntheticConfig
from crowdgan_core.synthetic.writer import RenderedImage, render_image
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_core.utils.arrays import Points
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import find_groups
from crowdgan_density.ground_plane.head_points import HEADS_ABOVE_HORIZON
from crowdgan_density.ground_plane.measurement import NO_GROUP, GroundMeasurement
from crowdgan_density.ground_plane.view import MeasuredView, visible_ground
from crowdgan_density.ground_plane.voronoi_cells import CUTOFF_M, voronoi_cells
from crowdgan_density.zones.simple_polygons import is_inside
from crowdgan_density.zones.zone_files import Zone, ZoneUnit
from crowdgan_density.zones.zone_measurement import ZoneMeasurement, measure_zone
from crowdgan_density.zones.zone_placement import PlacedZone, clip_to_region, pixel_matrix, place_zone
from crowdgan_density.zones.zone_report import measured_ground, report_zones, zone_rows
from crowdgan_density.zones.zone_selection import Grid, parse_zones
from tests.support.crowds import crowd_positions, crowd_scene

SQUARE_M = np.array([[-3, 13], [2, 13], [2, 19], [-3, 19]], float)
ARROW_M = np.array([[-4, 12], [0, 15], [4, 12], [0, 20]], float)
"""A zone that is not convex."""


def homography_of(camera: Camera, path: Path) -> Path:
    """Writes the homography of a camera, in its ground coordinates."""
    height, width = camera.size
    matrix = np.linalg.inv(pixel_matrix(camera, (0.0, 0.0, width, height)))
    path.write_text(json.dumps({"image_to_ground_m": (-3 * matrix).tolist(), "image_size": [width, height]}))
    return path


@pytest.fixture
def estimator(tmp_path: Path) -> GroundPlaneEstimator:
    """An estimator with the homography of the example camera."""
    return GroundPlaneEstimator(homography=homography_of(EXAMPLE_CAMERA, tmp_path / "homography.json"))


def zone_of(corners_m: Points, unit: ZoneUnit) -> Zone:
    """The zone of corners on the ground of the example camera, in pixels or metres."""
    corners = corners_m if unit == "metres" else EXAMPLE_CAMERA.pixels_from_ground(corners_m)
    return Zone(name="zone", corners=corners, unit=unit)


def measure(zone: Zone, estimator: GroundPlaneEstimator, scene: Scene) -> ZoneMeasurement:
    ground = measured_ground(estimator, scene)
    assert not isinstance(ground, str)
    measured = measure_zone(zone, ground)
    assert isinstance(measured, ZoneMeasurement)
    return measured


@pytest.mark.parametrize("unit", ["pixels", "metres"])
@pytest.mark.parametrize("corners_m", [SQUARE_M, SQUARE_M[::-1]], ids=["counterclockwise", "clockwise"])
def test_densities_equal_those_of_pedpy(corners_m: Points, unit: ZoneUnit, estimator: GroundPlaneEstimator) -> None:
    pedpy = pytest.importorskip("pedpy", reason="PedPy needs Python 3.11 and numpy 2")
    import pandas as pd

    positions = crowd_positions(100)
    measured = measure(zone_of(corners_m, unit), estimator, crowd_scene(positions))
    table = pd.DataFrame({"id": range(100), "frame": 0, "x": positions[:, 0], "y": positions[:, 1]})
    trajectories = pedpy.TrajectoryData(table, frame_rate=1.0)
    area = pedpy.MeasurementArea(corners_m)
    classic = pedpy.compute_classic_density(traj_data=trajectories, measurement_area=area)
    assert measured.density_per_m2 == pytest.approx(classic["density"].iloc[0], rel=1e-6)
    assert measured.area_m2 == pytest.approx(area.area, rel=1e-6)
    assert measured.visible_fraction == pytest.approx(1)
    view = MeasuredView.from_scene(crowd_scene(positions))
    cells = pedpy.compute_individual_voronoi_polygons(
        traj_data=trajectories,
        walkable_area=pedpy.WalkableArea(visible_ground(view, EXAMPLE_CAMERA, positions)),
        cut_off=pedpy.Cutoff(radius=CUTOFF_M),
    )
    voronoi, _ = pedpy.compute_voronoi_density(individual_voronoi_data=cells, measurement_area=area)
    assert measured.voronoi_density_per_m2 == pytest.approx(voronoi["density"].iloc[0], rel=1e-6)


def test_a_zone_that_is_not_convex_contains_the_people_in_it(estimator: GroundPlaneEstimator) -> None:
    positions = crowd_positions(100)
    measured = measure(zone_of(ARROW_M, "pixels"), estimator, crowd_scene(positions))
    arrow = shapely.Polygon(ARROW_M)
    assert measured.person_count == shapely.contains_xy(arrow, positions).sum() > 5
    assert measured.area_m2 == pytest.approx(arrow.area)
    ground = visible_ground(MeasuredView.from_scene(crowd_scene(positions)), EXAMPLE_CAMERA, positions)
    cells = [shapely.Polygon(cell) for cell in voronoi_cells(positions, ground, CUTOFF_M)]
    expected = sum(cell.intersection(arrow).area / cell.area for cell in cells) / arrow.area
    assert measured.voronoi_density_per_m2 == pytest.approx(expected, rel=1e-6)


def test_a_zone_in_part_outside_the_image_is_measured_where_it_is_visible(estimator: GroundPlaneEstimator) -> None:
    scene = crowd_scene(crowd_positions(100))
    visible = shapely.Polygon(EXAMPLE_CAMERA.visible_ground(500.0))
    wide = np.array([[-30, 10], [30, 10], [30, 40], [-30, 40]], float)
    measured = measure(Zone(name="wide", corners=wide, unit="metres"), estimator, scene)
    expected = visible.intersection(shapely.Polygon(wide)).area
    assert measured.area_m2 == pytest.approx(expected, rel=1e-6)
    assert measured.visible_fraction == pytest.approx(expected / 1800, rel=1e-6)
    behind = np.array([[-30, -50], [30, -50], [30, 40], [-30, 40]], float)  # also behind the camera
    placed = place_zone(Zone(name="all", corners=behind, unit="metres"), MeasuredView.from_scene(scene), EXAMPLE_CAMERA)
    assert isinstance(placed, PlacedZone)
    assert placed.area_m2 == pytest.approx(visible.intersection(shapely.Polygon(behind)).area, rel=1e-6)


def test_a_zone_without_people_has_density_0_also_in_an_empty_image(estimator: GroundPlaneEstimator) -> None:
    empty = Scene(source_name="empty", size=EXAMPLE_CAMERA.size)
    for scene in (empty, crowd_scene(crowd_positions(30, centre=(0, 40)))):
        measured = measure(zone_of(SQUARE_M, "pixels"), estimator, scene)
        assert (measured.person_count, measured.density_per_m2, measured.interval_per_m2[0]) == (0, 0.0, 0.0)
        assert 0 < measured.interval_per_m2[1] < 0.5 / 30, "half a person on 30 m²"
        assert measured.peak_per_m2 is None
    (report,) = report_zones(GroundPlaneEstimator(), [empty], (zone_of(SQUARE_M, "pixels"),))
    assert (report.density_per_m2, report.reason) == (None, "fewer than 5 people with a full-body box")


def test_the_interval_contains_the_uncertainty_of_people_near_the_outline(estimator: GroundPlaneEstimator) -> None:
    inside = np.array([[-2, 14], [1, 14], [1, 18], [-2, 18], [0, 16.0]])
    certain = measure(zone_of(SQUARE_M, "metres"), estimator, crowd_scene(inside))
    low, high = certain.interval_per_m2
    assert 4 / 30 < low < 5 / 30 < high < 6 / 30, "one of the people may be occluded"
    at_edge = np.vstack([inside, [[-0.5, 13.0]]])  # on the outline
    wider_low, wider_high = measure(zone_of(SQUARE_M, "metres"), estimator, crowd_scene(at_edge)).interval_per_m2
    variance = (wider_high - wider_low) ** 2 - (high - low) ** 2
    assert math.sqrt(variance) == pytest.approx(2 * 1.96 * 0.5 / 30, rel=0.15)


def test_cameras_widen_the_interval() -> None:
    scene = crowd_scene(crowd_positions(100), focal_length_known=False)
    zone = zone_of(SQUARE_M, "pixels")
    known = measure(zone, GroundPlaneEstimator(), replace(scene, focal_length_px=EXAMPLE_CAMERA.focal_length_px))
    unknown = measure(zone, GroundPlaneEstimator(), scene)
    assert np.ptp(unknown.interval_per_m2) > 1.5 * np.ptp(known.interval_per_m2)
    low, high = unknown.interval_per_m2
    assert low < 0.8 * unknown.density_per_m2 < unknown.density_per_m2 < high


@pytest.mark.parametrize(
    ("corners", "unit", "reason"),
    [
        ([[10, -500], [90, -500], [90, 300]], "pixels", "a corner of the zone is above the horizon"),
        ([[-90, 300], [-10, 300], [-10, 400]], "pixels", "no part of the zone is visible in the image"),
        ([[-3, -9], [3, -9], [3, -5]], "metres", "no part of the zone is visible in the image"),
    ],
)
def test_a_zone_that_is_visible_in_no_image_is_an_error(
    corners: list[list[float]], unit: ZoneUnit, reason: str, estimator: GroundPlaneEstimator
) -> None:
    zone = Zone(name="gate", corners=np.array(corners, float), unit=unit, where="zones.geojson: feature 3 (gate)")
    with pytest.raises(ConfigError, match=rf"zones\.geojson: feature 3 \(gate\): {reason} \(image crowd"):
        report_zones(estimator, [crowd_scene(crowd_positions(100))], (zone,))


def test_a_zone_in_metres_of_a_plan_needs_a_homography() -> None:
    zone = Zone(name="gate", corners=np.array([[950.0, 400], [960, 400], [955, 410]]), unit="metres")
    with pytest.raises(ConfigError, match="without a homography, metres count from .* --set homography=FILE"):
        report_zones(GroundPlaneEstimator(), [crowd_scene(crowd_positions(100))], (zone,))


def test_a_zone_of_which_little_is_visible_is_unknown(estimator: GroundPlaneEstimator) -> None:
    corners = np.array([[-100, -100], [100, -100], [100, 11], [-100, 11]], float)
    zone = Zone(name="gate", corners=corners, unit="metres")
    (report,) = report_zones(estimator, [crowd_scene(crowd_positions(100))], (zone,))
    assert report.reason == "less than 10% of the zone is visible in the image"


HEXAGON = 0.7 * np.array([[1, 0], [0.5, 0.87], [-0.5, 0.87], [-1, 0], [-0.5, -0.87], [0.5, -0.87]])


def test_densities_of_rendered_crowds_are_those_of_the_ground_truth(tmp_path: Path) -> None:
    """Image zones in rendered crowds with known positions; homographies of the true cameras."""
    counted = expected = 0.0
    for index in range(12):
        image = render_image(SyntheticConfig(images=12, seed=11), index)
        camera, scene, positions, region = rendered_scene(image)
        visible = clip_to_region(region, (0.0, 0.0, camera.size[1], camera.size[0]), pixel_matrix(camera, (0, 0, 9, 9)))
        corners_m = visible.mean(axis=0) + HEXAGON * visible.std(axis=0)
        zone = Zone(name="hexagon", corners=camera.pixels_from_ground(corners_m))
        estimator = GroundPlaneEstimator(homography=homography_of(camera, tmp_path / f"{index}.json"))
        measured = measure(zone, estimator, scene)
        assert measured.area_m2 == pytest.approx(polygon_area_m2(corners_m), rel=1e-6)
        counted += measured.density_per_m2 * measured.area_m2
        expected += np.count_nonzero(is_inside(positions, corners_m))
    assert expected > 200
    assert counted == pytest.approx(expected, rel=0.03)


def rendered_scene(image: RenderedImage) -> tuple[Camera, Scene, Points, Points]:
    """Camera, annotations, people's positions in metres and occupied ground of a rendered image."""
    truth, camera = image.ground_truth, image.ground_truth["camera"]
    size = tuple(camera["size"])
    true_camera = Camera(
        height_m=camera["height_m"],
        pitch_rad=math.radians(camera["pitch_deg"]),
        focal_length_px=camera["focal_length_px"],
        size=size,
    )
    people = parse_line(json.dumps(image.record), image.image_id)[1]
    scene = Scene.from_annotations(people, source_name=image.image_id, size=size)
    positions = np.array([(person["x_m"], person["y_m"]) for person in truth["people"]])
    return true_camera, scene, positions, np.array(truth["region_m"])


def test_each_group_is_a_zone() -> None:
    positions = np.vstack([crowd_positions(60), crowd_positions(20, centre=(0, 45)) * [0.4, 1]])
    (first, second) = report_zones(GroundPlaneEstimator(), [crowd_scene(positions)], "groups")
    assert (first.zone, second.zone) == ("group 1", "group 2")
    assert [len(group) for group in find_groups(positions)] == [first.person_count, second.person_count] == [60, 20]
    for report in (first, second):
        assert report.density_per_m2 is not None
        assert report.interval_per_m2 is not None
        low, high = report.interval_per_m2
        assert low < report.density_per_m2 < high


def test_groups_of_few_people_are_unknown(estimator: GroundPlaneEstimator) -> None:
    (report,) = report_zones(estimator, [crowd_scene(crowd_positions(3))], "groups")
    assert (report.zone, report.density_per_m2, report.reason) == (None, None, NO_GROUP)


def test_squares_of_few_people_need_no_group(estimator: GroundPlaneEstimator) -> None:
    reports = report_zones(estimator, [crowd_scene(crowd_positions(3))], Grid(side_m=5))
    assert sum(report.person_count or 0 for report in reports) == 3
    assert all(report.reason is None for report in reports)


def test_squares_without_people_in_any_image_are_unknown(estimator: GroundPlaneEstimator) -> None:
    scene = crowd_scene(crowd_positions(3))
    empty = scene.select(np.zeros(len(scene.ignore), bool))
    (report,) = report_zones(estimator, [empty], Grid(side_m=5))
    assert (report.zone, report.density_per_m2) == (None, None)


def test_squares_are_the_same_in_all_images_of_one_camera(estimator: GroundPlaneEstimator) -> None:
    scenes = [
        replace(crowd_scene(crowd_positions(60, centre=centre)), source_name=name)
        for name, centre in {"near": (0.0, 16.0), "far": (3.0, 24.0)}.items()
    ]
    reports = report_zones(estimator, scenes, Grid(side_m=4))
    near, far = ([report.zone for report in reports if report.image == name] for name in ("near", "far"))
    assert near == far
    assert sum(report.person_count or 0 for report in reports) == 120


def test_a_single_group_has_the_density_of_the_image() -> None:
    scene = crowd_scene(crowd_positions(100))
    (report,) = report_zones(GroundPlaneEstimator(), [scene], "groups")
    measurement = GroundPlaneEstimator().measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    assert report.density_per_m2 == pytest.approx(measurement.density_per_m2, rel=0.01)
    assert report.interval_per_m2 == pytest.approx(measurement.interval_per_m2, rel=0.02)


def test_squares_of_a_grid_contain_all_people_once(estimator: GroundPlaneEstimator) -> None:
    scene = crowd_scene(crowd_positions(100))
    reports = report_zones(estimator, [scene], Grid(side_m=3))
    assert len({report.zone for report in reports}) == len(reports)
    assert "x -3 to 0 m, y 15 to 18 m" in {report.zone for report in reports}
    assert sum(report.person_count or 0 for report in reports) == 100
    assert max(report.area_m2 or 0 for report in reports) == pytest.approx(9)
    assert all((report.visible_fraction or 0) >= 0.1 for report in reports)


def test_a_grid_with_too_many_squares_is_unknown(estimator: GroundPlaneEstimator) -> None:
    scene = crowd_scene(4 * crowd_positions(100))
    (report,) = report_zones(GroundPlaneEstimator(), [scene], Grid(side_m=0.5))
    assert report.reason == "the grid has more than 4000 squares"
    with pytest.raises(ConfigError, match=r"grid:0\.5: the grid has more than 4000 squares; choose larger ones"):
        report_zones(estimator, [scene], Grid(side_m=0.5))


def test_texts_select_zones(tmp_path: Path) -> None:
    assert parse_zones("groups") == "groups"
    assert parse_zones("grid:2.5") == Grid(side_m=2.5)
    for text, reason in {
        "grid:": "the side of the squares is not a number; zones are groups, grid:METRES such as grid:5, or the path",
        "grid": "grid: no such file; zones are groups, grid:METRES such as grid:5, or the path of a GeoJSON file",
        "group": "group: no such file; zones are groups, grid:METRES",
        "grid:0": "the side of the squares must be 0.5 to 1000 m",
        "grid:nan": "the side of the squares must be 0.5 to 1000 m",
        str(tmp_path / "none.geojson"): "no such file; zones are",
    }.items():
        with pytest.raises(ConfigError, match=reason):
            parse_zones(text)


def test_rows_have_the_same_columns_for_known_and_unknown_densities(estimator: GroundPlaneEstimator) -> None:
    heads = Scene(source_name="heads", size=EXAMPLE_CAMERA.size, head_boxes=np.full((9, 4), 5.0))
    reports = report_zones(estimator, [crowd_scene(crowd_positions(100)), heads], (zone_of(SQUARE_M, "metres"),))
    known, unknown = zone_rows(reports, estimator.class_bounds.values)
    assert list(known) == list(unknown)
    assert (known["image"], known["zone"], known["area_m2"]) == ("crowd", "zone", pytest.approx(30))
    assert known["density_per_m2"] == pytest.approx(known["corrected_count"] / known["area_m2"])
    assert unknown["density_per_m2"] is None
    assert unknown["reason"] == HEADS_ABOVE_HORIZON


def test_outlier_boxes_are_counted_in_a_zone() -> None:
    scene = crowd_scene(crowd_positions(100))
    boxes = scene.full_boxes.copy()
    boxes[:8, 1] += 0.5 * boxes[:8, 3]  # eight children or seated people: half as tall, at the same feet
    boxes[:8, 3] *= 0.5
    whole = zone_of(np.array([[-6, 10], [6, 10], [6, 22], [-6, 22]], float), "metres")
    measured = measure(whole, GroundPlaneEstimator(), replace(scene, full_boxes=boxes))
    assert measured.person_count == 100
    assert measured.corrected_count == pytest.approx(100, rel=0.03)
    assert measured.area_m2 == pytest.approx(polygon_area_m2(whole.corners), rel=0.01)
