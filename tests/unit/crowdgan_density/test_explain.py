"""What is drawn is what was computed: layers against estimates."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.testing import example_scene
from crowdgan_density import plugin
from crowdgan_density.count_layers import borders
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import hull_density
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.voronoi import VoronoiEstimator
from crowdgan_density.ground_plane.voronoi_cells import interior_cells, voronoi_cells, whole_cell_areas
from crowdgan_density.heatmap import head_map
from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator
from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
from crowdgan_density.image_plane.kernel import KernelDensityEstimator, density_map
from crowdgan_density.image_plane.pairwise import EuclideanEstimator, distances_to_others_px, mean_distance_px
from crowdgan_density.image_plane.sg3_compat import Sg3Euclidean, Sg3Grid, Sg3ThresholdEstimator

CROWD = example_scene(60)

HEADS = Scene(
    source_name="heads",
    size=(300, 400),
    head_boxes=np.hstack([np.random.default_rng(1).uniform(0, [400, 300], (250, 2)), np.zeros((250, 2))]),
)


def layer_of(layers: object, kind: type[Layer], space: str = "image") -> Layer:
    found = [layer for layer in layers if isinstance(layer, kind) and layer.space == space]  # type: ignore[attr-defined]
    return found[0]


@pytest.mark.parametrize(
    "estimator", [ThresholdEstimator(), NormalisedCountEstimator(count_min=0, count_max=100), Sg3ThresholdEstimator()]
)
def test_each_counted_person_is_a_point(estimator: DensityEstimator) -> None:
    [points] = estimator.explain(CROWD)
    assert isinstance(points, PointLayer)
    assert len(points.points) == 60
    assert points.values is None


def test_ignore_regions_are_points_only_where_they_count() -> None:
    boxes = CROWD.full_boxes
    scene = Scene(source_name="x", size=CROWD.size, full_boxes=boxes, ignore=np.arange(60) < 7)
    for estimator in (ThresholdEstimator(), Sg3ThresholdEstimator()):
        points = layer_of(estimator.explain(scene), PointLayer)
        assert len(points.points) == estimator.estimate(scene).value  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 250])
def test_the_map_of_heads_sums_to_the_count(count: int) -> None:
    scene = HEADS.select(np.arange(count))
    [density] = ThresholdEstimator().explain(scene)
    assert isinstance(density, HeatmapLayer)
    assert density.values.sum() == pytest.approx(ThresholdEstimator().estimate(scene).value)
    assert density.values.shape == (240, 320)
    assert density.extent == (0, 0, 400, 300)
    assert density.unit == "persons per cell of 1.25 px"


def test_heads_outside_of_the_image_are_in_the_map_too() -> None:
    values, _ = head_map(np.array([[-40.0, 20], [500, 900], [10, 10]]), (100, 200), 50)
    assert values.sum() == pytest.approx(3)


def test_a_head_is_spread_as_wide_as_its_neighbours_are_far() -> None:
    near = np.array([[50.0, 50], [52, 50], [50, 52], [52, 52]])
    values, cell_px = head_map(np.vstack([near, near * [1, 3]]), (200, 200), 200)
    assert cell_px == 1
    assert values[:100].max() > 1.5 * values[100:].max()


@pytest.mark.parametrize(("estimator", "scene"), [(EuclideanEstimator(), CROWD), (Sg3Euclidean(), CROWD)])
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
    assert distances_to_others_px(points).mean() == pytest.approx(mean_distance_px(points))


@pytest.mark.parametrize("estimator", [GridEstimator(), MetricGridEstimator(), Sg3Grid()], ids=lambda item: item.name)
@pytest.mark.parametrize("scene", [CROWD, example_scene(1), example_scene(80, extent=0.4)])
def test_the_mean_count_within_the_border_is_the_estimate(estimator: DensityEstimator, scene: Scene) -> None:
    cells, border = estimator.explain(scene)
    assert isinstance(cells, HeatmapLayer)
    assert isinstance(border, LineLayer)
    assert cells.is_discrete
    inside = inside_of(border.lines, cells)
    assert np.nanmean(cells.values[inside]) == pytest.approx(estimator.estimate(scene).value)
    assert np.isfinite(cells.values[inside]).all()
    assert f"over {inside.sum()} cell" in border.label


def inside_of(lines: object, cells: HeatmapLayer) -> np.ndarray:
    """Which cells a border surrounds: those with an odd number of upright sides to the left of them."""
    rows, columns = cells.values.shape
    side = cells.extent[2] / columns
    crossings = np.zeros((rows, columns + 1), int)
    for line in lines:  # type: ignore[attr-defined]
        (x0, y0), (x1, y1) = np.round(line / side).astype(int)
        if x0 == x1:
            crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def test_borders_go_once_around_what_a_mask_holds() -> None:
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    lines = borders(mask)
    assert sum(np.abs(line[1] - line[0]).sum() for line in lines) == 14
    assert sorted(line.tolist() for line in borders(np.ones((1, 1), bool))) == [
        [[0, 0], [0, 1]],
        [[0, 0], [1, 0]],
        [[0, 1], [1, 1]],
        [[1, 0], [1, 1]],
    ]


def test_the_mean_of_what_people_feel_is_the_kernel_density() -> None:
    density, felt = KernelDensityEstimator().explain(CROWD)
    assert isinstance(density, HeatmapLayer)
    assert isinstance(felt, PointLayer)
    assert felt.values is not None
    assert felt.values.mean() == pytest.approx(KernelDensityEstimator().estimate(CROWD).value)
    assert density.unit == felt.unit == KernelDensityEstimator.unit


def test_the_kernel_map_sums_to_the_people_where_all_are_of_one_size() -> None:
    rng = np.random.default_rng(2)
    boxes = np.hstack([rng.uniform([200, 150], [400, 250], (30, 2)), np.tile([16.0, 40.0], (30, 1))])
    values, cell_px = density_map(boxes, (480, 640), bandwidth_m=1.0)
    metres_per_px = MEAN_HEIGHT_M / 40
    assert values.sum() * (cell_px * metres_per_px) ** 2 == pytest.approx(30, rel=1e-3)
    (x, y), own = boxes[0, :2] + boxes[0, 2:] / 2, 1 / (2 * np.pi)
    others = boxes[:, :2] + boxes[:, 2:] / 2 - [x, y]
    expected = own * np.exp(-0.5 * (others**2).sum(axis=1) * metres_per_px**2).sum()
    assert values[int(y / cell_px), int(x / cell_px)] == pytest.approx(expected, rel=0.02)


def test_occupied_ground_has_the_scenes_density_and_its_groups_tell_it(tmp_path: Path) -> None:
    camera = (5.0, 20.0, 560.0)
    ground = GroundPlaneEstimator(cameras=camera)
    found, density = ground.measured(CROWD), ground.estimate(CROWD)
    layers = ground.explain(CROWD)
    hulls = layer_of(layers, PolygonLayer, "ground")
    assert hulls.values.tolist() == [density.value] * len(hulls.polygons)  # type: ignore[attr-defined]
    assert not isinstance(found, str)
    starts = np.cumsum([0, *map(len, found.groups_m)])
    groups = [np.arange(first, end) for first, end in itertools.pairwise(starts.tolist())]
    told = hull_density(np.concatenate(found.groups_m), groups)
    assert told is not None
    assert told[0] * found.people_per_position == pytest.approx(density.value)
    people = layer_of(layers, PointLayer, "ground")
    assert people.points.tolist() == found.positions_m.tolist()  # type: ignore[attr-defined]


def test_the_cells_of_voronoi_have_the_estimate_as_their_mean() -> None:
    voronoi = VoronoiEstimator(cameras=(5.0, 20.0, 560.0))
    cells = layer_of(voronoi.explain(CROWD), PolygonLayer, "ground")
    values = cells.values  # type: ignore[attr-defined]
    assert len(values) / (1 / values).sum() == pytest.approx(voronoi.estimate(CROWD).value)
    assert "cells of people" in cells.label


def test_voronoi_without_enough_people_inside_draws_what_it_takes_from_ground() -> None:
    scene = example_scene(9, seed=3)
    voronoi = VoronoiEstimator(cameras=(5.0, 20.0, 560.0))
    assert voronoi.estimate(scene).value == GroundPlaneEstimator(cameras=(5.0, 20.0, 560.0)).estimate(scene).value
    assert layer_of(voronoi.explain(scene), PolygonLayer, "ground").label == "ground that people occupy"


def test_whole_cells_are_those_whose_area_is_told() -> None:
    rng = np.random.default_rng(4)
    positions, ground = rng.uniform(0, 10, (40, 2)), np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    areas, cells = whole_cell_areas(positions, ground), interior_cells(positions, ground)
    assert [len(cell) > 0 for cell in cells] == np.isfinite(areas).tolist()
    every = voronoi_cells(positions, ground, None)
    for area, cell, same in zip(areas, cells, every, strict=True):
        if len(cell):
            x, y = cell.T
            assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == pytest.approx(area)
            assert np.sort(cell, axis=0) == pytest.approx(np.sort(same, axis=0))


def test_what_lies_on_the_ground_is_seen_where_the_people_stand() -> None:
    layers = GroundPlaneEstimator(cameras=(5.0, 20.0, 560.0)).explain(CROWD)
    hull = layer_of(layers, PolygonLayer)
    feet = CROWD.full_boxes[:, :2] + CROWD.full_boxes[:, 2:] * [0.5, 1.0]
    for corner in np.concatenate(hull.polygons):  # type: ignore[attr-defined]
        assert np.hypot(*(feet - corner).T).min() < 1e-6
    grid = layer_of(layers, LineLayer)
    assert grid.label == "5 m on the ground; camera 5.0 m high, 20° down, 560 px"


def test_a_crop_shows_the_same_ground_in_its_own_pixels() -> None:
    transform = ImageTransform(name="center-crop", size=(256, 256))
    crop = transform.scene(CROWD, transform.geometry(CROWD.size))
    layers = GroundPlaneEstimator(cameras=(5.0, 20.0, 560.0)).explain(crop)
    hull = layer_of(layers, PolygonLayer)
    feet = crop.full_boxes[:, :2] + crop.full_boxes[:, 2:] * [0.5, 1.0]
    for corner in np.concatenate(hull.polygons):  # type: ignore[attr-defined]
        assert np.hypot(*(feet - corner).T).min() < 1e-6
        assert (corner >= 0).all()
        assert (corner <= 256).all()


def test_a_homography_takes_ground_back_to_pixels(tmp_path: Path) -> None:
    matrix = ((0.02, 0.001, -3.0), (0.0, -0.03, 20.0), (0.0, 0.002, 1.0))
    view = Homography(matrix=matrix)
    pixels = np.array([[10.0, 400], [300, 250]])
    assert view.pixels_from_ground(view.ground_from_pixels(pixels)) == pytest.approx(pixels)
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"image_to_ground_m": matrix}))
    grid = layer_of(GroundPlaneEstimator(homography=path).explain(CROWD), LineLayer)
    assert grid.label.endswith("m on the ground")


@pytest.mark.parametrize("estimator_class", plugin.crowdgan_register_density_estimators(), ids=lambda item: item.name)
def test_scenes_that_tell_nothing_have_no_layers(estimator_class: type[DensityEstimator]) -> None:
    empty = Scene(source_name="empty", size=(100, 100))
    estimator = estimator_class().fit([empty, CROWD])
    if not estimator.name.startswith("sg3-grid"):
        assert estimator.explain(empty) == ()
