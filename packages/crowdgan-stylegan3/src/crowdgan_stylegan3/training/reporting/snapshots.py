"""What a run shows of itself: sample grids, models for use, a watch for collapse, quality metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.io.atomic import write_file
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.reporting.diversity import DiversityMonitor
from crowdgan_stylegan3.training.reporting.sample_grid import SampleGrid
from crowdgan_stylegan3.training.run_folder import RunFolder
from crowdgan_stylegan3.training.trainer import Trainer

logger = logging.getLogger(__name__)


class Metric(Protocol):
    """A measure of how good images are, taken at snapshots."""

    @property
    def name(self) -> str:
        """What `--metrics` and `stats.jsonl` call it."""
        ...

    def measure(self, generator: StyleGanImageGenerator, data: DatasetReader) -> Mapping[str, float]:
        """Values by name."""
        ...


METRICS: dict[str, Metric] = {}
"""The metrics that `--metrics` may name."""


class Snapshots:
    """Writes snapshots of a learner into a run folder."""

    def __init__(
        self, run: RunFolder, learner: Trainer, reader: DatasetReader, labels: TrainingLabels, metrics: Sequence[Metric]
    ) -> None:
        self._run, self._learner, self._reader, self._metrics = run, learner, reader, tuple(metrics)
        self._grid = SampleGrid.of(labels, learner.settings.generator.resolution)
        self._card = training_card(learner.settings, labels)
        self._real = self._grid.real(reader, labels)
        self._watch = DiversityMonitor(self._grid.rows, self._real)

    @property
    def card(self) -> ModelCard:
        """The card of the averaged generator as it is now."""
        seen = {"kimg": self._learner.nimg / 1000}
        return replace(self._card, provenance={**self._card.provenance, **seen})

    def begin(self) -> None:
        """Writes images of the dataset and of the generator before training."""
        write_file(self._run.reals, self._grid.encode(self._real), overwrite=True)
        rows = f"; rows are {', '.join(self._grid.rows)}" if self._grid.rows else ""
        logger.info(f"images of the dataset: {self._run.reals.name}{rows}")
        fakes = self._grid.fake(self._generator())
        write_file(self._run.fakes(None), self._grid.encode(fakes), overwrite=True)

    def take(self, *, with_metrics: bool = True) -> dict[str, float]:
        """Writes sample images and the model; returns measures by their names in `stats.jsonl`.

        Args:
            with_metrics: whether quality is measured, which takes its time.
        """
        kimg = self._learner.nimg / 1000
        generator = self._generator()
        fakes = self._grid.fake(generator)
        write_file(self._run.fakes(kimg), self._grid.encode(fakes), overwrite=True)
        save_network(self._learner.generator_ema, self.card, self._run.snapshot(kimg), overwrite=True)
        logger.info(f"snapshot at {kimg:g} kimg: {self._run.snapshot(kimg).name}, {self._run.fakes(kimg).name}")
        measures = self._watch.measures(fakes)
        for warning in self._watch.warnings(measures):
            logger.warning(warning)
        for metric in self._metrics if with_metrics else ():
            logger.info(f"measuring {metric.name}")
            measures |= metric.measure(generator, self._reader)
        return measures

    def _generator(self) -> StyleGanImageGenerator:
        return StyleGanImageGenerator(self._learner.generator_ema, self._card, self._learner.world.device.type)


def training_card(settings: TrainingConfig, labels: TrainingLabels) -> ModelCard:
    """The card of a model that a run makes, before it has seen images."""
    provenance = {
        "data": Path(settings.data).name,
        "cfg": settings.variant,
        "batch": settings.batch,
        "gamma": settings.loss.r1_gamma,
        "software": f"crowdgan-stylegan3 {version('crowdgan-stylegan3')}",
        **({} if settings.source is None else {"started from": Path(settings.source).name}),
    }
    return replace(
        generator_card(settings.generator, labels.classes, provenance),
        label_kind=labels.kind,
        unit=labels.unit,
        labelling=labels.labelling,
    )
