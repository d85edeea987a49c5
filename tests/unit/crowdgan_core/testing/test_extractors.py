"""The contract check of feature extractors accepts valid ones and describes each violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.features import GridColours

from crowdgan_core.testing import check_feature_extractor


class ChangedColours(GridColours):
    """An extractor whose features a function changes."""

    def __init__(self, change: Callable[[Any, Any], Any]) -> None:
        self._change = change

    def features(self, images: Any) -> Any:
        return self._change(super().features(images), images)


def test_a_valid_extractor_passes() -> None:
    check_feature_extractor(GridColours.load())


def _modifies_images(valid: Any, images: Any) -> Any:
    images[0, 0, 0] += 1
    return valid


def _uses_global_random_state(valid: Any, images: Any) -> Any:
    np.random.standard_normal()
    return valid


def _differs_in_each_call() -> Callable[[Any, Any], Any]:
    calls: list[int] = []

    def change(valid: Any, images: Any) -> Any:
        calls.append(0)
        return valid + np.float32(len(calls))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda valid, images: valid.tolist(), "images of 64x64 px: features returned list, not an array"),
        (lambda valid, images: valid.astype(float), "features returned float64, not float32"),
        (lambda valid, images: valid[:-1], "features have shape (5, 96), not (6, num_features)"),
        (lambda valid, images: valid[:, :, None], "features have shape (6, 96, 1), not (6, num_features)"),
        (lambda valid, images: valid * np.float32(np.nan), "features must be finite"),
        (lambda valid, images: valid - valid.mean(axis=0), "depend on the other images of the batch"),
        (lambda valid, images: valid + np.arange(len(valid), dtype="f4")[:, None], "depend on the other images"),
        (lambda valid, images: np.zeros_like(valid), "different images must have different features"),
        (
            lambda valid, images: valid[:, : images.shape[1]],
            "the number of features depends on the image size: [48, 64",
        ),
        (_modifies_images, "features must not modify the images"),
        (_uses_global_random_state, "the global random states of Python and numpy must not change"),
        (_differs_in_each_call(), "features must be the same again"),
    ],
)
def test_each_violation_is_described(change: Callable[[Any, Any], Any], message: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_feature_extractor(ChangedColours(change))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("name", "Grid Colours", "name is 'Grid Colours'; it may contain lower-case letters, digits and hyphens"),
        ("description", "", "description is ''; it must be text"),
        ("fingerprint", "", "fingerprint is ''; it must be text"),
        ("weights_file", "weights.pt", "weights_file is 'weights.pt'; it must be a WeightsFile or None"),
    ],
)
def test_invalid_attributes_are_described(attribute: str, value: str, message: str) -> None:
    invalid = type("Invalid", (GridColours,), {attribute: value})
    with pytest.raises(AssertionError) as error:
        check_feature_extractor(invalid())
    assert str(error.value) == message


def test_a_class_that_is_not_an_extractor_is_described() -> None:
    with pytest.raises(AssertionError, match="object must be a subclass of FeatureExtractor"):
        check_feature_extractor(object())  # type: ignore[arg-type]
