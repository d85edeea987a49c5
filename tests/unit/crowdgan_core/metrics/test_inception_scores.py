"""Inception score: recorded values, known answers, invalid probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics import inception_score
from tests.support.recorded_values import load_arrays, load_json


def test_the_score_equals_recorded_values() -> None:
    recorded = load_json("metrics/metrics")["inception_score"]
    result = inception_score(load_arrays("metrics/probabilities")["probabilities"])
    assert result == pytest.approx((recorded["mean"], recorded["std"]), rel=1e-5)


def test_certain_and_equally_frequent_classes_have_the_score_of_their_number() -> None:
    assert inception_score(np.tile(np.eye(7), (20, 1)), splits=10) == pytest.approx((7, 0))


def test_equal_probabilities_for_all_images_have_a_score_of_1() -> None:
    assert inception_score(np.tile([0.5, 0.3, 0.2, 0.0], (50, 1))) == pytest.approx((1, 0))


def test_splits_are_consecutive_and_nearly_equal() -> None:
    probabilities = np.eye(2)[[0, 0, 0, 1, 0, 1, 1]]  # splits of 3 and 4 images
    frequency = np.array([0.25, 0.75])
    scores = np.array([1, np.exp(-np.sum(frequency * np.log(frequency)))])
    assert inception_score(probabilities, splits=2) == pytest.approx((scores.mean(), scores.std()))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [-0.1, 1.1],
            "class probabilities: row 15 has the minimum -0.1 and the sum 1; probabilities are at least 0 and",
        ),
        (
            [0.7, 0.7],
            "class probabilities: row 15 has the minimum 0.7 and the sum 1.4; probabilities are at least 0 and",
        ),
        ([np.nan, 1.0], "class probabilities: row 15, column 0 is nan; values must be finite"),
    ],
)
def test_values_that_are_not_probabilities_are_refused(row: list[float], message: str) -> None:
    probabilities = np.full((20, 2), 0.5)
    probabilities[15] = row
    with pytest.raises(ConfigError) as error:
        inception_score(probabilities)
    assert str(error.value).startswith(message)


def test_fewer_images_than_splits_are_refused() -> None:
    with pytest.raises(ConfigError, match="^class probabilities: number of images is 9; at least 10 are needed$"):
        inception_score(np.full((9, 2), 0.5))
    with pytest.raises(ConfigError, match="^splits is 0; it must be at least 1$"):
        inception_score(np.full((9, 2), 0.5), splits=0)
