"""Ticks: the status line, and the line of `stats.jsonl`, at regular intervals of training."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from crowdgan_core.utils.formatting import format_duration
from crowdgan_stylegan3.training.augment.ada import IMAGES_PER_KIMG
from crowdgan_stylegan3.training.reporting.stats import Statistic
from crowdgan_stylegan3.training.trainer import Trainer

GIB_BYTES = 2**30
"""Bytes per GiB."""

MAX_CLASS_SCORES = 6
"""Maximum number of classes whose scores the status line shows."""

SPEED_WINDOW_TICKS = 10
"""Ticks over which the speed for the remaining time is averaged."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Tick:
    """Progress, timings and statistics at the end of a tick."""

    number: int
    """Index of the tick, from 0."""
    nimg: int
    """Real images shown to D."""
    remaining_img: int
    """Images until the end of training."""
    seconds: float
    """Duration of the tick without the preceding maintenance."""
    maintenance_s: float
    """Duration of the preceding maintenance: snapshots and checkpoints."""
    data_wait_s: float
    """Time spent waiting for batches."""
    num_images: int
    """Images of this tick."""
    total_s: float
    """Training time so far, including the time before the run was resumed."""
    recent_sec_per_kimg: float
    """Seconds per kimg, averaged over the last `SPEED_WINDOW_TICKS` ticks."""
    statistics: Mapping[str, Statistic]
    """Statistics of the tick by key of `stats.jsonl`."""
    times_ms: Mapping[str, Sequence[float]]
    """Durations of each phase."""
    memory: Mapping[str, float]
    """Peak memory in GiB, by name."""
    augment_p: float
    """Augmentation probability."""
    classes: tuple[str, ...]
    """Class names."""

    def __repr__(self) -> str:
        """One line: number and progress."""
        return f"Tick({self.number}, {self.kimg:g} kimg)"

    @property
    def kimg(self) -> float:
        """Thousands of real images shown to D."""
        return self.nimg / IMAGES_PER_KIMG

    @property
    def sec_per_kimg(self) -> float:
        """Seconds per kimg in this tick."""
        return self.seconds / max(self.num_images, 1) * IMAGES_PER_KIMG

    @property
    def eta_s(self) -> float:
        """Estimated remaining time in seconds."""
        return self.remaining_img / IMAGES_PER_KIMG * self.recent_sec_per_kimg

    @property
    def num_skipped(self) -> int:
        """Number of updates skipped because a gradient was not finite."""
        skipped = self.statistics.get("Progress/skipped")
        return 0 if skipped is None else round(skipped.mean * skipped.num)

    @property
    def non_finite_losses(self) -> list[str]:
        """Keys of losses with non-finite values."""
        return [name for name, item in self.statistics.items() if name.startswith("Loss/") and item.nonfinite]

    def stats_line(self) -> dict[str, Any]:
        """The line of `stats.jsonl`: the official keys, and ours."""
        single_values = {
            "Progress/tick": self.number,
            "Progress/kimg": self.kimg,
            "Progress/augment": self.augment_p,
            "Progress/skipped": self.num_skipped,
            "Timing/total_sec": self.total_s,
            "Timing/sec_per_tick": self.seconds,
            "Timing/sec_per_kimg": self.sec_per_kimg,
            "Timing/data_wait_sec": self.data_wait_s,
            "Timing/maintenance_sec": self.maintenance_s,
            "Timing/total_hours": self.total_s / 3600,
            "Timing/total_days": self.total_s / 86400,
            **{f"Resources/{name}": value for name, value in self.memory.items()},
        }
        statistics = {
            name: item.to_json() for name, item in self.statistics.items() if item.num and name not in single_values
        }
        statistics |= {name: Statistic.from_value(value).to_json() for name, value in single_values.items()}
        statistics |= {f"Timing/{name}": _statistic_of(times).to_json() for name, times in self.times_ms.items()}
        return {**statistics, "timestamp": time.time()}

    def status_line(self) -> str:
        """The line of the log."""
        parts = [
            f"tick {self.number:<4d}",
            f"kimg {self.kimg:<8g}",
            f"time {format_duration(self.total_s):<11}",
            f"sec/kimg {self.sec_per_kimg:<7.3g}",
            f"data wait {self.data_wait_s / max(self.seconds, 1e-9):<4.0%}",
            f"mem {' + '.join(f'{value:.1f}' for value in self._peak_memory())} GiB",
            f"augment {self.augment_p:.3f}",
            *self._losses(),
            *self._scores(),
            *([f"SKIPPED {self.num_skipped} non-finite updates"] if self.num_skipped else []),
            f"ETA {format_duration(self.eta_s)}",
        ]
        return "  ".join(parts)

    def _peak_memory(self) -> list[float]:
        values = (self.memory.get(name) for name in ("cpu_mem_gb", "peak_gpu_mem_gb"))
        return [value for value in values if value is not None]

    def _losses(self) -> list[str]:
        losses = (("G", self.statistics.get("Loss/G/loss")), ("D", self.statistics.get("Loss/D/loss")))
        return [f"{name} {loss.mean:.3f}" for name, loss in losses if loss is not None]

    def _scores(self) -> list[str]:
        score = self.statistics.get("Loss/scores/real")
        if score is None:
            return []
        names = self.classes[:MAX_CLASS_SCORES]
        class_scores = [(name, self.statistics.get(f"Loss/scores/real/{name}")) for name in names]
        class_text = ", ".join(
            f"{name} {item.mean:+.2f}" for name, item in class_scores if item is not None and item.num
        )
        return [f"real {score.mean:+.2f}" + (f" ({class_text})" if class_text else "")]


class TickClock:
    """Times of ticks, maintenance and data loading; its state is part of a checkpoint."""

    def __init__(self, trainer: Trainer, total_img: int, state: Mapping[str, float]) -> None:
        """Starts the clock.

        Args:
            trainer: the trainer whose progress is reported.
            total_img: training length in images.
            state: state of the clock in the checkpoint of a resumed run; empty for a new run.
        """
        self._trainer, self._total_img = trainer, total_img
        self._first = self._number = int(state.get("tick", 0))
        self._previous_s = float(state.get("seconds", 0.0))
        self._recent_ticks: deque[tuple[float, int]] = deque(maxlen=SPEED_WINDOW_TICKS)
        self._start_s = self._tick_start_s = time.monotonic()
        self._maintenance_s = self._data_wait_s = 0.0
        self._tick_nimg = trainer.nimg

    def is_due(self, tick_kimg: float) -> bool:
        """Whether `tick_kimg` thousand images have passed since the last tick; the first tick ends after one step."""
        return self._number == self._first or self._num_images >= tick_kimg * IMAGES_PER_KIMG

    @property
    def _num_images(self) -> int:
        """Images since the start of the tick."""
        return self._trainer.nimg - self._tick_nimg

    def add_data_wait(self, seconds: float) -> None:
        """Adds time spent waiting for a batch."""
        self._data_wait_s += seconds

    def end(self) -> Tick:
        """Ends the tick and returns it. All ranks must call this, since statistics are summed over them."""
        trainer = self._trainer
        statistics = trainer.statistics.collect(trainer.context)
        now_s = time.monotonic()
        seconds = now_s - self._tick_start_s
        recent_s, recent_img = self._add_to_recent(seconds)
        tick = Tick(
            number=self._number,
            nimg=trainer.nimg,
            remaining_img=max(self._total_img - trainer.nimg, 0),
            seconds=seconds,
            maintenance_s=self._maintenance_s,
            data_wait_s=self._data_wait_s,
            num_images=self._num_images,
            total_s=self._previous_s + now_s - self._start_s,
            recent_sec_per_kimg=recent_s / max(recent_img, 1) * IMAGES_PER_KIMG,
            statistics=statistics,
            times_ms=trainer.timer.collect_ms(),
            memory=peak_memory_gib(trainer.context.device),
            augment_p=trainer.ada.p,
            classes=trainer.classes,
        )
        self._number += 1
        self._tick_start_s = now_s
        return tick

    def _add_to_recent(self, seconds: float) -> tuple[float, int]:
        """Seconds and images of the recent ticks including this one; the first tick, a warm-up, is discarded."""
        if self._number == self._first + 1:
            self._recent_ticks.clear()
        self._recent_ticks.append((seconds, self._num_images))
        return sum(item[0] for item in self._recent_ticks), sum(item[1] for item in self._recent_ticks)

    def begin(self) -> None:
        """Begins the next tick; the time since the end of the last one was maintenance."""
        now_s = time.monotonic()
        self._maintenance_s = now_s - self._tick_start_s
        self._tick_start_s, self._tick_nimg, self._data_wait_s = now_s, self._trainer.nimg, 0.0

    def state(self) -> dict[str, float]:
        """State for a checkpoint."""
        return {"tick": self._number, "seconds": self._previous_s + time.monotonic() - self._start_s}


def peak_memory_gib(device: torch.device) -> dict[str, float]:
    """Peak memory in GiB of this process, and of its GPU since the last call, by the official names."""
    memory = {}
    if sys.platform != "win32":
        import resource  # exists on POSIX systems only

        unit_bytes = 1 if sys.platform == "darwin" else 1024
        memory["cpu_mem_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / GIB_BYTES
    if device.type == "cuda":
        memory["peak_gpu_mem_gb"] = torch.cuda.max_memory_allocated(device) / GIB_BYTES
        memory["peak_gpu_mem_reserved_gb"] = torch.cuda.max_memory_reserved(device) / GIB_BYTES
        torch.cuda.reset_peak_memory_stats(device)
    return memory


def _statistic_of(values: Sequence[float]) -> Statistic:
    mean = sum(values) / len(values)
    return Statistic(len(values), mean, (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
