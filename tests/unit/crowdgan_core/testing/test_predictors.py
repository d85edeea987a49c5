"""The contract check of density predictors accepts valid ones and describes each violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.metrics.predictor import DensityPredictor
from crowdgan_core.testing import check_density_predictor


class Brightness(DensityPredictor):
    """Mean brightness, scaled to the numbers; a function changes the predictions."""

    name = "brightness"
    description = "mean brightness"
    change: ClassVar[Callable[[Any, Any], Any]] = staticmethod(lambda predictions, images: predictions)

    def __init__(self, slope: float, intercept: float) -> None:
        self.slope, self.intercept = slope, intercept

    @classmethod
    def fit(cls, images: Any, targets: Any, **_: Any) -> Any:
        (pixels,) = images.batches(len(images))
        return cls(*np.polyfit(pixels.mean(axis=(1, 2, 3)), targets, 1))

    def predict(self, images: Any) -> Any:
        return self.change(self.slope * images.mean(axis=(1, 2, 3)) + self.intercept, images)


def test_a_valid_predictor_passes() -> None:
    check_density_predictor(Brightness)


def _modify(predictions: Any, images: Any) -> Any:
    images[0, 0, 0] += 1
    return predictions


def _use_global_state(predictions: Any, images: Any) -> Any:
    np.random.standard_normal()
    return predictions


def _count_calls() -> Callable[[Any, Any], Any]:
    calls: list[int] = []

    def change(predictions: Any, images: Any) -> Any:
        calls.append(0)
        return predictions + len(calls)

    return change


def _fit_at_random() -> Any:
    slopes = iter((1.0, 2.0))
    return classmethod(lambda cls, *_, **__: cls(next(slopes), 0.0))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": "Mean Brightness"}, "name is 'Mean Brightness'; it may contain lower-case letters, digits and"),
        ({"description": ""}, "description is ''; it must be text"),
        ({"unavailable_reason": classmethod(lambda cls: "no torch")}, "it is not available here: no torch"),
        ({"fit": classmethod(lambda cls, *_, **__: None)}, "fit returned NoneType, not a DensityPredictor"),
        ({"fit": _fit_at_random()}, "fitted again with the same seed, it must predict the same numbers"),
        ({"change": lambda self, values, images: values.tolist()}, "it must return one number per image, an array"),
        ({"change": lambda self, values, images: values[:, None]}, "predict returned 'float64 [40, 1]'"),
        ({"change": lambda self, values, images: values * np.nan}, "predictions must be finite"),
        ({"change": lambda self, values, images: -values}, "the predictions of bright images, which have large"),
        ({"change": lambda self, values, images: values - values[0]}, "depends on the other images of the batch"),
        ({"change": staticmethod(_modify)}, "predict must not modify the images"),
        ({"change": staticmethod(_count_calls())}, "predictions must be the same again"),
        ({"change": staticmethod(_use_global_state)}, "the global random states of Python and numpy must not change"),
    ],
)
def test_each_violation_is_described(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_density_predictor(type("Invalid", (Brightness,), attributes))
    assert message in str(error.value)


def test_a_class_that_is_not_a_predictor_is_described() -> None:
    with pytest.raises(AssertionError, match="<class 'int'> must be a subclass of DensityPredictor"):
        check_density_predictor(int)  # type: ignore[arg-type]
