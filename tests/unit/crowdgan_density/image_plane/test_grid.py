"""`grid` and `grid-metres`: persons per cell in the fullest cluster."""

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
    grid_crowding,
    grid_shape,
    largest_cluster_mean,
    metre_cell_px,
    relative_cell_px,
)

SIZE = (60, 100)

boxes_inside = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 50), st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=15
).map(lambda rows: np.array(rows, float))


def slow_counts(boxes, size, cell_px):
    """Boxes that touch each whole cell, one comparison per box and cell; cells hold their lower ends."""
    rows, columns = int(size[0] / cell_px), int(size[1] / cell_px)
    counts = np.zeros((rows, columns), int)
    for x, y, width, height in boxes:
        for row in range(rows):
            for column in range(columns):
                beside = int(x / cell_px) <= column <= int((x + width) / cell_px)
                above = int(y / cell_px) <= row <= int((y + height) / cell_px)
                counts[row, column] += beside and above
    return counts


def test_a_cell_of_grid_is_the_largest_of_three_lengths():
    assert relative_cell_px(np.array([[0, 0, 2, 2.0]]), (1000, 2000)) == 80
    assert relative_cell_px(np.array([[0, 0, 2, 2.0]]), (3000, 2000)) == 120
    assert relative_cell_px(np.array([[0, 0, 50, 100.0]]), (100, 200)) == pytest.approx(168.5 * 0.5)


def test_a_cell_of_grid_metres_is_one_metre_at_the_mean_box_height():
    assert metre_cell_px(np.array([[0, 0, 20, 100.0], [0, 0, 20, 237]])) == pytest.approx(100)


def test_cells_count_the_boxes_that_touch_them_borders_included():
    counts = count_boxes_per_cell(np.array([[5, 5, 10, 10.0], [15, 5, 5, 5]]), (30, 40), 10)
    np.testing.assert_array_equal(counts, [[1, 2, 1, 0, 0], [1, 2, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])


@given(boxes_inside, st.floats(3, 70))
def test_counts_equal_a_comparison_of_every_box_with_every_cell(boxes, cell_px):
    counts = count_boxes_per_cell(boxes, SIZE, cell_px)[:-1, :-1]
    np.testing.assert_array_equal(counts, slow_counts(boxes, SIZE, cell_px))


def test_clusters_join_at_sides_and_not_at_corners():
    counts = np.array([[1, 0, 0, 0], [3, 0, 9, 0], [0, 5, 0, 0], [0, 4, 4, 0]], np.int32)
    assert largest_cluster_mean(counts) == 9
    counts[1, 2] = 1
    assert largest_cluster_mean(counts) == pytest.approx(13 / 3)
    assert largest_cluster_mean(np.zeros((3, 3), np.int32)) == 0


def test_more_cells_than_can_be_counted_are_an_error():
    text = f"cells of 0.593 px in an image of 4000x3000 px are more than {MAX_CELLS}; the boxes are too small"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        grid_shape((3000, 4000), 1 / 1.685, MAX_CELLS)
    assert grid_shape((3000, 4000), 1000, MAX_CELLS) == (3, 4)


@pytest.mark.parametrize(
    ("estimator", "unit"), [(GridEstimator(), "persons per cell"), (MetricGridEstimator(), "persons per 1 m cell")]
)
class TestBothGrids:
    def test_nobody_is_sparse(self, estimator, unit, make_scene):
        assert estimator.estimate(make_scene()) == DensityEstimate(value=0.0, unit=unit, class_index=0)

    def test_one_person_alone_is_one_per_cell(self, estimator, unit, make_scene):
        found = estimator.estimate(make_scene([[100, 100, 40, 100]]))
        assert found == DensityEstimate(value=1.0, unit=unit, class_index=0)

    @pytest.mark.parametrize(("persons", "class_index"), [(1, 0), (2, 1), (3, 2), (50, 2)])
    def test_people_in_the_same_place_add_up(self, estimator, unit, make_scene, persons, class_index):
        found = estimator.estimate(make_scene([[100, 100, 40, 100]] * persons))
        assert found == DensityEstimate(value=persons, unit=unit, class_index=class_index)

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
    def test_a_person_larger_than_the_image_or_partly_outside_is_one(self, estimator, unit, make_scene, box):
        assert estimator.estimate(make_scene([box])) == DensityEstimate(value=1.0, unit=unit, class_index=0)
        assert estimator.estimate(make_scene([box] * 3)) == DensityEstimate(value=3.0, unit=unit, class_index=2)

    @pytest.mark.parametrize("box", [[-50, 10, 40, 100], [-40, 10, 40, 100], [640, 0, 50, 50], [0, 600, 50, 90]])
    def test_people_wholly_outside_occupy_no_cell(self, estimator, unit, make_scene, box):
        assert estimator.estimate(make_scene([box] * 3)) == DensityEstimate(value=0.0, unit=unit, class_index=0)

    def test_a_box_that_ends_outside_does_not_wrap_around(self, estimator, unit, make_scene):
        inside = [300, 100, 40, 100]
        assert estimator.estimate(make_scene([inside, [-400, 100, 40, 100]])).value == 1.0

    def test_ignore_regions_and_rows_without_a_box_are_left_out(self, estimator, unit, make_scene):
        boxes = [[100, 100, 40, 100], [100, 100, 40, 100], [np.nan] * 4, [9, 9, 0, 0]]
        assert estimator.estimate(make_scene(boxes, ignore=[0, 1, 0, 1])).value == 1.0

    def test_it_cannot_tell_from_heads_alone(self, estimator, unit, heads_alone):
        expected = DensityEstimate.unknown(unit, "no person has a full-body box (heads alone)")
        assert estimator.estimate(heads_alone) == expected

    def test_the_bounds_are_options(self, estimator, unit, make_scene):
        changed = configure_estimator(type(estimator), {"dense_from": "5", "medium_from": "4"})
        classes = [changed.estimate(make_scene([[100, 100, 40, 100]] * n)).class_index for n in (3, 4, 5)]
        assert classes == [0, 1, 2]

    def test_bounds_that_do_not_rise_are_refused(self, estimator, unit):
        text = f"{estimator.name}: medium_from is 2.0 and dense_from is 1.0; they must be finite and rise"
        with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
            type(estimator)(dense_from=1.0)

    def test_person_order_does_not_matter(self, estimator, unit, make_scene):
        boxes = np.random.default_rng(17).uniform([0, 0, 10, 30], [600, 400, 60, 150], (40, 4))
        found = estimator.estimate(make_scene(boxes)).value
        assert estimator.estimate(make_scene(boxes[::-1])).value == pytest.approx(found)

    def test_the_same_place_with_more_people_is_more_crowded(self, estimator, unit, make_scene):
        boxes = np.random.default_rng(3).uniform([200, 100, 30, 80], [300, 200, 40, 90], (60, 4))
        values = [estimator.estimate(make_scene(boxes[:n])).value for n in (1, 5, 20, 60)]
        assert values == sorted(values)
        assert values[0] == 1
        assert values[-1] > 3


def test_people_in_the_strip_beyond_the_whole_cells_alone_are_seen():
    boxes = np.array([[96, 10, 3, 10.0], [95, 10, 3, 10]])
    assert grid_crowding(boxes, SIZE, 30) == 2
    assert grid_crowding(np.array([[96, 10, 3, 10.0], [10, 10, 3, 10]]), SIZE, 30) == 1


def test_grid_metres_does_not_depend_on_the_images_scale(make_scene):
    boxes = np.random.default_rng(5).uniform([0, 0, 10, 30], [600, 400, 60, 150], (40, 4))
    small, large = make_scene(boxes), make_scene(boxes * 4, size=(4 * 480, 4 * 640))
    assert MetricGridEstimator().estimate(small) == MetricGridEstimator().estimate(large)


def test_boxes_too_small_for_metres_have_no_answer_and_cost_nothing(make_scene):
    tiny = make_scene(np.full((300, 4), 1.0), size=(3000, 4000))
    reason = "the boxes are too small for the image: there would be too many cells"
    assert MetricGridEstimator().estimate(tiny) == DensityEstimate.unknown("persons per 1 m cell", reason)
    smallest = make_scene([[0, 0, 5e-324, 5e-324]])
    assert MetricGridEstimator().estimate(smallest) == DensityEstimate.unknown("persons per 1 m cell", reason)
    assert GridEstimator().estimate(tiny).value == 300
