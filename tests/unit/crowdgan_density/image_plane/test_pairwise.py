"""`euclidean`: density from pairwise distances between people."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.pairwise import (
    MIN_SPACING,
    EuclideanEstimator,
    mean_pairwise_distance_px,
    mean_spacing,
    pairwise_density,
)

UNIT = "mean box widths per mean distance"
PAIR = np.array([[0.0, 0, 10, 40], [30, 0, 10, 40]])

sides = st.floats(1, 500)
coordinates = st.floats(-500, 2000)
crowds = st.lists(st.tuples(coordinates, coordinates, sides, sides), min_size=2, max_size=12, unique=True).map(np.array)


def expected_estimate(value: float, class_index: int) -> DensityEstimate:
    return DensityEstimate(value=value, unit=UNIT, class_index=class_index)


def test_spacing_is_the_mean_distance_in_mean_widths():
    assert mean_pairwise_distance_px(np.array([[0.0, 0], [3, 4], [0, 8]])) == pytest.approx((5 + 5 + 8) / 3)
    assert mean_spacing(PAIR) == pytest.approx(3.0)
    assert pairwise_density(PAIR) == pytest.approx(1 / 3)


@pytest.mark.parametrize("points", [2, 1023, 1024, 1025, 2500])
def test_the_mean_distance_is_over_all_pairs(points):
    line = np.column_stack([np.arange(points), np.zeros(points)])
    assert mean_pairwise_distance_px(line) == pytest.approx((points + 1) / 3)


def test_spacing_of_one_person_is_an_error():
    text = "there are 1 people; the mean distance between people needs at least 2"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        mean_spacing(PAIR[:1])


def test_the_density_of_fewer_than_two_people_is_0(make_scene):
    assert EuclideanEstimator().estimate(make_scene()) == expected_estimate(0.0, 0)
    assert EuclideanEstimator().estimate(make_scene(PAIR[:1])) == expected_estimate(0.0, 0)


@pytest.mark.parametrize(("distance_px", "class_index"), [(31, 0), (29, 1), (16, 1), (14, 2), (1, 2)])
def test_people_close_together_are_dense_and_people_far_apart_sparse(make_scene, distance_px, class_index):
    estimate = EuclideanEstimator().estimate(make_scene([[0, 0, 10, 40], [distance_px, 0, 10, 40]]))
    assert estimate == expected_estimate(pytest.approx(10 / distance_px), class_index)


def test_a_value_equal_to_a_class_boundary_belongs_to_the_lower_class(make_scene):
    scene = make_scene([[0, 0, 1, 4], [16, 0, 1, 4]])
    assert EuclideanEstimator(medium_above=1 / 16, dense_above=1).estimate(scene).class_index == 0
    assert EuclideanEstimator(medium_above=1 / 32, dense_above=1 / 16).estimate(scene).class_index == 1


def test_ignore_regions_and_people_without_a_box_are_skipped(make_scene):
    boxes = [*PAIR, [500, 300, 400, 90], [np.nan] * 4, [7, 7, 0, 0]]
    assert EuclideanEstimator().estimate(make_scene(boxes, ignore=[0, 0, 1, 0, 0])) == expected_estimate(
        pytest.approx(1 / 3), 0
    )


def test_the_density_is_unknown_if_most_people_have_no_box(make_scene, heads_only):
    few = make_scene([PAIR[0], [np.nan] * 4, [np.nan] * 4])
    assert EuclideanEstimator().estimate(few) == DensityEstimate.unknown(
        UNIT, "fewer than half of the people have a full-body box"
    )
    assert EuclideanEstimator().estimate(heads_only) == DensityEstimate.unknown(
        UNIT, "no person has a full-body box (only heads are annotated)"
    )


def test_the_density_is_unknown_if_all_centres_coincide(make_scene):
    same = make_scene([[10, 10, 20, 60], [10, 10, 20, 60], [0, 0, 40, 80]])
    assert EuclideanEstimator().estimate(same) == DensityEstimate.unknown(UNIT, "all box centres coincide")


@pytest.mark.parametrize("distance_px", [1e-12, 1e-9, 1e-3, 0.19])
def test_the_density_is_unknown_if_centres_coincide_within_the_precision_of_boxes(make_scene, distance_px):
    scene = make_scene([[10, 10, 20, 60], [10 + distance_px, 10, 20, 60]])
    assert EuclideanEstimator().estimate(scene) == DensityEstimate.unknown(UNIT, "all box centres coincide")


def test_the_density_is_known_above_the_precision_of_boxes(make_scene):
    assert EuclideanEstimator().estimate(make_scene([[10, 10, 20, 60], [10.21, 10, 20, 60]])).value > 90


def test_boxes_are_not_clipped_to_the_image(make_scene):
    boxes = [[-300, -900, 700, 2500], [100, -900, 700, 2500]]
    assert EuclideanEstimator().estimate(make_scene(boxes)) == expected_estimate(pytest.approx(700 / 400), 2)


@given(crowds, st.floats(0.1, 10))
def test_image_scale_and_order_of_people_do_not_matter(crowd, scale):
    if mean_spacing(crowd) < 1.001 * MIN_SPACING:
        return
    value = pairwise_density(crowd)
    assert value > 0
    assert pairwise_density(crowd * scale) == pytest.approx(value, rel=1e-9)
    assert pairwise_density(crowd[::-1]) == pytest.approx(value, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.9))
def test_people_closer_together_have_a_larger_density(seed, factor):
    centres = np.random.default_rng(seed).uniform(0, 1000, (8, 2))
    loose, tight = (np.hstack([xy, np.full((8, 2), 30.0)]) for xy in (centres, centres * factor))
    assert pairwise_density(tight) == pytest.approx(pairwise_density(loose) / factor)


def test_class_boundaries_that_do_not_increase_are_an_error():
    text = (
        "euclidean: medium_above is 0.7 and dense_above is 0.5; "
        "they must be finite, and medium_above must be below dense_above"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        EuclideanEstimator(medium_above=0.7, dense_above=0.5)


def test_estimating_does_not_change_the_scene(make_scene):
    scene: Scene = make_scene(PAIR)
    before = scene.full_boxes.copy()
    EuclideanEstimator().estimate(scene)
    np.testing.assert_array_equal(scene.full_boxes, before)
