"""The loop of training: steps, status lines, snapshots and checkpoints until the end or a stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from crowdgan_core.errors import TrainingError
from crowdgan_stylegan3.training.checkpoints.training_state import save_checkpoint
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.data.dataset import Batch
from crowdgan_stylegan3.training.reporting.snapshots import Snapshots
from crowdgan_stylegan3.training.reporting.stats import Statistic
from crowdgan_stylegan3.training.reporting.ticks import Tick, TickClock
from crowdgan_stylegan3.training.run_folder import RunFolder
from crowdgan_stylegan3.training.runtime.signals import StopRequest
from crowdgan_stylegan3.training.trainer import Trainer

logger = logging.getLogger(__name__)


class Loop:
    """Trains a learner; on the first process it also keeps the run folder."""

    def __init__(
        self,
        learner: Trainer,
        run: RunFolder,
        schedule: ScheduleConfig,
        snapshots: Snapshots | None,
        earlier: Mapping[str, float],
    ) -> None:
        """Prepares the loop.

        Args:
            learner: what is trained.
            run: its folder.
            schedule: when it ends and what is written when.
            snapshots: what writes snapshots; None on all processes but the first.
            earlier: the clock of the checkpoint that the run goes on from; empty for none.
        """
        self.learner, self.run, self.schedule, self.snapshots = learner, run, schedule, snapshots
        self._recorder = Recorder(run) if snapshots is not None else None
        self._clock = TickClock(learner, schedule.total_img, earlier)
        self._saved_s = time.monotonic()

    def train(self, batches: Iterator[Batch]) -> int:
        """Trains until the end or a stop; returns the number of the signal that stopped it, or 0.

        Args:
            batches: images and labels of this process, without end.

        Raises:
            TrainingError: a loss is not finite, and that is to stop the run.
        """
        with StopRequest() as stop:
            while True:
                self._clock.waited(_timed_step(self.learner, batches))
                stopped = self.learner.world.largest(stop.signal)
                if stopped or time.monotonic() - self._saved_s > self.schedule.checkpoint_minutes * 60:
                    self._save()  # before anything that takes its time
                is_last = self.learner.nimg >= self.schedule.total_img or bool(stopped)
                if is_last or self._clock.is_due(self.schedule.tick_kimg):
                    self._end_tick(is_last=is_last, stopped=bool(stopped))
                if is_last:
                    return stopped

    def _end_tick(self, *, is_last: bool, stopped: bool) -> None:
        """Tells how it goes, and writes what is due."""
        tick = self._clock.end()
        self._check_finite(tick)
        if self.snapshots is not None and self._recorder is not None:
            is_snapshot = is_last or (tick.number > 0 and tick.number % self.schedule.snapshot_ticks == 0)
            self._recorder.write(tick, self.snapshots.take(with_metrics=not stopped) if is_snapshot else {})
            if is_snapshot:
                self._save()
        self.learner.world.meet()
        self._clock.begin()

    def _save(self) -> None:
        """Writes the whole state, on the first process."""
        if self.snapshots is not None:
            save_checkpoint(self.run.checkpoint, self.learner, self.snapshots.card, self._clock.state())
        self._saved_s = time.monotonic()

    def _check_finite(self, tick: Tick) -> None:
        if tick.non_finite_losses and self.schedule.on_non_finite == "stop":
            raise TrainingError(
                f"{self.run.path}: not finite at {tick.kimg:g} kimg: {', '.join(tick.non_finite_losses)}; "
                f"{self._last_good()}; --nan skip goes on without such steps, and another run may start from the "
                f"checkpoint with other rates: --resume {self.run.checkpoint} --glr, --dlr or --gamma"
            )

    def _last_good(self) -> str:
        checkpoint = self.run.checkpoint
        return f"the last good checkpoint is {checkpoint}" if checkpoint.exists() else "there is no checkpoint yet"


class Recorder:
    """Writes what a tick tells: into the log, `stats.jsonl`, and for TensorBoard where it is installed."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._board: Any = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter  # here, since tensorboard may be missing

            self._board = SummaryWriter(str(run.path))

    def write(self, tick: Tick, measures: Mapping[str, float]) -> None:
        """Writes a tick with the measures of its snapshot."""
        line = {**tick.line(), **{name: Statistic.of(value).to_json() for name, value in measures.items()}}
        self._run.append_stats(line)
        logger.info(tick.status())
        if self._board is not None:
            for name, found in line.items():
                if name != "timestamp":
                    self._board.add_scalar(name, found["mean"], tick.nimg, walltime=line["timestamp"])
            self._board.flush()


def _timed_step(learner: Trainer, batches: Iterator[Batch]) -> float:
    """One step; returns the seconds that its images were waited for."""
    asked = time.monotonic()
    batch = next(batches)
    waited_s = time.monotonic() - asked
    learner.step(batch)
    return waited_s
