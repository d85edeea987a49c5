"""Calls of density estimators; what a plugin's estimator returns is checked here."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import KIND
from crowdgan_core.utils.plugin_calls import plugin_call, require_result

if TYPE_CHECKING:
    from crowdgan_core.density.layers import Layer
    from crowdgan_core.scenes.scene import Scene


def fit_estimator(estimator: DensityEstimator, scenes: Iterable[Scene]) -> DensityEstimator:
    """The estimator fitted to scenes.

    Raises:
        DensityError, ConfigError: the estimator cannot be fitted to these scenes.
        PluginError: another exception in its code, or a result that is not an estimator of the same name.
    """
    where = "fitting to the dataset"
    with plugin_call(KIND, estimator, where):
        fitted = estimator.fit(scenes)
    name = getattr(fitted, "name", None)
    require_result(
        name == estimator.name, KIND, estimator, where, f"fit returned {fitted!r:.80}; it must return the estimator"
    )
    return fitted


def estimate_scene(estimator: DensityEstimator, scene: Scene) -> DensityEstimate:
    """The density of one scene, or the reason why it is unknown.

    The value is finite, and the class is one of the estimator's.

    Raises:
        DensityError: the estimator must be fitted first, or the definition of the density requires an error.
        PluginError: another exception in the estimator's code, or an invalid estimate; the message names the
            estimator and the image.
    """
    where = f"image {scene.source_name}"
    with plugin_call(KIND, estimator, where):
        estimate: Any = estimator.estimate(scene)  # a plugin's types are not checked statically
    require = partial(require_result, kind=KIND, provided=estimator, where=where)
    is_estimate = isinstance(estimate, DensityEstimate)
    require(is_estimate, problem=f"estimate returned {type(estimate).__name__}; it must return a DensityEstimate")
    unit = estimate.unit
    require(unit == estimator.unit, problem=f"unit is {unit!r:.80}; the estimator's unit is {estimator.unit!r:.80}")
    if estimate.value is None:
        require(isinstance(estimate.reason, str), problem=f"reason is {estimate.reason!r:.80}; it must be a string")
        return DensityEstimate.unknown(estimator.unit, estimate.reason)
    return _known_estimate(estimator, estimate, where)


def explain_scene(estimator: DensityEstimator, scene: Scene) -> tuple[Layer, ...]:
    """The overlay layers of one scene.

    Raises:
        DensityError: as for `estimate_scene`.
        PluginError: another exception in the estimator's code, or a result that is not a list or tuple of layers.
    """
    from crowdgan_core.density.layers import Layer  # imports numpy, which lists of commands do not need

    where = f"explain: image {scene.source_name}"
    with plugin_call(KIND, estimator, where):
        layers: Any = estimator.explain(scene)  # a plugin's types are not checked statically
    require = partial(require_result, kind=KIND, provided=estimator, where=where)
    is_sequence = isinstance(layers, (list, tuple))
    require(is_sequence, problem=f"it returned {type(layers).__name__}; it must return a list or tuple of layers")
    for layer in layers:
        problem = f"it returned {layer!r:.80}; it must return layers of crowdgan_core.density.layers"
        require(isinstance(layer, Layer), problem=problem)
    return tuple(layers)


def exact_class_bounds(estimator: DensityEstimator) -> ClassBounds | None:
    """The class boundaries that an estimator states; None if it states none.

    Raises:
        PluginError: an exception in the estimator's code, or boundaries that do not match its classes.
    """
    where = "class boundaries"
    with plugin_call(KIND, estimator, where):
        bounds: Any = getattr(estimator, "class_bounds", None)
        num_classes = len(estimator.classes)
    if bounds is None:
        return None
    require = partial(require_result, kind=KIND, provided=estimator, where=where)
    is_bounds = isinstance(bounds, ClassBounds)
    require(is_bounds, problem=f"class_bounds is {bounds!r:.80}; it must be ClassBounds or None")
    count = len(bounds.values)
    require(count == num_classes - 1, problem=f"there are {count} boundaries for {num_classes} classes")
    known = [item.name for item in fields(estimator) if item.init]  # type: ignore[arg-type]
    unknown = [name for name in bounds.options if name not in known]
    problem = f"options of class_bounds are {bounds.options}; the options are {', '.join(known) or 'none'}"
    require(not unknown, problem=problem)
    checked: ClassBounds = replace(bounds, values=tuple(map(float, bounds.values)))
    return checked


def _known_estimate(estimator: DensityEstimator, estimate: Any, where: str) -> DensityEstimate:
    """The estimate with a Python float and int, which a dataset stores, in place of numbers of other types."""
    require = partial(require_result, kind=KIND, provided=estimator, where=where)
    num_classes = len(estimator.classes)
    value = _number(estimate.value)
    require(math.isfinite(value), problem=f"value is {estimate.value!r:.80}; it must be a finite number")
    index = _class_index(estimate.class_index)
    problem = f"class_index is {estimate.class_index!r:.80}; it must be from 0 to {num_classes - 1}"
    require(0 <= index < num_classes, problem=problem)
    interval = estimate.interval
    if interval is not None:
        interval = _interval(interval)
        problem = f"interval is {estimate.interval!r:.80}; it must be two finite numbers, the lower bound first"
        require(interval is not None, problem=problem)
    peak = None if estimate.peak is None else _number(estimate.peak)
    problem = f"peak is {estimate.peak!r:.80}; it must be a finite number"
    require(peak is None or math.isfinite(peak), problem=problem)
    checked: DensityEstimate = replace(estimate, value=value, class_index=index, interval=interval, peak=peak)
    return checked


def _interval(value: Any) -> tuple[float, float] | None:
    """The bounds as floats; None if they are not two finite numbers in ascending order."""
    try:
        low, high = map(_number, value)
    except (TypeError, ValueError):
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low <= high else None


def _number(value: Any) -> float:
    """The value as a float; NaN if it is not a number."""
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _class_index(value: Any) -> int:
    """The value as an int; -1 if it is not a whole number."""
    try:
        return operator.index(value)
    except TypeError:
        return -1
