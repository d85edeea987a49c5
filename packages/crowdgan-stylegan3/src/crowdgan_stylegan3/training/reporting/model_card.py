"""Model card of a run's generator, with the results of its training."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crowdgan_core.io.atomic import wrap_os_errors
from crowdgan_core.io.metric_records import read_metric_records
from crowdgan_core.io.run_folder import KIMG_KEY, RunFolder
from crowdgan_core.models.card import TRANSFORM_KEY, ModelCard
from crowdgan_stylegan3.io.safetensors_files import generator_card
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels

SECONDS_KEY = "Timing/total_sec"
"""Key in `stats.jsonl` of the training time in seconds."""

SECONDS_PER_HOUR = 3600


def training_card(config: TrainingConfig, labels: TrainingLabels) -> ModelCard:
    """Model card of a run's generator before training."""
    provenance = {
        "data": Path(config.data).name,
        **({} if labels.transform is None else {TRANSFORM_KEY: labels.transform}),
        "cfg": config.variant,
        "batch": config.batch,
        "gamma": config.loss.r1_gamma,
        "software": f"crowdgan-stylegan3 {version('crowdgan-stylegan3')}",
        **({} if config.source is None else {"started from": Path(config.source).name}),
    }
    return replace(
        generator_card(config.generator, labels.classes, provenance),
        label_kind=labels.kind,
        unit=labels.unit,
        label_range=labels.density_range(),
        labelling=labels.labelling,
    )


def with_results(card: ModelCard, path: Path, *, seconds: float | None = None) -> ModelCard:
    """The card of a generator with the results of its run in the provenance: `metrics` and `hours` of training.

    Metrics are those of the EMA generator after the same number of images. The card of a file that is not in its run
    folder receives no metrics, and keeps those that it has.

    Args:
        card: the card, with `kimg` in its provenance.
        path: the checkpoint or snapshot of the generator.
        seconds: training time; None reads it from the statistics of the run.

    Raises:
        DatasetError: the metrics or statistics of the run cannot be read.
    """
    kimg, run = card.provenance.get("kimg"), RunFolder(path.parent)
    results: dict[str, Any] = {}
    if isinstance(kimg, (int, float)) and _is_output_of(run, path, kimg):
        seconds = _seconds_at(run, kimg) if seconds is None else seconds
        if card.provenance.get("network", "G_ema") == "G_ema":
            results["metrics"] = _metrics_at(run, kimg)
    if seconds is not None:
        results["hours"] = round(seconds / SECONDS_PER_HOUR, 3)
    return replace(card, provenance={**card.provenance, **{key: value for key, value in results.items() if value}})


def _is_output_of(run: RunFolder, path: Path, kimg: float) -> bool:
    """Whether a file has the name of an output of a run: its checkpoint, the snapshot, or the best one of a metric."""
    best = (run.best_path(name) for name in run.metric_paths())
    return path in (run.checkpoint_path, run.snapshot_path(kimg), *best)


def _metrics_at(run: RunFolder, kimg: float) -> dict[str, dict[str, float]]:
    """Values of all metrics at a snapshot by name and key; the last ones if a metric was computed several times."""
    return {
        name: {key: value for key, value in record.results.items() if math.isfinite(value)}
        for name, path in run.metric_paths().items()
        for record in read_metric_records(path)
        if _is_same(record.kimg, kimg)
    }


def _seconds_at(run: RunFolder, kimg: float) -> float | None:
    """Training time in seconds at a snapshot, from the statistics of the run; None if unknown."""
    return next((seconds for line_kimg, seconds in _times(run) if _is_same(line_kimg, kimg)), None)


def _times(run: RunFolder) -> Iterator[tuple[float, float]]:
    """Pairs of kimg and seconds in the statistics of a run, without incomplete lines.

    Raises:
        DatasetError: the statistics cannot be read.
    """
    if not run.stats_path.is_file():
        return
    with wrap_os_errors(run.stats_path):
        lines = run.stats_path.read_text("utf-8", errors="replace").splitlines()
    for line in lines:
        try:
            values = json.loads(line)
            yield float(values[KIMG_KEY]["mean"]), float(values[SECONDS_KEY]["mean"])
        except (ValueError, KeyError, TypeError):
            continue


def _is_same(kimg: float, other: float) -> bool:
    """Whether two lengths of training are the same number of images."""
    return round(kimg * 1000) == round(other * 1000)
