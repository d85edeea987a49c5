"""What a user asks for, and the run that it means: a new one, or one that goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.choices import Choices
from crowdgan_stylegan3.training.data import TrainingData
from crowdgan_stylegan3.training.recipe import recipe
from crowdgan_stylegan3.training.run_folder import RunFolder, new_run, runs_in
from crowdgan_stylegan3.training.schedule import Schedule
from crowdgan_stylegan3.training.settings import TrainingSettings, differences
from crowdgan_stylegan3.training.snapshots import METRICS, Metric
from crowdgan_stylegan3.training.state import read_checkpoint


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run that is about to start or to go on."""

    run: RunFolder
    choices: Choices
    settings: TrainingSettings
    schedule: Schedule
    checkpoint: Path | None
    """What it goes on from; None for a start."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run that is asked for."""

    choices: Choices
    run: RunFolder | None = None
    """The run to go on with; None to look for one with the same settings."""
    outdir: Path | None = None
    """Folder of run folders."""
    description: str | None = None
    """Ends the name of a new run folder."""
    anew: bool = False
    """Whether to start another run in any case."""

    def settings(self, data: TrainingData) -> TrainingSettings:
        """All settings of the run.

        Raises:
            ConfigError: choices that make no networks, or that are not those of the run to go on with.
        """
        settings = recipe(self.choices, resolution=data.resolution, label_dim=data.labels.dim)
        if self.run is not None:
            kept = replace(read_checkpoint(self.run.checkpoint).settings, data=settings.data)  # it may have moved
            if changed := differences(kept, settings):
                raise ConfigError(f"{self.run.path}: a run that goes on keeps its settings: {'; '.join(changed)}")
        return settings

    def plan(self, settings: TrainingSettings, batch_gpu: int) -> Plan:
        """The run; makes its folder if it is new.

        Args:
            settings: of the run.
            batch_gpu: pictures that a process takes at once; a run that goes on keeps its number where that can be,
                since augmentations are drawn for as many.

        Raises:
            ConfigError: the run has ended, so that there is nothing to do.
            DatasetError: the folder cannot be made.
        """
        schedule = self.choices.schedule(batch_gpu=batch_gpu)
        run = self.run or (None if self.anew else self._same_run(settings))
        if run is None:
            assert self.outdir is not None, "a request names a run or a folder for runs"
            run = new_run(self.outdir, settings, self.description)
        checkpoint = run.checkpoint if run.checkpoint.exists() else None
        if checkpoint is not None and (nimg := read_checkpoint(checkpoint).nimg) >= schedule.total_img:
            raise ConfigError(
                f"{run.path}: this run has ended, at {nimg / 1000:g} kimg; a higher --kimg goes on, --new starts anew"
            )
        if checkpoint is not None and (kept := _kept_batch_gpu(run)) in self.choices.possible_batch_gpu:
            schedule = replace(schedule, batch_gpu=kept)
        return Plan(run=run, choices=self.choices, settings=settings, schedule=schedule, checkpoint=checkpoint)

    def _same_run(self, settings: TrainingSettings) -> RunFolder | None:
        """The newest run with these settings, which the same command goes on with."""
        assert self.outdir is not None, "as in `plan`"
        return next((run for run in runs_in(self.outdir) if _settings_of(run) == settings), None)


def choices_of_run(run: RunFolder, changed: Mapping[str, Any]) -> Choices:
    """The choices that a run was started with, but for those that are changed.

    Raises:
        ConfigError: no run, one without a checkpoint, or choices that do not go together.
    """
    if not run.checkpoint.exists():
        raise ConfigError(f"{run.path}: it holds no {run.checkpoint.name}, so there is nothing to go on from")
    return Choices.from_json(run.settings()["options"], changed)


def chosen_metrics(names: str) -> Sequence[Metric]:
    """The metrics of `--metrics A,B`; none for `none`.

    Raises:
        ConfigError: there is no such metric.
    """
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name != "none" and name not in METRICS:
            raise ConfigError(f"--metrics {name}: there is no such metric; there are {', '.join(['none', *METRICS])}")
    return [METRICS[name] for name in wanted if name != "none"]


def _kept_batch_gpu(run: RunFolder) -> int:
    """Pictures that a process of a run took at once; 0 where that is not known."""
    schedule = run.settings().get("schedule", {})
    return int(schedule.get("batch_gpu", 0)) if isinstance(schedule, dict) else 0


def _settings_of(run: RunFolder) -> TrainingSettings | None:
    """The settings of a run; None for a folder that is none, or one of another version."""
    try:
        return TrainingSettings.from_json(run.settings()["training"])
    except ConfigError:
        return None
