"""Peculiarities of the published tool; `tests/golden/test_reference_labels.py` compares full scenes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_density.image_plane.grid import count_boxes_per_cell
from crowdgan_density.image_plane.sg3_compat import (
    Sg3EuclideanEstimator,
    Sg3GridEstimator,
    Sg3GridMetresEstimator,
    Sg3NormalisedEstimator,
    Sg3ThresholdEstimator,
    floored_spacing,
    wrapped_counts,
)

BOX = [100, 100, 40, 100]


def slice_counts(boxes, size, cell_px):
    """Counts as in the published tool: one slice per box, whose end may be negative."""
    counts = np.zeros((int(size[0] / cell_px), int(size[1] / cell_px)), int)
    for x, y, width, height in boxes:
        columns = slice(max(0, int(x / cell_px)), int((x + width) / cell_px) + 1)
        counts[max(0, int(y / cell_px)) : int((y + height) / cell_px) + 1, columns] += 1
    return counts


@pytest.mark.parametrize(("rows", "class_index"), [(0, 0), (10, 0), (11, 1), (30, 1), (31, 2)])
def test_threshold_counts_ignore_regions_too(make_scene, rows, class_index):
    scene = make_scene([BOX] * rows, ignore=[1] * rows)
    assert Sg3ThresholdEstimator().estimate(scene) == DensityEstimate(
        value=rows, unit="annotated boxes", class_index=class_index
    )


def test_normalised_counts_all_rows_in_the_range_of_rows_tagged_person(make_scene):
    scenes = [
        make_scene([BOX] * 4, tagged_person=[1, 1, 0, 0], ignore=[0, 1, 1, 1]),
        make_scene([BOX] * 8, tagged_person=[1] * 7 + [0]),
    ]
    fitted = Sg3NormalisedEstimator().fit(iter(scenes))
    assert fitted == Sg3NormalisedEstimator(count_min=2, count_max=7)
    unit = "fraction of the dataset's count range"
    assert [fitted.estimate(scene) for scene in scenes] == [
        DensityEstimate(value=0.4, unit=unit, class_index=1),
        DensityEstimate(value=1.2, unit=unit, class_index=2),
    ]


def test_a_given_count_range_is_kept():
    estimator = configure_estimator(Sg3NormalisedEstimator, {"count_min": "1", "count_max": "391"})
    assert estimator.fit(unread_scenes()) is estimator


def unread_scenes():
    raise AssertionError("a given count range needs no pass over the dataset")
    yield


def test_normalised_with_equal_counts_is_an_error(make_scene):
    scene = make_scene([BOX] * 5)
    text = "sg3-normalised: all scenes have 5 people; the published tool stops with a division by 0"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3NormalisedEstimator().fit([scene]).estimate(scene)


def test_normalised_without_a_count_range_is_an_error(make_scene):
    text = "sg3-normalised: the count range is unknown; fit a dataset first, or set count_min and count_max"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3NormalisedEstimator().estimate(make_scene([BOX]))


def test_an_incomplete_count_range_is_an_error():
    text = (
        "sg3-normalised: count_min is None and count_max is 3; give both, with 0 <= count_min <= count_max, or neither"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        Sg3NormalisedEstimator(count_max=3)


def test_centres_are_floored():
    assert floored_spacing(np.array([[0.0, 0, 5, 9], [10, 0, 4, 9]])) == pytest.approx(10 / 4.5)


@pytest.mark.parametrize(("distance_px", "class_index"), [(14, 0), (15, 1), (29, 1), (30, 2), (300, 2)])
def test_euclidean_classifies_people_far_apart_as_dense(make_scene, distance_px, class_index):
    estimate = Sg3EuclideanEstimator().estimate(make_scene([[0, 0, 10, 40], [distance_px, 0, 10, 40]], ignore=[0, 1]))
    assert estimate == DensityEstimate(
        value=distance_px / 10, unit="spacing in mean box widths", class_index=class_index
    )


@pytest.mark.parametrize("boxes", [[], [BOX]])
def test_fewer_than_two_boxes_have_value_0_and_class_medium(make_scene, boxes):
    expected = DensityEstimate(value=0.0, unit="spacing in mean box widths", class_index=1)
    assert Sg3EuclideanEstimator().estimate(make_scene(boxes)) == expected


def test_euclidean_of_boxes_without_width_is_an_error(make_scene):
    text = "sg3-euclidean: the mean box width is 0 px; it must be above 0"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3EuclideanEstimator().estimate(make_scene([[0, 0, 0, 10], [5, 5, 0, 10]]))


@pytest.mark.parametrize("cell_px", [7.0, 9.99, 33.0, 70.0, 150.0])
def test_counts_equal_those_of_slices_that_wrap_around(cell_px):
    rng = np.random.default_rng(17)
    corners = rng.integers([-300, -300], [150, 120], (400, 2))
    boxes = np.hstack([corners, rng.integers(0, 200, (400, 2))]).astype(float)
    np.testing.assert_array_equal(wrapped_counts(boxes, (90, 120), cell_px), slice_counts(boxes, (90, 120), cell_px))


def test_a_box_left_of_the_image_wraps_around():
    box = np.array([[-50.0, 0, 20, 20]])
    np.testing.assert_array_equal(wrapped_counts(box, (20, 60), 10), [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(count_boxes_per_cell(box, (20, 60), 10), np.zeros((3, 7)))


def test_grids_count_ignore_regions_too(make_scene):
    scene = make_scene([BOX] * 3, ignore=[0, 1, 1])
    assert Sg3GridEstimator().estimate(scene) == DensityEstimate(
        value=3.0, unit="annotated boxes per cell", class_index=2
    )
    assert Sg3GridMetresEstimator().estimate(scene) == DensityEstimate(
        value=3.0, unit="annotated boxes per 1 m cell", class_index=2
    )


@pytest.mark.parametrize("estimator", [Sg3GridEstimator(), Sg3GridMetresEstimator()])
def test_a_scene_without_boxes_is_an_error_for_the_grids(estimator, make_scene):
    text = f"{estimator.name}: there are no boxes with a size; the published tool stops with an error"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        estimator.estimate(make_scene())


def test_a_person_taller_than_the_image_is_an_error(make_scene):
    text = "sg3-grid-metres: no box touches a whole cell of 1.19e+03 px; the published tool stops with an error"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetresEstimator().estimate(make_scene([[0, -500, 800, 2000]]))


def test_boxes_without_height_are_an_error(make_scene):
    text = "sg3-grid-metres: there are no boxes with a size; the published tool stops with an error"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetresEstimator().estimate(make_scene([[0, 0, 10, 0]]))


def test_too_many_cells_are_an_error(make_scene):
    text = "cells of 0.593 px in an image of 4000x3000 px are more than 10000000; the boxes are too small"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetresEstimator().estimate(make_scene([[5, 5, 1, 1]], size=(3000, 4000)))


@pytest.mark.parametrize("estimator", [Sg3EuclideanEstimator(), Sg3GridEstimator(), Sg3GridMetresEstimator()])
def test_the_density_of_heads_only_is_unknown(estimator, heads_only):
    expected = DensityEstimate.unknown(
        estimator.unit, "only heads are annotated; the published tool needs full-body boxes"
    )
    assert estimator.estimate(heads_only) == expected
