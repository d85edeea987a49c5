"""The training loop: steps, status lines, snapshots and checkpoints until the end or a stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from crowdgan_core.errors import TrainingError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_stylegan3.training.checkpoints.training_state import save_checkpoint
from crowdgan_stylegan3.training.config.schedule import ScheduleConfig
from crowdgan_stylegan3.training.data.dataset import Batch
from crowdgan_stylegan3.training.reporting.snapshots import SnapshotWriter
from crowdgan_stylegan3.training.reporting.stats import Statistic
from crowdgan_stylegan3.training.reporting.ticks import Tick, TickClock
from crowdgan_stylegan3.training.run_writer import append_stats
from crowdgan_stylegan3.training.runtime.signals import StopRequest
from crowdgan_stylegan3.training.trainer import Trainer

logger = logging.getLogger(__name__)


class Loop:
    """Runs training steps; on the main rank it also writes the run folder."""

    def __init__(
        self,
        trainer: Trainer,
        run: RunFolder,
        schedule: ScheduleConfig,
        snapshots: SnapshotWriter | None,
        clock_state: Mapping[str, float],
    ) -> None:
        """Prepares the loop.

        Args:
            trainer: networks, optimizers and training step.
            run: run folder.
            schedule: length of training, and intervals of outputs.
            snapshots: writer of snapshots; None on other ranks than the main one.
            clock_state: clock of the checkpoint from which the run is resumed; empty for a new run.
        """
        self.trainer, self.run, self.schedule, self.snapshots = trainer, run, schedule, snapshots
        self._recorder = Recorder(run) if snapshots is not None else None
        self._clock = TickClock(trainer, schedule.total_img, clock_state)
        self._saved_s = time.monotonic()

    def train(self, batches: Iterator[Batch]) -> int:
        """Trains until the end or a stop; returns the number of the signal that stopped it, or 0.

        Args:
            batches: endless batches of this rank.

        Raises:
            TrainingError: a loss is not finite, and `on_non_finite` is `stop`.
        """
        with StopRequest() as stop:
            while True:
                self._clock.add_data_wait(_timed_step(self.trainer, batches))
                stopped = self.trainer.context.all_reduce_max(stop.signal)
                if stopped or time.monotonic() - self._saved_s > self.schedule.checkpoint_minutes * 60:
                    self._save()  # before slower outputs
                is_last = self.trainer.nimg >= self.schedule.total_img or bool(stopped)
                if is_last or self._clock.is_due(self.schedule.tick_kimg):
                    self._end_tick(is_last=is_last, stopped=stopped != 0, stop=stop)
                if is_last:
                    return stopped

    def _end_tick(self, *, is_last: bool, stopped: bool, stop: StopRequest) -> None:
        """Writes the status line, and a snapshot if it is due.

        Args:
            is_last: whether training ends.
            stopped: whether a signal to any rank has stopped it.
            stop: further signals, which end the computation of metrics.
        """
        tick = self._clock.end()
        self.trainer.context.run_on_main(
            lambda: self._write(tick, is_last=is_last, is_stopping=lambda: stopped or stop.signal != 0)
        )
        self._clock.begin()

    def _write(self, tick: Tick, *, is_last: bool, is_stopping: Callable[[], bool]) -> None:
        """Writes the outputs of a tick, on the main rank."""
        self._check_finite(tick)
        if self.snapshots is None or self._recorder is None:
            return
        is_snapshot = is_last or (tick.number > 0 and tick.number % self.schedule.snapshot_ticks == 0)
        values = self.snapshots.write(is_stopping) if is_snapshot else {}
        self._recorder.write(tick, values)
        if is_snapshot:
            self._save()

    def _save(self) -> None:
        """Writes a checkpoint, on the main rank."""
        if self.snapshots is not None:
            save_checkpoint(self.run.checkpoint_path, self.trainer, self.snapshots.card, self._clock.state())
        self._saved_s = time.monotonic()

    def _check_finite(self, tick: Tick) -> None:
        if tick.non_finite_losses and self.schedule.on_non_finite == "stop":
            raise TrainingError(
                f"{self.run.path}: not finite at {tick.kimg:g} kimg: {', '.join(tick.non_finite_losses)}; "
                f"{self._last_checkpoint()}; use --nan skip to skip such updates, or start a new run "
                f"from the checkpoint with lower rates: --resume {self.run.checkpoint_path} --glr, --dlr or --gamma"
            )

    def _last_checkpoint(self) -> str:
        checkpoint = self.run.checkpoint_path
        return f"the last checkpoint is {checkpoint}" if checkpoint.exists() else "no checkpoint has been written"


class Recorder:
    """Writes the statistics of ticks: to the log, to `stats.jsonl`, and for TensorBoard if it is installed."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._board: Any = None
        if find_spec("tensorboard") is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter  # tensorboard is optional

                self._board = SummaryWriter(str(run.path))
            except Exception as error:  # a broken installation may raise any exception
                logger.warning(f"nothing is written for TensorBoard, which cannot be used ({error})")

    def write(self, tick: Tick, metrics: Mapping[str, float]) -> None:
        """Writes a tick with the metrics of its snapshot."""
        line = {
            **tick.stats_line(),
            **{name: Statistic.from_value(value).to_json() for name, value in metrics.items()},
        }
        append_stats(self._run, line)
        logger.info(tick.status_line())
        if self._board is not None:
            for name, statistic in line.items():
                if name != "timestamp":
                    self._board.add_scalar(name, statistic["mean"], tick.nimg, walltime=line["timestamp"])
            self._board.flush()


def _timed_step(trainer: Trainer, batches: Iterator[Batch]) -> float:
    """Runs one training step; returns the time spent waiting for its images, in seconds."""
    start = time.monotonic()
    batch = next(batches)
    waited_s = time.monotonic() - start
    trainer.step(batch)
    return waited_s
