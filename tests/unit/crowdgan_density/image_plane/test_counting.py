"""`threshold` and `normalised`: counts of persons."""

from __future__ import annotations

import re

import pytest

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.counting import NormalisedCountEstimator, ThresholdEstimator, normalised_count

BOX = [10, 10, 20, 50]


def share(value: float, class_index: int) -> DensityEstimate:
    return DensityEstimate(value=value, unit="share of the dataset's range of counts", class_index=class_index)


@pytest.mark.parametrize(("persons", "class_index"), [(0, 0), (1, 0), (10, 0), (11, 1), (30, 1), (31, 2), (400, 2)])
def test_threshold_is_the_count_with_its_class(make_scene, persons, class_index):
    found = ThresholdEstimator().estimate(make_scene([BOX] * persons))
    assert found == DensityEstimate(value=persons, unit="persons", class_index=class_index)


def test_ignore_regions_are_not_persons(make_scene):
    assert ThresholdEstimator().estimate(make_scene([BOX] * 3, ignore=[0, 1, 0])).value == 2


def test_heads_alone_are_counted(heads_alone):
    assert ThresholdEstimator().estimate(heads_alone).value == 3
    assert NormalisedCountEstimator(count_min=1, count_max=5).estimate(heads_alone) == share(0.5, 1)


def test_bounds_of_threshold_are_options(make_scene):
    estimator = configure_estimator(ThresholdEstimator, {"sparse_up_to": "2", "medium_up_to": "3"})
    assert [estimator.estimate(make_scene([BOX] * n)).class_index for n in (2, 3, 4)] == [0, 1, 2]
    assert [item.name for item in estimator_options(ThresholdEstimator)] == ["sparse_up_to", "medium_up_to"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: ThresholdEstimator(sparse_up_to=30),
            "threshold: sparse_up_to is 30 and medium_up_to is 30; they must be finite and rise",
        ),
        (
            lambda: NormalisedCountEstimator(medium_from=float("nan")),
            "normalised: medium_from is nan and dense_above is 0.666; they must be finite and rise",
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
def test_options_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}$"):
        make()


def test_normalised_fits_the_range_of_counts_of_persons(make_scene):
    scenes = [make_scene([BOX] * n, ignore=[1] + [0] * (n - 1)) for n in (3, 5, 9)]
    fitted = NormalisedCountEstimator().fit(iter(scenes))
    assert fitted == NormalisedCountEstimator(count_min=2, count_max=8)
    assert [fitted.estimate(scene) for scene in scenes] == [share(0.0, 0), share(1 / 3, 1), share(1.0, 2)]


@pytest.mark.parametrize(("count", "class_index"), [(332, 0), (333, 1), (666, 1), (667, 2)])
def test_bounds_of_normalised_are_as_published(make_scene, count, class_index):
    estimator = NormalisedCountEstimator(count_min=0, count_max=1000)
    assert estimator.estimate(make_scene([BOX] * count)) == share(count / 1000, class_index)


def test_scenes_with_equal_counts_are_all_sparse(make_scene):
    scenes = [make_scene([BOX] * 7)] * 4
    fitted = NormalisedCountEstimator().fit(scenes)
    assert [fitted.estimate(scene) for scene in scenes] == [share(0.0, 0)] * 4


def test_a_dataset_of_empty_scenes_is_sparse(make_scene):
    assert NormalisedCountEstimator().fit([make_scene()]).estimate(make_scene()) == share(0.0, 0)


def test_new_scenes_are_measured_on_an_old_scale_and_may_leave_it(make_scene):
    estimator = configure_estimator(NormalisedCountEstimator, {"count_min": "2", "count_max": "6"})
    assert estimator.fit(never_read()) is estimator
    assert [estimator.estimate(make_scene([BOX] * n)).value for n in (0, 2, 4, 8)] == [-0.5, 0.0, 0.5, 1.5]


def never_read():
    raise AssertionError("a scale that is set needs no pass over the dataset")
    yield


def test_more_persons_than_an_even_scale_are_still_more(make_scene):
    estimator = NormalisedCountEstimator(count_min=7, count_max=7)
    assert [estimator.estimate(make_scene([BOX] * n)) for n in (7, 8)] == [share(0.0, 0), share(1.0, 2)]


def test_normalised_without_a_scale_is_an_error(make_scene):
    text = "normalised: the scale is not known yet; fit a dataset first, or set count_min and count_max"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        NormalisedCountEstimator().estimate(make_scene([BOX]))


def test_fitting_an_empty_dataset_is_an_error():
    text = "normalised: the dataset has no scenes; at least one is needed to fit the scale"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        NormalisedCountEstimator().fit([])


def test_a_scale_upside_down_is_an_error():
    text = "count_min is 5 and count_max is 2; count_min must not be above it"
    with pytest.raises(DensityError, match=f"^{re.escape(text)}$"):
        normalised_count(3, 5, 2)


def test_more_persons_give_larger_values(make_scene):
    scenes: list[Scene] = [make_scene([BOX] * n) for n in range(40)]
    for estimator in (ThresholdEstimator(), NormalisedCountEstimator().fit(scenes)):
        answers = [estimator.estimate(scene) for scene in scenes]
        values = [answer.value for answer in answers]
        assert values == sorted(set(values))
        assert [answer.class_index for answer in answers] == sorted(answer.class_index for answer in answers)
