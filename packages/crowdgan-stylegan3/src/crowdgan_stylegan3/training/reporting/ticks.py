"""What is said and written at every tick: statistics, and one line of status."""

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

GIB = 2**30

NAMED_SCORES = 6
"""Classes whose scores the status line shows at most."""

RECENT_TICKS = 10
"""Ticks whose speed the remaining time is reckoned with."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What is known at the end of a tick."""

    number: int
    nimg: int
    remaining_img: int
    seconds: float
    """Since the tick began, without maintenance before it."""
    maintenance_s: float
    """For snapshots and the like, before it."""
    data_wait_s: float
    """For images of the dataset."""
    images: int
    """Images of the tick."""
    total_s: float
    """Since training began, over all runs that it went on in."""
    sec_per_kimg: float
    """Recent seconds per thousand images."""
    statistics: Mapping[str, Statistic]
    times_ms: Mapping[str, Sequence[float]]
    """Of the phases."""
    memory: Mapping[str, float]
    """In GiB."""
    augment_p: float
    classes: tuple[str, ...]

    @property
    def kimg(self) -> float:
        """Thousands of images seen."""
        return self.nimg / 1000

    @property
    def own_sec_per_kimg(self) -> float:
        """Seconds per thousand images in this tick."""
        return self.seconds / max(self.images, 1) * 1000

    @property
    def eta_s(self) -> float:
        """Seconds that are left."""
        return self.remaining_img / 1000 * self.sec_per_kimg

    @property
    def skipped(self) -> int:
        """Turns of phases that changed nothing, since their gradients were not finite."""
        found = self.statistics.get("Progress/skipped")
        return 0 if found is None else round(found.mean * found.num)

    @property
    def non_finite_losses(self) -> list[str]:
        """Losses with values that were not finite."""
        return [name for name, found in self.statistics.items() if name.startswith("Loss/") and found.nonfinite]

    def line(self) -> dict[str, Any]:
        """The line of `stats.jsonl`: the official keys, and ours."""
        single = {
            "Progress/tick": self.number,
            "Progress/kimg": self.kimg,
            "Progress/augment": self.augment_p,
            "Progress/skipped": self.skipped,
            "Timing/total_sec": self.total_s,
            "Timing/sec_per_tick": self.seconds,
            "Timing/sec_per_kimg": self.own_sec_per_kimg,
            "Timing/data_wait_sec": self.data_wait_s,
            "Timing/maintenance_sec": self.maintenance_s,
            "Timing/total_hours": self.total_s / 3600,
            "Timing/total_days": self.total_s / 86400,
            **{f"Resources/{name}": value for name, value in self.memory.items()},
        }
        told = {name: item for name, item in self.statistics.items() if item.num and name not in single}
        found = {name: item.to_json() for name, item in told.items()}
        found |= {name: Statistic.of(value).to_json() for name, value in single.items()}
        found |= {f"Timing/{name}": _summary(times).to_json() for name, times in self.times_ms.items()}
        return {**found, "timestamp": time.time()}

    def status(self) -> str:
        """One line for people."""
        parts = [
            f"tick {self.number:<4d}",
            f"kimg {self.kimg:<8g}",
            f"time {format_duration(self.total_s):<11}",
            f"sec/kimg {self.own_sec_per_kimg:<7.3g}",
            f"data wait {self.data_wait_s / max(self.seconds, 1e-9):<4.0%}",
            f"mem {' + '.join(f'{value:.1f}' for value in self._shown_memory())} GiB",
            f"augment {self.augment_p:.3f}",
            *self._losses(),
            *self._scores(),
            *([f"SKIPPED {self.skipped} turns that were not finite"] if self.skipped else []),
            f"ETA {format_duration(self.eta_s)}",
        ]
        return "  ".join(parts)

    def _shown_memory(self) -> list[float]:
        shown = (self.memory.get(name) for name in ("cpu_mem_gb", "peak_gpu_mem_gb"))
        return [value for value in shown if value is not None]

    def _losses(self) -> list[str]:
        pairs = (("G", self.statistics.get("Loss/G/loss")), ("D", self.statistics.get("Loss/D/loss")))
        return [f"{name} {found.mean:.3f}" for name, found in pairs if found is not None]

    def _scores(self) -> list[str]:
        found = self.statistics.get("Loss/scores/real")
        if found is None:
            return []
        named = [(name, self.statistics.get(f"Loss/scores/real/{name}")) for name in self.classes[:NAMED_SCORES]]
        each = ", ".join(f"{name} {item.mean:+.2f}" for name, item in named if item is not None and item.num)
        return [f"real {found.mean:+.2f}" + (f" ({each})" if each else "")]


class TickClock:
    """Measures ticks."""

    def __init__(self, learner: Trainer, total_img: int, earlier: Mapping[str, float]) -> None:
        self._learner, self._total_img = learner, total_img
        self._first = self._number = int(earlier.get("tick", 0))
        self._earlier_s = float(earlier.get("seconds", 0.0))
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT_TICKS)
        self._began = self._tick_began = time.monotonic()
        self._maintenance_s = self._waited_s = 0.0
        self._tick_nimg = learner.nimg

    def is_due(self, tick_kimg: float) -> bool:
        """Whether a tick of so many thousands of images is full; the first one is after one step."""
        return self._number == self._first or self._images >= tick_kimg * IMAGES_PER_KIMG

    @property
    def _images(self) -> int:
        """Images since the tick began."""
        return self._learner.nimg - self._tick_nimg

    def waited(self, seconds: float) -> None:
        """Takes note of a wait for images of the dataset."""
        self._waited_s += seconds

    def end(self) -> Tick:
        """The tick that ends now; on every process, since statistics are summed over all."""
        learner = self._learner
        statistics = learner.statistics.collect(learner.world)
        now = time.monotonic()
        seconds = now - self._tick_began
        recent_s, recent_img = self._add_to_recent(seconds)
        tick = Tick(
            number=self._number,
            nimg=learner.nimg,
            remaining_img=max(self._total_img - learner.nimg, 0),
            seconds=seconds,
            maintenance_s=self._maintenance_s,
            data_wait_s=self._waited_s,
            images=self._images,
            total_s=self._earlier_s + now - self._began,
            sec_per_kimg=recent_s / max(recent_img, 1) * 1000,
            statistics=statistics,
            times_ms=learner.stopwatch.collect_ms(),
            memory=memory_gib(learner.world.device),
            augment_p=learner.ada.p,
            classes=learner.classes,
        )
        self._number += 1
        self._tick_began = now
        return tick

    def _add_to_recent(self, seconds: float) -> tuple[float, int]:
        """Seconds and images of the recent ticks, with the one that ends now; the first one warms up."""
        if self._number == self._first + 1:
            self._recent.clear()
        self._recent.append((seconds, self._images))
        return sum(item[0] for item in self._recent), sum(item[1] for item in self._recent)

    def begin(self) -> None:
        """The next tick begins; what was done since the last one ended was maintenance."""
        now = time.monotonic()
        self._maintenance_s = now - self._tick_began
        self._tick_began, self._tick_nimg, self._waited_s = now, self._learner.nimg, 0.0

    def state(self) -> dict[str, float]:
        """What a run that goes on takes as `earlier`."""
        return {"tick": self._number, "seconds": self._earlier_s + time.monotonic() - self._began}


def memory_gib(device: torch.device) -> dict[str, float]:
    """Peak memory of this process and, since the last call, of its GPU, in GiB, by official names."""
    found = {}
    if sys.platform != "win32":
        import resource  # POSIX alone has it

        unit = 1 if sys.platform == "darwin" else 1024
        found["cpu_mem_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
    if device.type == "cuda":
        found["peak_gpu_mem_gb"] = torch.cuda.max_memory_allocated(device) / GIB
        found["peak_gpu_mem_reserved_gb"] = torch.cuda.max_memory_reserved(device) / GIB
        torch.cuda.reset_peak_memory_stats(device)
    return found


def _summary(values: Sequence[float]) -> Statistic:
    mean = sum(values) / len(values)
    return Statistic(len(values), mean, (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
