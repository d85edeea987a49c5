"""Contract check of a metric of generated images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import Metric, MetricInputs, MetricValue, ranking_key
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.testing.image_arrays import CellColours, ImageArrays, graded_images
from crowdgan_core.utils.progress import NullProgress

NUM_IMAGES = 60
"""Number of the example images."""

SIZE = (32, 32)
"""Size of the example images, `(height, width)` in pixels."""


@plugin_errors_fail()
def check_metric(metric: Metric, inputs: MetricInputs | None = None) -> None:
    """Checks a metric against the contract.

    - Name and description are texts, and `higher_is_better` is a bool.
    - `unavailable_reason` returns None or a text, also for inputs without images, generator and dataset.
    - `compute` returns finite values by key, the same again; the key of a single value is the name of the metric.
    - With the example inputs, images from the distribution of the real ones do not have a worse value than others.
    - The global random state of numpy does not change.

    Args:
        metric: the metric, as returned by the plugin's hook.
        inputs: inputs from which it can be computed, for example `crowdgan_core.metrics.inputs.EvaluationInputs` with
            a generator. None for examples: real images, images from the same distribution, and `CellColours` as the
            feature extractor `cell-colours`; without a generator and a dataset.

    Raises:
        AssertionError: the metric violates the contract; the message describes how.
    """
    _check_attributes(metric)
    _check_reason(metric, EvaluationInputs(num_images=NUM_IMAGES))
    examples = _example_inputs()
    reason = _check_reason(metric, inputs or examples)
    require(reason is None, f"it cannot be computed from the inputs: {reason}")
    state = repr(np.random.get_state())
    values = _compute(metric, inputs or examples)
    require(_compute(metric, inputs or examples) == values, "compute must return the same values again")
    require(state == repr(np.random.get_state()), "numpy's global random state must not change")
    key = ranking_key(metric)
    require(len(values) > 1 or key in values, f"the key of the value is {next(iter(values))!r}; it must be {key!r}")
    require(not hasattr(metric, "ranking_key") or key in values, f"ranking_key is {key!r}; keys are {list(values)}")
    if inputs is None and key in values:
        real = examples.real
        assert isinstance(real, ImageArrays)
        different = replace(examples, compared=ImageArrays(255 - real.images // 2))
        similar, other = values[key].value, _compute(metric, different)[key].value
        is_consistent = similar >= other if metric.higher_is_better else similar <= other
        found = f"images like the real ones have the value {similar:.4g}, others {other:.4g}"
        require(is_consistent, f"higher_is_better is {metric.higher_is_better}, but {found}")


def _check_attributes(metric: Metric) -> None:
    for key in ("name", "description"):
        text: Any = getattr(metric, key, None)
        require(isinstance(text, str) and bool(text.strip()), f"{key} is {text!r}; it must be text")
    is_bool = isinstance(getattr(metric, "higher_is_better", None), bool)
    require(is_bool, "higher_is_better must be True or False")


def _check_reason(metric: Metric, inputs: MetricInputs) -> str | None:
    try:
        reason: Any = metric.unavailable_reason(inputs)
    except Exception as error:  # the class's code may raise any exception
        raise AssertionError(f"unavailable_reason raises {error!r:.200}; it must return a text or None") from error
    is_valid = reason is None or (isinstance(reason, str) and bool(reason.strip()))
    require(is_valid, f"unavailable_reason returned {reason!r:.80}; it must return a text or None")
    checked: str | None = reason
    return checked


def _compute(metric: Metric, inputs: MetricInputs) -> Mapping[str, MetricValue]:
    values: Any = metric.compute(inputs, NullProgress())
    is_mapping = isinstance(values, Mapping) and bool(values)
    require(is_mapping, f"compute returned {values!r:.80}; it must return a mapping of keys to MetricValue")
    for key, value in values.items():
        is_value = isinstance(key, str) and isinstance(value, MetricValue)
        require(is_value, f"compute returned {key!r}: {value!r:.80}; keys are texts, and values MetricValue")
        require(math.isfinite(value.value), f"the value of {key} is {value.value}; it must be finite")
        error = value.standard_error
        require(error is None or 0 <= error < math.inf, f"the standard error of {key} is {error}; it must be finite")
    checked: Mapping[str, MetricValue] = values
    return checked


def _example_inputs() -> EvaluationInputs:
    """Real images, and images of the same distribution as generated ones."""
    real, compared = (graded_images(NUM_IMAGES, SIZE, seed)[0] for seed in (0, 1))
    return EvaluationInputs(
        real=real, compared=compared, num_images=NUM_IMAGES, device="cpu", extractors={CellColours.name: CellColours}
    )
