"""`threshold` and `normalised`: person counts."""

from __future__ import annotations

import re

import pytest

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator, normalised_count

BOX = [10, 10, 20, 50]


def expected_estimate(value: float, class_index: int) -> DensityEstimate:
    return DensityEstimate(value=value, unit="fraction of the dataset's count range", class_index=class_index)


@pytest.mark.parametrize(("num_people", "class_index"), [(0, 0), (1, 0), (10, 0), (11, 1), (30, 1), (31, 2), (400, 2)])
def test_threshold_is_the_person_count_with_its_class(make_scene, num_people, class_index):
    estimate = ThresholdEstimator().estimate(make_scene([BOX] * num_people))
    assert estimate == DensityEstimate(value=num_people, unit="persons", class_index=class_index)


def test_ignore_regions_are_not_counted(make_scene):
    assert ThresholdEstimator().estimate(make_scene([BOX] * 3, ignore=[0, 1, 0])).value == 2


def test_head_points_are_counted(heads_only):
    assert ThresholdEstimator().estimate(heads_only).value == 3
    assert NormalisedCountEstimator(count_min=1, count_max=5).estimate(heads_only) == expected_estimate(0.5, 1)


def test_class_boundaries_of_threshold_are_options(make_scene):
    estimator = configure_estimator(ThresholdEstimator, {"sparse_up_to": "2", "medium_up_to": "3"})
    assert [estimator.estimate(make_scene([BOX] * n)).class_index for n in (2, 3, 4)] == [0, 1, 2]
    assert [item.name for item in estimator_options(ThresholdEstimator)] == ["sparse_up_to", "medium_up_to"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: ThresholdEstimator(sparse_up_to=30),
            "threshold: sparse_up_to is 30 and medium_up_to is 30; "
            "they must be finite, and sparse_up_to must be below medium_up_to",
        ),
        (
            lambda: NormalisedCountEstimator(medium_from=float("nan")),
            "normalised: medium_from is nan and dense_above is 0.666; "
            "they must be finite, and medium_from must be below dense_above",
        ),
        (
            lambda: NormalisedCountEstimator(count_min=3),
            "normalised: count_min is 3 and count_max is None; give both, with 0 <= count_min <= count_max, or neither",
        ),
        (
            lambda: NormalisedCountEstimator(count_min=3, count_max=2),
            "normalised: count_min is 3 and count_max is 2; give both, with 0 <= count_min <= count_max, or neither",
        ),
        (
            lambda: NormalisedCountEstimator(count_min=-1, count_max=2),
            "normalised: count_min is -1 and count_max is 2; give both, with 0 <= count_min <= count_max, or neither",
        ),
    ],
)
def test_invalid_options_are_an_error(make, text):
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        make()


def test_normalised_fits_the_range_of_person_counts(make_scene):
    scenes = [make_scene([BOX] * n, ignore=[1] + [0] * (n - 1)) for n in (3, 5, 9)]
    fitted = NormalisedCountEstimator().fit(iter(scenes))
    assert fitted == NormalisedCountEstimator(count_min=2, count_max=8)
    assert [fitted.estimate(scene) for scene in scenes] == [
        expected_estimate(0.0, 0),
        expected_estimate(1 / 3, 1),
        expected_estimate(1.0, 2),
    ]


@pytest.mark.parametrize(("count", "class_index"), [(332, 0), (333, 1), (666, 1), (667, 2)])
def test_class_boundaries_of_normalised_are_as_published(make_scene, count, class_index):
    estimator = NormalisedCountEstimator(count_min=0, count_max=1000)
    assert estimator.estimate(make_scene([BOX] * count)) == expected_estimate(count / 1000, class_index)


def test_scenes_with_equal_counts_are_sparse(make_scene):
    scenes = [make_scene([BOX] * 7)] * 4
    fitted = NormalisedCountEstimator().fit(scenes)
    assert [fitted.estimate(scene) for scene in scenes] == [expected_estimate(0.0, 0)] * 4


def test_a_dataset_of_empty_scenes_is_sparse(make_scene):
    assert NormalisedCountEstimator().fit([make_scene()]).estimate(make_scene()) == expected_estimate(0.0, 0)


def test_counts_outside_a_given_range_are_below_0_or_above_1(make_scene):
    estimator = configure_estimator(NormalisedCountEstimator, {"count_min": "2", "count_max": "6"})
    assert estimator.fit(unread_scenes()) is estimator
    assert [estimator.estimate(make_scene([BOX] * n)).value for n in (0, 2, 4, 8)] == [-0.5, 0.0, 0.5, 1.5]


def unread_scenes():
    raise AssertionError("a given count range needs no pass over the dataset")
    yield


def test_a_range_with_equal_ends_has_a_divisor_of_1(make_scene):
    estimator = NormalisedCountEstimator(count_min=7, count_max=7)
    assert [estimator.estimate(make_scene([BOX] * n)) for n in (7, 8)] == [
        expected_estimate(0.0, 0),
        expected_estimate(1.0, 2),
    ]


def test_normalised_without_a_count_range_is_an_error(make_scene):
    text = "normalised: the count range is unknown; fit a dataset first, or set count_min and count_max"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        NormalisedCountEstimator().estimate(make_scene([BOX]))


def test_fitting_an_empty_dataset_is_an_error():
    text = "normalised: the dataset has no scenes; fitting the count range needs at least one"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        NormalisedCountEstimator().fit([])


def test_a_reversed_count_range_is_an_error():
    text = "count_min is 5 and count_max is 2; count_min must not be above it"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        normalised_count(3, 5, 2)


def test_values_and_classes_increase_with_the_count(make_scene):
    scenes: list[Scene] = [make_scene([BOX] * n) for n in range(40)]
    for estimator in (ThresholdEstimator(), NormalisedCountEstimator().fit(scenes)):
        estimates = [estimator.estimate(scene) for scene in scenes]
        values = [estimate.value for estimate in estimates]
        assert values == sorted(set(values))
        assert [estimate.class_index for estimate in estimates] == sorted(
            estimate.class_index for estimate in estimates
        )
