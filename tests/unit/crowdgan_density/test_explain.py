"""Overlay layers agree with the estimates that they explain."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Path2D

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer, TextLayer
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.testing import example_scene
from crowdgan_density import plugin
from crowdgan_density.count_layers import mask_outlines
from crowdgan_density.ground_plane.density_map import cell_centres, density_map
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import hull_density
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.hot_spots import find_hot_spots
from crowdgan_density.ground_plane.voronoi import VoronoiEstimator
from crowdgan_density.ground_plane.voronoi_cells import interior_cell_areas, interior_cells, voronoi_cells
from crowdgan_density.heatmap import head_heatmap
from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator
from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
from crowdgan_density.image_plane.kernel import KernelDensityEstimator, density_heatmap
from crowdgan_density.image_plane.pairwise import (
    EuclideanEstimator,
    mean_distances_to_others_px,
    mean_pairwise_distance_px,
)
from crowdgan_density.image_plane.sg3_compat import Sg3EuclideanEstimator, Sg3GridEstimator, Sg3ThresholdEstimator
from crowdgan_density.level_of_service_scales import LEVEL_OF_SERVICE_SCALES, level_of_service

CROWD = example_scene(60)

CAMERA = (5.0, 20.0, 560.0)
"""Height in metres, pitch in degrees and focal length in pixels of the camera of example scenes."""

HEADS = Scene(
    source_name="heads",
    size=(300, 400),
    head_boxes=np.hstack([np.random.default_rng(1).uniform(0, [400, 300], (250, 2)), np.zeros((250, 2))]),
)


def find_layer(layers: object, layer_type: type[Layer], space: str = "image") -> Layer:
    matching = [layer for layer in layers if isinstance(layer, layer_type) and layer.space == space]  # type: ignore[attr-defined]
    return matching[0]


@pytest.mark.parametrize(
    "estimator", [ThresholdEstimator(), NormalisedCountEstimator(count_min=0, count_max=100), Sg3ThresholdEstimator()]
)
def test_each_counted_person_is_a_point(estimator: DensityEstimator) -> None:
    [points] = estimator.explain(CROWD)
    assert isinstance(points, PointLayer)
    assert len(points.points) == 60
    assert points.values is None


def test_ignore_regions_are_points_only_if_they_are_counted() -> None:
    boxes = CROWD.full_boxes
    scene = Scene(source_name="x", size=CROWD.size, full_boxes=boxes, ignore=np.arange(60) < 7)
    for estimator in (ThresholdEstimator(), Sg3ThresholdEstimator()):
        points = find_layer(estimator.explain(scene), PointLayer)
        assert len(points.points) == estimator.estimate(scene).value  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 250])
def test_the_heatmap_of_heads_sums_to_the_count(count: int) -> None:
    scene = HEADS.select(np.arange(count))
    [density] = ThresholdEstimator().explain(scene)
    assert isinstance(density, HeatmapLayer)
    assert density.values.sum() == pytest.approx(ThresholdEstimator().estimate(scene).value)
    assert density.values.shape == (240, 320)
    assert density.extent == (0, 0, 400, 300)
    assert density.unit == "persons per cell of 1.25 px"


def test_heads_outside_the_image_are_included_in_the_heatmap() -> None:
    values, _ = head_heatmap(np.array([[-40.0, 20], [500, 900], [10, 10]]), (100, 200), 50)
    assert values.sum() == pytest.approx(3)


def test_the_gaussian_of_a_head_is_wider_if_its_neighbours_are_farther() -> None:
    near = np.array([[50.0, 50], [52, 50], [50, 52], [52, 52]])
    values, cell_px = head_heatmap(np.vstack([near, near * [1, 3]]), (200, 200), 200)
    assert cell_px == 1
    assert values[:100].max() > 1.5 * values[100:].max()


@pytest.mark.parametrize(("estimator", "scene"), [(EuclideanEstimator(), CROWD), (Sg3EuclideanEstimator(), CROWD)])
def test_the_mean_of_the_distances_is_the_spacing(estimator: DensityEstimator, scene: Scene) -> None:
    [points] = estimator.explain(scene)
    assert isinstance(points, PointLayer)
    value = estimator.estimate(scene).value
    assert value is not None
    expected = value if estimator.name == "sg3-euclidean" else 1 / value
    assert points.values is not None
    assert points.values.mean() == pytest.approx(expected)
    assert points.unit == "mean box widths"


@pytest.mark.parametrize("count", [2, 3, 1500])
def test_distances_to_others_have_the_mean_of_all_pairs(count: int) -> None:
    points = np.random.default_rng(3).uniform(0, 100, (count, 2))
    assert mean_distances_to_others_px(points).mean() == pytest.approx(mean_pairwise_distance_px(points))


@pytest.mark.parametrize(
    "estimator", [GridEstimator(), MetricGridEstimator(), Sg3GridEstimator()], ids=lambda item: item.name
)
@pytest.mark.parametrize("scene", [CROWD, example_scene(1), example_scene(80, extent=0.4)])
def test_the_mean_count_inside_the_outline_is_the_estimate(estimator: DensityEstimator, scene: Scene) -> None:
    cells, outline = estimator.explain(scene)
    assert isinstance(cells, HeatmapLayer)
    assert isinstance(outline, LineLayer)
    assert cells.is_discrete
    inside = cells_inside(outline.lines, cells)
    assert np.nanmean(cells.values[inside]) == pytest.approx(estimator.estimate(scene).value)
    assert np.isfinite(cells.values[inside]).all()
    assert f"over {inside.sum()} cell" in outline.label


def cells_inside(lines: object, cells: HeatmapLayer) -> np.ndarray:
    """Mask of the cells inside an outline: those with an odd number of vertical sides to their left."""
    rows, columns = cells.values.shape
    side = cells.extent[2] / columns
    crossings = np.zeros((rows, columns + 1), int)
    for line in lines:  # type: ignore[attr-defined]
        (x0, y0), (x1, y1) = np.round(line / side).astype(int)
        if x0 == x1:
            crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def test_outlines_surround_a_mask_once() -> None:
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    lines = mask_outlines(mask)
    assert sum(np.abs(line[1] - line[0]).sum() for line in lines) == 14
    assert sorted(line.tolist() for line in mask_outlines(np.ones((1, 1), bool))) == [
        [[0, 0], [0, 1]],
        [[0, 0], [1, 0]],
        [[0, 1], [1, 1]],
        [[1, 0], [1, 1]],
    ]


def test_the_mean_of_the_local_densities_is_the_kernel_density() -> None:
    density, local = KernelDensityEstimator().explain(CROWD)
    assert isinstance(density, HeatmapLayer)
    assert isinstance(local, PointLayer)
    assert local.values is not None
    assert local.values.mean() == pytest.approx(KernelDensityEstimator().estimate(CROWD).value)
    assert density.unit == local.unit == KernelDensityEstimator.unit


def test_the_kernel_heatmap_sums_to_the_count_if_all_boxes_are_equal() -> None:
    rng = np.random.default_rng(2)
    boxes = np.hstack([rng.uniform([200, 150], [400, 250], (30, 2)), np.tile([16.0, 40.0], (30, 1))])
    values, cell_px = density_heatmap(boxes, (480, 640), bandwidth_m=1.0)
    metres_per_px = MEAN_HEIGHT_M / 40
    assert values.sum() * (cell_px * metres_per_px) ** 2 == pytest.approx(30, rel=1e-3)
    (x, y), peak = boxes[0, :2] + boxes[0, 2:] / 2, 1 / (2 * np.pi)
    others = boxes[:, :2] + boxes[:, 2:] / 2 - [x, y]
    expected = peak * np.exp(-0.5 * (others**2).sum(axis=1) * metres_per_px**2).sum()
    assert values[int(y / cell_px), int(x / cell_px)] == pytest.approx(expected, rel=0.02)


def test_the_map_of_occupied_ground_has_the_density_of_the_scene_and_of_its_groups() -> None:
    ground = GroundPlaneEstimator(cameras=CAMERA)
    measurement, estimate = ground.measure(CROWD), ground.estimate(CROWD)
    layers = ground.explain(CROWD)
    density = find_layer(layers, HeatmapLayer, "ground")
    assert np.nanmean(density.values) == pytest.approx(estimate.value, rel=0.1)  # type: ignore[attr-defined]
    assert not isinstance(measurement, str)
    starts = np.cumsum([0, *map(len, measurement.groups_m)])
    groups = [np.arange(first, end) for first, end in itertools.pairwise(starts.tolist())]
    of_groups = hull_density(np.concatenate(measurement.groups_m), groups)
    assert of_groups is not None
    assert of_groups[0] * measurement.people_per_position == pytest.approx(estimate.value)
    people = find_layer(layers, PointLayer, "ground")
    assert people.points.tolist() == measurement.positions_m.tolist()  # type: ignore[attr-defined]


def test_the_map_over_the_image_has_the_density_of_the_ground_that_it_shows() -> None:
    ground = GroundPlaneEstimator(cameras=CAMERA)
    measurement, layers = ground.measure(CROWD), ground.explain(CROWD)
    assert not isinstance(measurement, str)
    density, hull = find_layer(layers, HeatmapLayer), find_layer(layers, PolygonLayer)
    corners = np.concatenate(hull.polygons)  # type: ignore[attr-defined]
    assert density.extent == pytest.approx((*corners.min(axis=0), *corners.max(axis=0)))  # type: ignore[attr-defined]
    values = density.values  # type: ignore[attr-defined]
    centres = cell_centres(density.extent, values.shape)  # type: ignore[attr-defined]
    shown = density_map(measurement.groups_m, measurement.people_per_position)
    assert shown is not None
    positions = measurement.projection.ground_from_pixels(centres)
    assert values.ravel() == pytest.approx(shown.density_per_m2(positions), nan_ok=True)


def test_values_have_the_classes_of_the_scale_and_the_peak_its_level() -> None:
    for estimator in (GroundPlaneEstimator(cameras=CAMERA), VoronoiEstimator(cameras=CAMERA)):
        layers = dataclasses.replace(estimator, scale="crowd-safety").explain(CROWD)
        classes = {layer.classes for layer in layers if layer.classes is not None}
        [expected] = classes
        assert expected == LEVEL_OF_SERVICE_SCALES["crowd-safety"].value_classes()
        assert expected.title == "level of service, crowd-safety"
        measurement = estimator.measure(CROWD)
        assert not isinstance(measurement, str)
        texts = [layer.label for layer in layers if isinstance(layer, TextLayer)]
        level = level_of_service(measurement.peak_per_m2, "crowd-safety")
        camera = "camera 5.0 m high, 20° down, 560 px"
        assert texts == [f"peak {measurement.peak_per_m2:.3g} persons/m² ({level})", camera]


@pytest.mark.parametrize(
    ("scale", "label", "text"),
    [
        ("fruin-walkway", "highest density within 1 m (persons/m², level)", "{density} · {level}"),
        ("0.5,1,2", "highest density within 1 m (persons/m²)", "{density}"),
    ],
)
def test_hot_spots_have_density_and_level(scale: str, label: str, text: str) -> None:
    ground = GroundPlaneEstimator(cameras=CAMERA, scale=scale)
    measurement = ground.measure(CROWD)
    assert not isinstance(measurement, str)
    shown = density_map(measurement.groups_m, measurement.people_per_position)
    assert shown is not None
    spots = find_hot_spots(shown, measurement.positions_m)
    in_image, from_above = (
        layer for layer in ground.explain(CROWD) if isinstance(layer, PointLayer) and layer.texts is not None
    )
    assert from_above.points.tolist() == [list(spot.position_m) for spot in spots]
    assert in_image.points == pytest.approx(measurement.projection.pixels_from_ground(from_above.points))
    expected = [
        text.format(density=f"{spot.density_per_m2:.1f}", level=level_of_service(spot.density_per_m2, scale))
        for spot in spots
    ]
    assert (in_image.label, in_image.texts, from_above.texts) == (label, expected, expected)


def test_hot_spots_of_voronoi_are_inside_its_cells() -> None:
    layers = VoronoiEstimator(cameras=CAMERA).explain(CROWD)
    cells = find_layer(layers, PolygonLayer, "ground").polygons  # type: ignore[attr-defined]
    [spots] = [item.points for item in layers if isinstance(item, PointLayer) and item.texts and item.space == "ground"]
    for spot in spots:
        assert any(Path2D(cell).contains_point(spot) for cell in cells)


def test_the_cells_of_voronoi_have_the_estimate_as_their_mean_density() -> None:
    voronoi = VoronoiEstimator(cameras=CAMERA)
    cells = find_layer(voronoi.explain(CROWD), PolygonLayer, "ground")
    values = cells.values  # type: ignore[attr-defined]
    assert len(values) / (1 / values).sum() == pytest.approx(voronoi.estimate(CROWD).value)
    assert cells.label == "local density in Voronoi cells inside groups"


def test_voronoi_with_too_few_cells_has_the_layers_of_ground() -> None:
    scene = example_scene(9, seed=3)
    voronoi = VoronoiEstimator(cameras=CAMERA)
    assert voronoi.estimate(scene).value == GroundPlaneEstimator(cameras=CAMERA).estimate(scene).value
    assert find_layer(voronoi.explain(scene), HeatmapLayer, "ground").label == "local density on occupied ground"


def test_interior_cells_are_those_with_an_area() -> None:
    rng = np.random.default_rng(4)
    positions, ground = rng.uniform(0, 10, (40, 2)), np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    areas, cells = interior_cell_areas(positions, ground), interior_cells(positions, ground)
    assert [len(cell) > 0 for cell in cells] == np.isfinite(areas).tolist()
    all_cells = voronoi_cells(positions, ground, None)
    for area, cell, same in zip(areas, cells, all_cells, strict=True):
        if len(cell):
            x, y = cell.T
            assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == pytest.approx(area)
            assert np.sort(cell, axis=0) == pytest.approx(np.sort(same, axis=0))


def test_hulls_are_projected_to_peoples_feet() -> None:
    layers = GroundPlaneEstimator(cameras=CAMERA).explain(CROWD)
    hull = find_layer(layers, PolygonLayer)
    feet = CROWD.full_boxes[:, :2] + CROWD.full_boxes[:, 2:] * [0.5, 1.0]
    for corner in np.concatenate(hull.polygons):  # type: ignore[attr-defined]
        assert np.hypot(*(feet - corner).T).min() < 1e-6
    grid = find_layer(layers, LineLayer)
    assert grid.label == "5 m on the ground"


def test_layers_of_a_crop_are_in_its_pixels() -> None:
    transform = ImageTransform(name="center-crop", size=(256, 256))
    crop = transform.scene(CROWD, transform.geometry(CROWD.size))
    layers = GroundPlaneEstimator(cameras=CAMERA).explain(crop)
    hull = find_layer(layers, PolygonLayer)
    feet = crop.full_boxes[:, :2] + crop.full_boxes[:, 2:] * [0.5, 1.0]
    for corner in np.concatenate(hull.polygons):  # type: ignore[attr-defined]
        assert np.hypot(*(feet - corner).T).min() < 1e-6
        assert (corner >= 0).all()
        assert (corner <= crop.size[::-1]).all()


def test_a_homography_maps_ground_back_to_pixels(tmp_path: Path) -> None:
    matrix = ((0.02, 0.001, -3.0), (0.0, -0.03, 20.0), (0.0, 0.002, 1.0))
    homography = Homography(matrix=matrix)
    pixels = np.array([[10.0, 400], [300, 250]])
    assert homography.pixels_from_ground(homography.ground_from_pixels(pixels)) == pytest.approx(pixels)
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"image_to_ground_m": matrix}))
    layers = GroundPlaneEstimator(homography=path).explain(CROWD)
    assert find_layer(layers, LineLayer).label.endswith("m on the ground")
    assert [layer.label.split()[0] for layer in layers if isinstance(layer, TextLayer)] == ["peak"]
    [labels] = {layer.axis_labels for layer in layers if layer.axis_labels is not None}
    assert labels == ("x in metres (homography)", "y in metres (homography)")


@pytest.mark.parametrize("estimator_class", plugin.crowdgan_register_density_estimators(), ids=lambda item: item.name)
def test_empty_scenes_have_no_layers(estimator_class: type[DensityEstimator]) -> None:
    empty = Scene(source_name="empty", size=(100, 100))
    estimator = estimator_class().fit([empty, CROWD])
    if not estimator.name.startswith("sg3-grid"):
        assert estimator.explain(empty) == ()
