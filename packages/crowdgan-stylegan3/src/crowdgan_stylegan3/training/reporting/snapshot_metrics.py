"""Quality metrics of snapshots: selected before training, computed on the EMA generator, and written to the run folder.

Metrics use their own seeds, not the random numbers of training, so that training does not depend on them.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from crowdgan_core.errors import CrowdganError, TrainingError
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.metric_records import MetricRecord, read_metric_records
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.metrics.evaluation import (
    MetricResult,
    MetricSelection,
    check_available,
    compute_metrics,
    images_of,
    select_metrics,
)
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.metrics.metric import Metric, MetricValue, ranking_key
from crowdgan_core.metrics.opening import match_weights
from crowdgan_core.metrics.options import DEFAULT_EXTRACTOR, DEFAULT_NUM_IMAGES, EvaluationOptions
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import format_duration
from crowdgan_core.utils.progress import LineProgress
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.training.config.options import NO_METRICS, TrainOptions
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.dataset import TrainingData
from crowdgan_stylegan3.training.reporting.model_card import training_card
from crowdgan_stylegan3.training.run_writer import append_line, truncate_lines

DEFAULT_METRIC = f"kid_{DEFAULT_EXTRACTOR}"
"""Metric that is computed on a GPU if none is named."""

STATS_PREFIX = "Metrics/"
"""Prefix of metrics in `stats.jsonl` and TensorBoard."""

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class SnapshotMetrics:
    """Metrics that the main rank computes at each snapshot."""

    metrics: tuple[Metric, ...] = ()
    inputs: EvaluationInputs | None = None
    """The dataset, feature extractors and weights; None without metrics."""
    num_images: int | None = None
    """Number of generated images; None for that in the definition of each metric, or the default."""
    description: str = "metrics: none"
    """The metrics, or the reason why none is computed, for the log."""
    _notes: set[str] = field(default_factory=set)

    @classmethod
    def select(
        cls, options: TrainOptions, data: TrainingData, config: TrainingConfig, device: torch.device
    ) -> SnapshotMetrics:
        """The metrics of a run, whose extractors with user-provided weights are loaded.

        Args:
            options: options of the run.
            data: the dataset.
            config: config of the run.
            device: device of the generator and of the feature extractors.

        Raises:
            ConfigError: no such metric, one that cannot be computed, or a weights file of no extractor.
            CheckpointError: a weights file is damaged.
        """
        if options.metrics == NO_METRICS:
            return cls()
        if options.metrics is None and device.type != "cuda":
            return cls(description=f"metrics: none, by default on a CPU (--metrics {DEFAULT_METRIC})")
        inputs = _inputs(options, data, config, device)
        names = [DEFAULT_METRIC] if options.metrics is None else [name.strip() for name in options.metrics.split(",")]
        try:
            metrics = select_metrics(names, installed_plugins().metrics).metrics
            check_available(inputs, metrics, options.num_images)
        except CrowdganError as error:
            if options.metrics is not None:
                raise
            return cls(description=f"metrics: none, because {DEFAULT_METRIC} cannot be computed: {error}")
        counts = ", ".join(f"{metric.name} ({images_of(metric, options.num_images)} images)" for metric in metrics)
        description = f"metrics at each snapshot: {counts} (--metrics, --num-images)"
        return cls(metrics=metrics, inputs=inputs, num_images=options.num_images, description=description)

    def compute(
        self, run: RunFolder, kimg: float, generator: ImageGenerator, is_stopping: Callable[[], bool]
    ) -> dict[str, float]:
        """Computes all metrics of a snapshot, which has been written, and records them in the run folder.

        A metric that fails is reported, and training continues without its value.

        Args:
            run: the run folder.
            kimg: thousands of real images shown.
            generator: the EMA generator.
            is_stopping: whether the run is being stopped; the computation then ends.

        Returns:
            Values by key of `stats.jsonl`.
        """
        values: dict[str, float] = {}
        if self.inputs is None:
            return values
        self.inputs = self.inputs.with_generator(generator)
        for metric in self.metrics:
            try:
                result = self._result(metric, self.inputs, is_stopping)
            except CrowdganError as error:
                logger.warning(f"{metric.name} was not computed: {error}")
                continue
            _record(run, kimg, metric, result)
            self._log_notes(result)
            values |= {f"{STATS_PREFIX}{key}": item.value for key, item in result.values.items()}
        self.inputs = self.inputs.with_generator(generator)  # discards the generated images
        return values

    def _result(self, metric: Metric, inputs: EvaluationInputs, is_stopping: Callable[[], bool]) -> MetricResult:
        progress = _StoppableProgress(is_stopping)
        logger.info(f"computing {metric.name} with {images_of(metric, self.num_images)} images")
        selection = MetricSelection(metrics=(metric,))
        (result,) = compute_metrics(inputs, selection, num_images=self.num_images, progress=progress).results
        return result

    def _log_notes(self, result: MetricResult) -> None:
        """Logs the limits of values, each once per run."""
        for note in result.notes:
            text = f"note: {result.name}: {note}"
            if text not in self._notes:
                self._notes.add(text)
                logger.info(text)


class _StoppableProgress(LineProgress):
    """Log lines of the progress of a metric; ends its computation if the run is being stopped."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        super().__init__(logger.info)
        self._is_stopping = is_stopping
        self._check()

    def advance(self) -> None:
        """Completes one step.

        Raises:
            TrainingError: the run is being stopped.
        """
        self._check()
        super().advance()

    def _check(self) -> None:
        if self._is_stopping():
            raise TrainingError("the run is being stopped")


def truncate_metrics(run: RunFolder, nimg: int) -> None:
    """Removes the values of metrics after `nimg` images, which the resumed run computes again.

    The best model is then that of the remaining values.
    """
    for name, path in run.metric_paths().items():
        if truncate_lines(path, nimg, _kimg_of):
            _restore_best(run, name)


def absolute_weights(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts `[NAME=]FILE` with the names of extractors and absolute paths, so that a run can be resumed anywhere.

    Raises:
        ConfigError: a file of no extractor.
    """
    weights = match_weights(texts, DEFAULT_EXTRACTOR, installed_plugins().feature_extractors)
    return tuple(f"{name}={path.resolve()}" for name, path in weights.items())


def _inputs(
    options: TrainOptions, data: TrainingData, config: TrainingConfig, device: torch.device
) -> EvaluationInputs:
    """Inputs with the seed and batch size of `crowdgan metrics`, and with the untrained generator."""
    defaults = EvaluationOptions()
    extractors = installed_plugins().feature_extractors
    with torch.random.fork_rng(devices=[]):
        generator = Generator(config.generator).requires_grad_(False)
    return EvaluationInputs(
        real=DatasetImages(data.reader),
        dataset=data.reader,
        generator=StyleGanImageGenerator(generator, training_card(config, data.labels), "cpu"),
        num_images=options.num_images or DEFAULT_NUM_IMAGES,
        seed=defaults.seed,
        device=device.type,
        batch_size=defaults.batch_size,
        extractors=extractors,
        weights=match_weights(options.weights, DEFAULT_EXTRACTOR, extractors),
    )


def _record(run: RunFolder, kimg: float, metric: Metric, result: MetricResult) -> None:
    """Appends values to `metric-NAME.jsonl`, logs them, and copies the snapshot if it is the best one so far."""
    record = MetricRecord(
        metric=metric.name,
        results={key: item.value for key, item in result.values.items()},
        standard_errors={
            key: item.standard_error for key, item in result.values.items() if item.standard_error is not None
        },
        kimg=kimg,
        num_images=result.num_generated,
        seconds=result.seconds,
        num_gpus=1,
        snapshot=run.snapshot_path(kimg).name,
        timestamp=time.time(),
    )
    path = run.metric_path(metric.name)
    append_line(path, record.to_json())
    best = _best_record(metric, read_metric_records(path), record.num_images)
    ending = ""
    if best == record:
        _copy_best(run, metric.name, record)
        ending = f"; the best so far: {run.best_path(metric.name).name}"
    elif best is not None:
        ending = f"; the best is {best.results[ranking_key(metric)]:.5g} at {best.kimg:g} kimg"
    texts = ", ".join(f"{key} {_format_value(item)}" for key, item in result.values.items())
    logger.info(f"{texts} in {format_duration(result.seconds)}{ending}")


def _best_record(metric: Metric, records: Sequence[MetricRecord], num_images: int | None) -> MetricRecord | None:
    """The record with the best value, the first of equal ones; None for a metric that ranks no models.

    Only values with an equal number of images are comparable.
    """
    key = ranking_key(metric)
    comparable = [record for record in records if key in record.results and record.num_images == num_images]
    sign = -1 if metric.higher_is_better else 1
    return min(comparable, key=lambda record: sign * record.results[key], default=None)


def _restore_best(run: RunFolder, name: str) -> None:
    """Replaces the best model by that of the values in `metric-NAME.jsonl`, if metric and snapshot exist."""
    metric = installed_plugins().metrics.get(name)
    if metric is None:
        return
    records = read_metric_records(run.metric_path(name))
    best = _best_record(metric, records, records[-1].num_images) if records else None
    if best is None:
        with wrap_os_errors(run.best_path(name)):
            run.best_path(name).unlink(missing_ok=True)
    elif (run.path / best.snapshot).is_file():
        _copy_best(run, name, best)


def _copy_best(run: RunFolder, name: str, record: MetricRecord) -> None:
    dest = run.best_path(name)
    with atomic_path(dest, overwrite=True) as partial, wrap_os_errors(dest):
        shutil.copyfile(run.path / Path(record.snapshot).name, partial)


def _kimg_of(line: str) -> float:
    record = MetricRecord.from_line(line)
    return math.inf if record is None else record.kimg


def _format_value(item: MetricValue) -> str:
    error = "" if item.standard_error is None else f" ± {item.standard_error:.2g}"
    return f"{item.value:.5g}{error}"
