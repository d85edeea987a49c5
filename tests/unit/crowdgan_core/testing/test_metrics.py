"""The contract check of metrics accepts valid ones and describes each violation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from crowdgan_core.metrics.feature_metrics import extractor_metrics
from crowdgan_core.metrics.metric import Metric, MetricValue
from crowdgan_core.testing import check_metric


class Brightness:
    """Difference of mean brightness; attributes can be changed."""

    name, description, higher_is_better = "brightness", "difference of mean brightness; lower is better", False

    def __init__(self, **changes: Any) -> None:
        self.__dict__ |= changes

    def unavailable_reason(self, inputs: Any) -> Any:
        return None if inputs.real and inputs.generated else "needs two sets of images"

    def compute(self, inputs: Any, progress: Any) -> Any:
        means = [np.mean([batch.mean() for batch in images.batches(10)]) for images in (inputs.real, inputs.generated)]
        return {self.name: MetricValue(float(abs(means[0] - means[1])))}


@pytest.mark.parametrize("metric", [Brightness(), *extractor_metrics(["cell-colours"])], ids=lambda item: item.name)
def test_valid_metrics_pass(metric: Metric) -> None:
    check_metric(metric)


def computing(*values: Any) -> Any:
    """A metric that computes these values in turn."""
    results = iter([*values, *values])
    return Brightness(compute=lambda *_: next(results))


def _use_global_state(*_: Any) -> Any:
    np.random.standard_normal()
    return {"brightness": MetricValue(1.0)}


def raise_error(*_: Any) -> Callable[[], Any]:
    raise KeyError("real")


ONE = {"brightness": MetricValue(1.0)}


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Brightness(name=""), "name is ''; it must be text"),
        (Brightness(description=None), "description is None; it must be text"),
        (Brightness(higher_is_better="yes"), "higher_is_better must be True or False"),
        (Brightness(unavailable_reason=raise_error), "unavailable_reason raises KeyError('real'); it must return"),
        (Brightness(unavailable_reason=lambda _: ""), "unavailable_reason returned ''; it must return a text or None"),
        (Brightness(unavailable_reason=lambda _: "no"), "it cannot be computed from the inputs: no"),
        (computing(1.0), "compute returned 1.0; it must return a mapping of keys to MetricValue"),
        (computing({"brightness": 1.0}), "compute returned 'brightness': 1.0; keys are texts, and values MetricValue"),
        (computing({"brightness": MetricValue(np.nan)}), "the value of brightness is nan; it must be finite"),
        (computing({"brightness": MetricValue(1.0, -1.0)}), "the standard error of brightness is -1.0"),
        (computing(ONE, {"brightness": MetricValue(2.0)}), "compute must return the same values again"),
        (computing({"mean": MetricValue(1.0)}), "the key of the value is 'mean'; it must be 'brightness'"),
        (Brightness(ranking_key="mean"), "the key of the value is 'brightness'; it must be 'mean'"),
        (Brightness(compute=_use_global_state), "numpy's global random state must not change"),
        (Brightness(higher_is_better=True), "higher_is_better is True, but images like the real ones have the value"),
    ],
)
def test_each_violation_is_described(metric: Any, message: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_metric(metric)
    assert message in str(error.value)
