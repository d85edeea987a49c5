"""`grid` and `grid-metres`: largest mean person count per cell over clusters."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_density.image_plane.grid import (
    MAX_CELLS,
    GridEstimator,
    MetricGridEstimator,
    count_boxes_per_cell,
    grid_density,
    grid_shape,
    largest_cluster_mean,
    metre_cell_px,
    relative_cell_px,
)

SIZE = (60, 100)

boxes_inside = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 50), st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=15
).map(lambda rows: np.array(rows, float))


def reference_counts(boxes, size, cell_px):
    """Number of boxes that touch each complete cell, by comparison of all boxes and cells; lower edges are included."""
    rows, columns = int(size[0] / cell_px), int(size[1] / cell_px)
    counts = np.zeros((rows, columns), int)
    for x, y, width, height in boxes:
        for row in range(rows):
            for column in range(columns):
                overlaps_x = int(x / cell_px) <= column <= int((x + width) / cell_px)
                overlaps_y = int(y / cell_px) <= row <= int((y + height) / cell_px)
                counts[row, column] += overlaps_x and overlaps_y
    return counts


def test_the_cell_size_of_grid_is_the_largest_of_three_lengths():
    assert relative_cell_px(np.array([[0, 0, 2, 2.0]]), (1000, 2000)) == 80
    assert relative_cell_px(np.array([[0, 0, 2, 2.0]]), (3000, 2000)) == 120
    assert relative_cell_px(np.array([[0, 0, 50, 100.0]]), (100, 200)) == pytest.approx(168.5 * 0.5)


def test_the_cell_size_of_grid_metres_is_one_metre_at_the_mean_box_height():
    assert metre_cell_px(np.array([[0, 0, 20, 100.0], [0, 0, 20, 237]])) == pytest.approx(100)


def test_cells_count_the_boxes_that_touch_them_including_edges():
    counts = count_boxes_per_cell(np.array([[5, 5, 10, 10.0], [15, 5, 5, 5]]), (30, 40), 10)
    np.testing.assert_array_equal(counts, [[1, 2, 1, 0, 0], [1, 2, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


@given(boxes_inside, st.floats(3, 70))
def test_counts_equal_a_comparison_of_every_box_with_every_cell(boxes, cell_px):
    counts = count_boxes_per_cell(boxes, SIZE, cell_px)[:-1, :-1]
    np.testing.assert_array_equal(counts, reference_counts(boxes, SIZE, cell_px))


def test_cells_in_a_cluster_have_a_common_side_not_only_a_corner():
    counts = np.array([[1, 0, 0, 0], [3, 0, 9, 0], [0, 5, 0, 0], [0, 4, 4, 0]], np.int32)
    assert largest_cluster_mean(counts) == 9
    counts[1, 2] = 1
    assert largest_cluster_mean(counts) == pytest.approx(13 / 3)
    assert largest_cluster_mean(np.zeros((3, 3), np.int32)) == 0


def test_too_many_cells_are_an_error():
    text = f"cells of 0.593 px in an image of 4000x3000 px are more than {MAX_CELLS}; the boxes are too small"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        grid_shape((3000, 4000), 1 / 1.685, MAX_CELLS)
    assert grid_shape((3000, 4000), 1000, MAX_CELLS) == (3, 4)


@pytest.mark.parametrize(
    ("estimator", "unit"), [(GridEstimator(), "persons per cell"), (MetricGridEstimator(), "persons per 1 m cell")]
)
class TestBothGrids:
    def test_an_empty_scene_is_sparse(self, estimator, unit, make_scene):
        assert estimator.estimate(make_scene()) == DensityEstimate(value=0.0, unit=unit, class_index=0)

    def test_a_single_person_is_one_per_cell(self, estimator, unit, make_scene):
        estimate = estimator.estimate(make_scene([[100, 100, 40, 100]]))
        assert estimate == DensityEstimate(value=1.0, unit=unit, class_index=0)

    @pytest.mark.parametrize(("num_people", "class_index"), [(1, 0), (2, 1), (3, 2), (50, 2)])
    def test_counts_of_people_at_the_same_position_add_up(self, estimator, unit, make_scene, num_people, class_index):
        estimate = estimator.estimate(make_scene([[100, 100, 40, 100]] * num_people))
        assert estimate == DensityEstimate(value=num_people, unit=unit, class_index=class_index)

    @pytest.mark.parametrize(
        "box",
        [
            [-5000, -5000, 20000, 20000],
            [200, -300, 100, 4000],
            [-20, 10, 40, 100],
            [620, 400, 400, 1000],
            [635, 470, 4, 9],
        ],
    )
    def test_a_person_larger_than_the_image_or_partly_outside_counts_as_one(self, estimator, unit, make_scene, box):
        assert estimator.estimate(make_scene([box])) == DensityEstimate(value=1.0, unit=unit, class_index=0)
        assert estimator.estimate(make_scene([box] * 3)) == DensityEstimate(value=3.0, unit=unit, class_index=2)

    @pytest.mark.parametrize("box", [[-50, 10, 40, 100], [-40, 10, 40, 100], [640, 0, 50, 50], [0, 600, 50, 90]])
    def test_people_outside_the_image_occupy_no_cell(self, estimator, unit, make_scene, box):
        assert estimator.estimate(make_scene([box] * 3)) == DensityEstimate(value=0.0, unit=unit, class_index=0)

    def test_a_box_outside_the_image_does_not_wrap_around(self, estimator, unit, make_scene):
        inside = [300, 100, 40, 100]
        assert estimator.estimate(make_scene([inside, [-400, 100, 40, 100]])).value == 1.0

    def test_ignore_regions_and_rows_without_a_box_are_skipped(self, estimator, unit, make_scene):
        boxes = [[100, 100, 40, 100], [100, 100, 40, 100], [np.nan] * 4, [9, 9, 0, 0]]
        assert estimator.estimate(make_scene(boxes, ignore=[0, 1, 0, 1])).value == 1.0

    def test_the_density_of_heads_only_is_unknown(self, estimator, unit, heads_only):
        expected = DensityEstimate.unknown(unit, "no person has a full-body box (only heads are annotated)")
        assert estimator.estimate(heads_only) == expected

    def test_the_class_boundaries_are_options(self, estimator, unit, make_scene):
        changed = configure_estimator(type(estimator), {"dense_from": "5", "medium_from": "4"})
        classes = [changed.estimate(make_scene([[100, 100, 40, 100]] * n)).class_index for n in (3, 4, 5)]
        assert classes == [0, 1, 2]

    def test_class_boundaries_that_do_not_increase_are_an_error(self, estimator, unit):
        text = (
            f"{estimator.name}: medium_from is 2.0 and dense_from is 1.0; "
            "they must be finite, and medium_from must be below dense_from"
        )
        with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
            type(estimator)(dense_from=1.0)

    def test_the_order_of_people_does_not_matter(self, estimator, unit, make_scene):
        boxes = np.random.default_rng(17).uniform([0, 0, 10, 30], [600, 400, 60, 150], (40, 4))
        value = estimator.estimate(make_scene(boxes)).value
        assert estimator.estimate(make_scene(boxes[::-1])).value == pytest.approx(value)

    def test_values_increase_with_people_in_the_same_region(self, estimator, unit, make_scene):
        boxes = np.random.default_rng(3).uniform([200, 100, 30, 80], [300, 200, 40, 90], (60, 4))
        values = [estimator.estimate(make_scene(boxes[:n])).value for n in (1, 5, 20, 60)]
        assert values == sorted(values)
        assert values[0] == 1
        assert values[-1] > 3


def test_partial_cells_are_used_only_if_no_complete_cell_is_occupied():
    boxes = np.array([[96, 10, 3, 10.0], [95, 10, 3, 10]])
    assert grid_density(boxes, SIZE, 30) == 2
    assert grid_density(np.array([[96, 10, 3, 10.0], [10, 10, 3, 10]]), SIZE, 30) == 1


def test_grid_metres_does_not_depend_on_image_scale(make_scene):
    boxes = np.random.default_rng(5).uniform([0, 0, 10, 30], [600, 400, 60, 150], (40, 4))
    small, large = make_scene(boxes), make_scene(boxes * 4, size=(4 * 480, 4 * 640))
    assert MetricGridEstimator().estimate(small) == MetricGridEstimator().estimate(large)


def test_the_density_of_boxes_too_small_for_metres_is_unknown(make_scene):
    tiny = make_scene(np.full((300, 4), 1.0), size=(3000, 4000))
    reason = "the boxes are too small for the image, so the grid has too many cells"
    assert MetricGridEstimator().estimate(tiny) == DensityEstimate.unknown("persons per 1 m cell", reason)
    smallest = make_scene([[0, 0, 5e-324, 5e-324]])
    assert MetricGridEstimator().estimate(smallest) == DensityEstimate.unknown("persons per 1 m cell", reason)
    assert GridEstimator().estimate(tiny).value == 300
