"""Snapshots of a run: sample grids, network snapshots, the mode-collapse check and quality metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.io.safetensors_files import save_network
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.reporting.diversity import DiversityMonitor
from crowdgan_stylegan3.training.reporting.model_card import training_card
from crowdgan_stylegan3.training.reporting.sample_grid import SampleGrid
from crowdgan_stylegan3.training.reporting.snapshot_metrics import SnapshotMetrics
from crowdgan_stylegan3.training.trainer import Trainer

logger = logging.getLogger(__name__)


class SnapshotWriter:
    """Writes the snapshots of a trainer to its run folder; used by the main rank."""

    def __init__(
        self, run: RunFolder, trainer: Trainer, reader: DatasetReader, labels: TrainingLabels, metrics: SnapshotMetrics
    ) -> None:
        self._run, self._trainer, self._metrics = run, trainer, metrics
        self._grid = SampleGrid.for_labels(labels, trainer.config.generator.resolution)
        self._initial_card = training_card(trainer.config, labels)
        self._real = self._grid.read_images(reader, labels)
        self._monitor = DiversityMonitor(self._grid.rows, self._real)

    @property
    def card(self) -> ModelCard:
        """Model card of the EMA generator at the current step."""
        progress = {"kimg": self._trainer.nimg / 1000}
        return replace(self._initial_card, provenance={**self._initial_card.provenance, **progress})

    def write_initial(self) -> None:
        """Writes the sample grids of the dataset and of the untrained generator."""
        write_bytes(self._run.reals_path, self._grid.encode(self._real), overwrite=True)
        rows = f"; rows: {', '.join(self._grid.rows)}" if self._grid.rows else ""
        logger.info(f"sample grid of the dataset: {self._run.reals_path.name}{rows}")
        generated = self._grid.generate_images(self._image_generator())
        write_bytes(self._run.fakes_path(None), self._grid.encode(generated), overwrite=True)

    def write(self, is_stopping: Callable[[], bool]) -> dict[str, float]:
        """Writes a sample grid and a network snapshot; returns diversities and metrics by key of `stats.jsonl`.

        Args:
            is_stopping: whether the run is being stopped; metrics, which take longer, are then not computed.
        """
        kimg = self._trainer.nimg / 1000
        generator = self._image_generator()
        generated = self._grid.generate_images(generator)
        grid_path, snapshot_path = self._run.fakes_path(kimg), self._run.snapshot_path(kimg)
        write_bytes(grid_path, self._grid.encode(generated), overwrite=True)
        save_network(self._trainer.generator_ema, self.card, snapshot_path, overwrite=True)
        logger.info(f"snapshot at {kimg:g} kimg: {snapshot_path.name}, {grid_path.name}")
        values = self._monitor.measure(generated)
        for warning in self._monitor.warnings(values):
            logger.warning(warning)
        return values | self._metrics.compute(self._run, kimg, generator, is_stopping)

    def _image_generator(self) -> StyleGanImageGenerator:
        device = self._trainer.context.device.type
        return StyleGanImageGenerator(self._trainer.generator_ema, self._initial_card, device)
