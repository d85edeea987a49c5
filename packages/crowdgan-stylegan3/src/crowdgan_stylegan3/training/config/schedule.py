"""What does not change the result of a run: how long it trains, what it writes when, how it uses the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from crowdgan_stylegan3.config import check_at_least, check_positive

OnNonFinite = Literal["stop", "skip"]
ON_NON_FINITE: tuple[OnNonFinite, ...] = get_args(OnNonFinite)

TICK_KIMG, TICKS_PER_RUN = 4.0, 50
"""Longest time between status lines, and how many there are at least in a run."""

SNAPSHOT_TICKS, SNAPSHOT_TICKS_OF_SHORT = 50, 10
"""Ticks between snapshots; of a run whose ticks are shorter than `TICK_KIMG`."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """When a run ends and what it does meanwhile; a run that goes on may have another."""

    total_kimg: float = 25_000.0
    """Thousands of images after which training ends."""
    tick_kimg: float
    """Thousands of images between status lines."""
    snapshot_ticks: int
    """Status lines between snapshots."""
    checkpoint_minutes: float = 15.0
    """Minutes after which the whole state is written, at the next status line, also without a snapshot."""
    batch_gpu: int
    """Images that a process takes at once."""
    workers: int
    """Processes that read images ahead; 0 for none."""
    on_non_finite: OnNonFinite = "stop"
    """What to do when a loss is not finite: its step changes nothing in either case."""
    benchmark: bool = True
    """Whether cuDNN tries which convolutions are fastest."""

    def __post_init__(self) -> None:
        for name in ("total_kimg", "tick_kimg", "checkpoint_minutes"):
            check_positive(self, name)
        for name in ("snapshot_ticks", "batch_gpu"):
            check_at_least(self, name, 1)
        check_at_least(self, "workers", 0)

    @property
    def total_img(self) -> int:
        """Images after which training ends."""
        return round(self.total_kimg * 1000)


def default_tick_kimg(total_kimg: float) -> float:
    """Thousands of images between status lines."""
    return min(TICK_KIMG, total_kimg / TICKS_PER_RUN)


def default_snapshot_ticks(tick_kimg: float) -> int:
    """Status lines between snapshots."""
    return SNAPSHOT_TICKS if tick_kimg >= TICK_KIMG else SNAPSHOT_TICKS_OF_SHORT
