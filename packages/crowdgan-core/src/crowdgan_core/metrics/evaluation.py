"""Evaluation: selects metrics, refuses those that cannot be computed, computes the others, and reports the values."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_core.io import codec
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import Metric, MetricValue
from crowdgan_core.metrics.options import DEFAULT_NUM_IMAGES
from crowdgan_core.utils.flags import format_size
from crowdgan_core.utils.plugin_calls import plugin_call, require_result
from crowdgan_core.utils.progress import NullProgress, Progress

FORMAT_VERSION = 1
"""Version of the report's JSON."""

DEFAULT_METRICS = ("kid_{0}", "fd_{0}", "pr_{0}")
"""Default metrics with the name of a feature extractor."""

FIDELITY_METRIC = "density_fidelity"
"""Default metric of datasets with densities, if a plugin provides it."""

KIND = "metric"


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """The values of one metric."""

    name: str
    values: Mapping[str, MetricValue]
    """Values by key; the key of a metric with one value is its name."""
    num_real: int | None
    """Number of real images; None if the metric does not use them."""
    num_generated: int
    """Number of generated images, or of those compared with the real ones."""
    seconds: float
    """Duration; images and features that an earlier metric computed are not included."""
    notes: tuple[str, ...] = ()
    """Limits of the values."""


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """The results of an evaluation."""

    data: str | None
    """Description of the real images."""
    generated: str | None
    """Description of the generated images, or of those compared with the real ones."""
    is_comparison: bool
    """Whether stored images were compared with the real ones, instead of generated ones."""
    seed: int
    results: tuple[MetricResult, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Default metrics that could not be computed, with the reasons."""
    failed: Mapping[str, str] = field(default_factory=dict, metadata=codec.omitted_default())
    """Metrics whose computation failed, with the error messages."""
    notes: tuple[str, ...] = ()
    """Remarks that concern all metrics."""

    @property
    def values(self) -> dict[str, float]:
        """All values by key, for example `report.values["kid_lite0"]`."""
        return {key: item.value for result in self.results for key, item in result.values.items()}

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, starting with the format version."""
        values: dict[str, Any] = codec.to_json(self)
        for result, written in zip(self.results, values["results"], strict=True):
            written["values"] = {key: codec.to_json(item) for key, item in result.values.items()}
        return {"format": FORMAT_VERSION, **values}

    def to_bytes(self) -> bytes:
        """The report as a JSON file."""
        return (json.dumps(self.to_json(), indent=2) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class MetricSelection:
    """Metrics to compute."""

    metrics: tuple[Metric, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Default metrics that cannot be computed, with the reasons."""


def choose_metrics(
    names: Sequence[str] | None,
    inputs: EvaluationInputs,
    installed: Mapping[str, Metric],
    extractor: str,
    num_images: int | None = None,
) -> MetricSelection:
    """The metrics of these names, or the default metrics for None; arguments and errors as for these functions."""
    if names is None:
        return default_metrics(inputs, installed, extractor, num_images)
    return select_metrics(names, installed)


def default_metrics(
    inputs: EvaluationInputs, installed: Mapping[str, Metric], extractor: str, num_images: int | None = None
) -> MetricSelection:
    """The metrics that are computed if none are named: distances with one extractor, and density fidelity.

    Args:
        inputs: images, generator and weights.
        installed: metrics by name.
        extractor: name of the feature extractor.
        num_images: number of generated images; None for that in the definition of each metric, or the default.

    Raises:
        ConfigError: none of them can be computed; the message lists the reasons.
    """
    names = [name.format(extractor) for name in DEFAULT_METRICS]
    if inputs.generator is not None and FIDELITY_METRIC in installed:
        names.append(FIDELITY_METRIC)
    missing = [name for name in names if name not in installed]
    if missing:
        raise ConfigError(f"the default metrics need a feature extractor: {inputs.unavailable_extractor(extractor)}")
    reasons = {name: _reason_with(installed[name], inputs, num_images) for name in names}
    skipped = {name: reason for name, reason in reasons.items() if reason is not None}
    metrics = tuple(installed[name] for name in names if name not in skipped)
    if not metrics:
        raise ConfigError(list_reasons(skipped))
    return MetricSelection(metrics=metrics, skipped=skipped)


def select_metrics(names: Sequence[str], installed: Mapping[str, Metric]) -> MetricSelection:
    """The metrics of these names, in their order.

    Raises:
        ConfigError: no such metric, or no name.
    """
    unknown = [name for name in names if name not in installed]
    if unknown or not names:
        found = f"no such metric {', '.join(unknown)}" if unknown else "no metrics are named"
        raise ConfigError(f"{found}; choose from {', '.join(installed)}")
    return MetricSelection(metrics=tuple(installed[name] for name in dict.fromkeys(names)))


def compute_metrics(
    inputs: EvaluationInputs,
    selection: MetricSelection,
    *,
    num_images: int | None = None,
    on_error: Literal["fail", "skip"] = "fail",
    progress: Progress | None = None,
) -> EvaluationReport:
    """Computes metrics; those that cannot be computed are refused before anything is computed.

    Args:
        inputs: images, generator and weights.
        selection: the metrics.
        num_images: number of generated images; None for that in the definition of each metric, or the default.
        on_error: whether the first metric that fails is raised, or the report has its error beside the other values.
        progress: receives one step per image.

    Raises:
        ConfigError: a metric cannot be computed; the message lists all of them with their reasons.
        CheckpointError: a weights file is damaged.
        CrowdganError: with `on_error="fail"`, a metric failed or returned invalid values.
    """
    check_available(inputs, selection.metrics, num_images)
    results: list[MetricResult] = []
    failed: dict[str, str] = {}
    for metric in selection.metrics:
        metric_inputs = inputs.with_num_images(images_of(metric, num_images))
        try:
            results.append(_compute(metric, metric_inputs, progress or NullProgress()))
        except CrowdganError as error:
            if on_error == "fail":
                raise
            failed[metric.name] = str(error)
    return EvaluationReport(
        data=None if inputs.real is None else inputs.real.description,
        generated=_describe_generated(inputs),
        is_comparison=inputs.compared is not None,
        seed=inputs.seed,
        results=tuple(results),
        skipped=dict(selection.skipped),
        failed=failed,
        notes=_notes(inputs, results),
    )


def check_available(inputs: EvaluationInputs, metrics: Iterable[Metric], num_images: int | None) -> None:
    """Checks that metrics can be computed, and loads the extractors whose weights the user provided.

    Raises:
        ConfigError, CheckpointError: as for `compute_metrics`.
    """
    reasons = {metric.name: _reason_with(metric, inputs, num_images) for metric in metrics}
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    if refused:
        raise ConfigError(list_reasons(refused))
    for extractor in inputs.weights:
        inputs.extractor(extractor)  # damaged weights are an error before anything is computed


def images_of(metric: Metric, num_images: int | None) -> int:
    """The number of images that a metric generates: as requested, as in its definition, or the default."""
    return num_images or getattr(metric, "num_images", None) or DEFAULT_NUM_IMAGES


def unavailable_reason(metric: Metric, inputs: EvaluationInputs) -> str | None:
    """The reason why a metric cannot be computed from these inputs; None if it can be."""
    try:
        with plugin_call(KIND, metric, "checking whether it is available"):
            return metric.unavailable_reason(inputs)
    except ConfigError as error:
        return str(error)


def _reason_with(metric: Metric, inputs: EvaluationInputs, num_images: int | None) -> str | None:
    return unavailable_reason(metric, inputs.with_num_images(images_of(metric, num_images)))


def list_reasons(reasons: Mapping[str, str]) -> str:
    """Metrics with the same reason together: `kid_lite0, fd_lite0: needs images: give --data`."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(items)}: {reason}" for reason, items in names.items())


def _compute(metric: Metric, inputs: EvaluationInputs, progress: Progress) -> MetricResult:
    start = time.monotonic()
    with plugin_call(KIND, metric, "computing it"):
        values: Any = metric.compute(inputs, progress)  # a plugin's types are not checked statically
    seconds = time.monotonic() - start
    is_valid = isinstance(values, Mapping) and all(isinstance(item, MetricValue) for item in values.values())
    require_result(is_valid and len(values) > 0, KIND, metric, "result", "it must be a mapping of keys to MetricValue")
    for key, item in values.items():
        require_result(math.isfinite(item.value), KIND, metric, key, f"it is {item.value}; it must be a finite number")
    uses_real_images = inputs.real is not None and getattr(metric, "uses_real_images", True)
    return MetricResult(
        name=metric.name,
        values=dict(values),
        num_real=len(inputs.real) if inputs.real is not None and uses_real_images else None,
        num_generated=inputs.num_images if inputs.compared is None else len(inputs.compared),
        seconds=seconds,
        notes=_definition_notes(metric, inputs),
    )


def _definition_notes(metric: Metric, inputs: EvaluationInputs) -> tuple[str, ...]:
    """Deviations from the definition of a metric, and its own remarks."""
    defined: int | None = getattr(metric, "num_images", None)
    notes = []
    if defined is not None and inputs.compared is not None:
        notes.append(f"not the official definition: it compares with {defined} generated images")
    elif defined is not None and defined != inputs.num_images:
        notes.append(f"not the official definition: {inputs.num_images} generated images instead of {defined}")
    if defined is not None and getattr(metric, "uses_real_images", True) and getattr(inputs.real, "mirror", False):
        notes.append("not the official definition: it has no mirrored copies of real images; remove --mirror")
    if hasattr(metric, "notes"):
        with plugin_call(KIND, metric, "notes"):
            notes += metric.notes(inputs)
    return tuple(notes)


def _notes(inputs: EvaluationInputs, results: Sequence[MetricResult]) -> tuple[str, ...]:
    """Remarks that concern all metrics."""
    if inputs.real is None or all(result.num_real is None for result in results):
        return ()
    other = inputs.compared.size if inputs.compared is not None else None
    size = inputs.generator.card.resolution if inputs.generator is not None else other
    if size is None or size == inputs.real.size:
        return ()
    return (
        f"real images are {format_size(inputs.real.size)} px, the others {format_size(size)} px: each is resized to "
        "the input of the feature extractor, and a different sharpness changes the values",
    )


def _describe_generated(inputs: EvaluationInputs) -> str | None:
    if inputs.compared is not None:
        return inputs.compared.description
    return None if inputs.generator is None else inputs.generator_name
