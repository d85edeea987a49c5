"""`euclidean`: crowding from the distances between persons."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.pairwise import EuclideanEstimator, mean_distance_px, mean_spacing, pairwise_crowding

UNIT = "mean box widths per mean distance"
PAIR = np.array([[0.0, 0, 10, 40], [30, 0, 10, 40]])

sides = st.floats(1, 500)
places = st.floats(-500, 2000)
crowds = st.lists(st.tuples(places, places, sides, sides), min_size=2, max_size=12, unique=True).map(np.array)


def answer(value: float, class_index: int) -> DensityEstimate:
    return DensityEstimate(value=value, unit=UNIT, class_index=class_index)


def test_spacing_is_the_mean_distance_in_mean_widths():
    assert mean_distance_px(np.array([[0.0, 0], [3, 4], [0, 8]])) == pytest.approx((5 + 5 + 8) / 3)
    assert mean_spacing(PAIR) == pytest.approx(3.0)
    assert pairwise_crowding(PAIR) == pytest.approx(1 / 3)


@pytest.mark.parametrize("points", [2, 1023, 1024, 1025, 2500])
def test_mean_distance_is_that_over_all_pairs(points):
    line = np.column_stack([np.arange(points), np.zeros(points)])
    assert mean_distance_px(line) == pytest.approx((points + 1) / 3)


def test_spacing_of_one_person_is_an_error():
    text = "the distance between persons needs at least two of them; there are 1"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        mean_spacing(PAIR[:1])


def test_nobody_crowds_nobody_or_one_person(make_scene):
    assert EuclideanEstimator().estimate(make_scene()) == answer(0.0, 0)
    assert EuclideanEstimator().estimate(make_scene(PAIR[:1])) == answer(0.0, 0)


@pytest.mark.parametrize(("distance_px", "class_index"), [(31, 0), (29, 1), (16, 1), (14, 2), (1, 2)])
def test_people_close_together_are_dense_and_people_far_apart_sparse(make_scene, distance_px, class_index):
    found = EuclideanEstimator().estimate(make_scene([[0, 0, 10, 40], [distance_px, 0, 10, 40]]))
    assert found == answer(pytest.approx(10 / distance_px), class_index)


def test_the_bounds_themselves_belong_to_the_lower_class(make_scene):
    sixteen_widths = make_scene([[0, 0, 1, 4], [16, 0, 1, 4]])
    assert EuclideanEstimator(medium_above=1 / 16, dense_above=1).estimate(sixteen_widths).class_index == 0
    assert EuclideanEstimator(medium_above=1 / 32, dense_above=1 / 16).estimate(sixteen_widths).class_index == 1


def test_ignore_regions_and_persons_without_a_box_are_left_out(make_scene):
    boxes = [*PAIR, [500, 300, 400, 90], [np.nan] * 4, [7, 7, 0, 0]]
    assert EuclideanEstimator().estimate(make_scene(boxes, ignore=[0, 0, 1, 0, 0])) == answer(pytest.approx(1 / 3), 0)


def test_it_cannot_tell_when_most_persons_have_no_box(make_scene, heads_alone):
    few = make_scene([PAIR[0], [np.nan] * 4, [np.nan] * 4])
    assert EuclideanEstimator().estimate(few) == DensityEstimate.unknown(
        UNIT, "fewer than half of the persons have a full-body box"
    )
    assert EuclideanEstimator().estimate(heads_alone) == DensityEstimate.unknown(
        UNIT, "no person has a full-body box (heads alone)"
    )


def test_it_cannot_tell_when_all_centres_coincide(make_scene):
    same = make_scene([[10, 10, 20, 60], [10, 10, 20, 60], [0, 0, 40, 80]])
    assert EuclideanEstimator().estimate(same) == DensityEstimate.unknown(UNIT, "the centres of all persons coincide")


def test_people_beyond_the_border_and_larger_than_the_image_count_with_their_true_extent(make_scene):
    boxes = [[-300, -900, 700, 2500], [100, -900, 700, 2500]]
    assert EuclideanEstimator().estimate(make_scene(boxes)) == answer(pytest.approx(700 / 400), 2)


@given(crowds, st.floats(0.1, 10))
def test_image_scale_and_person_order_do_not_matter(crowd, scale):
    if np.ptp(crowd[:, :2] + crowd[:, 2:] / 2, axis=0).max() < 1e-3:
        return
    value = pairwise_crowding(crowd)
    assert value > 0
    assert pairwise_crowding(crowd * scale) == pytest.approx(value, rel=1e-9)
    assert pairwise_crowding(crowd[::-1]) == pytest.approx(value, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.9))
def test_the_same_people_closer_together_give_a_larger_value(seed, factor):
    places = np.random.default_rng(seed).uniform(0, 1000, (8, 2))
    loose, tight = (np.hstack([xy, np.full((8, 2), 30.0)]) for xy in (places, places * factor))
    assert pairwise_crowding(tight) == pytest.approx(pairwise_crowding(loose) / factor)


def test_bounds_that_do_not_rise_are_refused():
    text = "euclidean: medium_above is 0.7 and dense_above is 0.5; they must be finite and rise"
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        EuclideanEstimator(medium_above=0.7, dense_above=0.5)


def test_an_estimate_leaves_the_scene_as_it_was(make_scene):
    scene: Scene = make_scene(PAIR)
    before = scene.full_boxes.copy()
    EuclideanEstimator().estimate(scene)
    np.testing.assert_array_equal(scene.full_boxes, before)
