"""The original tool's quirks, one by one; `tests/golden/test_reference_labels.py` compares whole scenes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_density.image_plane.grid import count_boxes_per_cell
from crowdgan_density.image_plane.sg3_compat import (
    Sg3Euclidean,
    Sg3Grid,
    Sg3GridMetres,
    Sg3Normalised,
    Sg3ThresholdEstimator,
    floored_spacing,
    wrapped_counts,
)

BOX = [100, 100, 40, 100]


def slices_counts(boxes, size, cell_px):
    """The quirk itself: one slice per box, whose end may be negative."""
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


def test_normalised_counts_all_rows_on_the_scale_of_rows_tagged_person(make_scene):
    scenes = [
        make_scene([BOX] * 4, tagged_person=[1, 1, 0, 0], ignore=[0, 1, 1, 1]),
        make_scene([BOX] * 8, tagged_person=[1] * 7 + [0]),
    ]
    fitted = Sg3Normalised().fit(iter(scenes))
    assert fitted == Sg3Normalised(count_min=2, count_max=7)
    unit = "share of the dataset's range of counts"
    assert [fitted.estimate(scene) for scene in scenes] == [
        DensityEstimate(value=0.4, unit=unit, class_index=1),
        DensityEstimate(value=1.2, unit=unit, class_index=2),
    ]


def test_a_scale_that_is_set_is_kept():
    estimator = configure_estimator(Sg3Normalised, {"count_min": "1", "count_max": "391"})
    assert estimator.fit(never_read()) is estimator


def never_read():
    raise AssertionError("a scale that is set needs no pass over the dataset")
    yield


def test_normalised_divides_by_zero_where_all_scenes_have_equal_counts(make_scene):
    scene = make_scene([BOX] * 5)
    text = "sg3-normalised: all scenes have 5 persons; the original divides by 0 there"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3Normalised().fit([scene]).estimate(scene)


def test_normalised_without_a_scale_is_an_error(make_scene):
    text = "sg3-normalised: the scale is not known yet; fit a dataset first, or set count_min and count_max"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3Normalised().estimate(make_scene([BOX]))


def test_half_a_scale_is_refused():
    text = (
        "sg3-normalised: count_min is None and count_max is 3; give both, with 0 <= count_min <= count_max, or neither"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        Sg3Normalised(count_max=3)


def test_centres_are_floored():
    assert floored_spacing(np.array([[0.0, 0, 5, 9], [10, 0, 4, 9]])) == pytest.approx(10 / 4.5)


@pytest.mark.parametrize(("distance_px", "class_index"), [(14, 0), (15, 1), (29, 1), (30, 2), (300, 2)])
def test_euclidean_calls_people_far_apart_dense(make_scene, distance_px, class_index):
    found = Sg3Euclidean().estimate(make_scene([[0, 0, 10, 40], [distance_px, 0, 10, 40]], ignore=[0, 1]))
    assert found == DensityEstimate(value=distance_px / 10, unit="spacing in mean box widths", class_index=class_index)


@pytest.mark.parametrize("boxes", [[], [BOX]])
def test_the_spacing_of_fewer_than_two_boxes_is_written_as_0_and_keeps_class_1(make_scene, boxes):
    expected = DensityEstimate(value=0.0, unit="spacing in mean box widths", class_index=1)
    assert Sg3Euclidean().estimate(make_scene(boxes)) == expected


def test_euclidean_of_boxes_without_width_is_an_error(make_scene):
    text = "sg3-euclidean: the mean box width is 0 px; it must be above 0"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3Euclidean().estimate(make_scene([[0, 0, 0, 10], [5, 5, 0, 10]]))


@pytest.mark.parametrize("cell_px", [7.0, 9.99, 33.0, 70.0, 150.0])
def test_counts_equal_slices_that_wrap_around(cell_px):
    rng = np.random.default_rng(17)
    corners = rng.integers([-300, -300], [150, 120], (400, 2))
    boxes = np.hstack([corners, rng.integers(0, 200, (400, 2))]).astype(float)
    np.testing.assert_array_equal(wrapped_counts(boxes, (90, 120), cell_px), slices_counts(boxes, (90, 120), cell_px))


def test_a_box_left_of_the_image_covers_it_from_the_other_side():
    box = np.array([[-50.0, 0, 20, 20]])
    np.testing.assert_array_equal(wrapped_counts(box, (20, 60), 10), [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(count_boxes_per_cell(box, (20, 60), 10), np.zeros((3, 7)))


def test_grids_count_ignore_regions_too(make_scene):
    scene = make_scene([BOX] * 3, ignore=[0, 1, 1])
    assert Sg3Grid().estimate(scene) == DensityEstimate(value=3.0, unit="annotated boxes per cell", class_index=2)
    assert Sg3GridMetres().estimate(scene) == DensityEstimate(
        value=3.0, unit="annotated boxes per 1 m cell", class_index=2
    )


@pytest.mark.parametrize("estimator", [Sg3Grid(), Sg3GridMetres()])
def test_a_scene_without_boxes_is_an_error_for_the_grids(estimator, make_scene):
    text = f"{estimator.name}: no boxes with a size; the original stops with an error there"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        estimator.estimate(make_scene())


def test_a_person_taller_than_the_image_is_an_error(make_scene):
    text = "sg3-grid-metres: no box touches a whole cell of 1.19e+03 px; the original stops with an error there"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetres().estimate(make_scene([[0, -500, 800, 2000]]))


def test_boxes_without_height_have_no_metre(make_scene):
    text = "sg3-grid-metres: no boxes with a size; the original stops with an error there"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetres().estimate(make_scene([[0, 0, 10, 0]]))


def test_too_many_cells_are_an_error(make_scene):
    text = "cells of 0.593 px in an image of 4000x3000 px are more than 10000000; the boxes are too small"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        Sg3GridMetres().estimate(make_scene([[5, 5, 1, 1]], size=(3000, 4000)))


@pytest.mark.parametrize("estimator", [Sg3Euclidean(), Sg3Grid(), Sg3GridMetres()])
def test_they_cannot_tell_from_heads_alone(estimator, heads_alone):
    expected = DensityEstimate.unknown(estimator.unit, "heads alone; the original tool reads full-body boxes")
    assert estimator.estimate(heads_alone) == expected
