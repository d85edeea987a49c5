"""The config that does not change the result of a run: its length, its outputs, its use of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from crowdgan_stylegan3.config import check_at_least, check_positive

OnNonFinite = Literal["stop", "skip"]
ON_NON_FINITE: tuple[OnNonFinite, ...] = get_args(OnNonFinite)

TICK_KIMG, TICKS_PER_RUN = 4.0, 50
"""Maximum kimg between status lines, and minimum number of status lines in a run."""

SNAPSHOT_TICKS, SNAPSHOT_TICKS_OF_SHORT = 50, 10
"""Ticks between snapshots; the second for ticks shorter than `TICK_KIMG`."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Length and outputs of a run; a resumed run may change them."""

    total_kimg: float
    """Training length in kimg."""
    tick_kimg: float
    """kimg between status lines."""
    snapshot_ticks: int
    """Ticks between snapshots."""
    checkpoint_minutes: float
    """Maximum minutes between checkpoints."""
    batch_gpu: int
    """Micro-batch size per process."""
    workers: int
    """Data-loading processes; 0 loads in the training process."""
    on_non_finite: OnNonFinite
    """On a non-finite loss: stop, or continue; the update is skipped in either case."""
    benchmark: bool
    """Whether cuDNN autotuning is on."""

    def __post_init__(self) -> None:
        for name in ("total_kimg", "tick_kimg", "checkpoint_minutes"):
            check_positive(self, name)
        for name in ("snapshot_ticks", "batch_gpu"):
            check_at_least(self, name, 1)
        check_at_least(self, "workers", 0)

    @property
    def total_img(self) -> int:
        """Training length in images."""
        return round(self.total_kimg * 1000)


def default_tick_kimg(total_kimg: float) -> float:
    """Default kimg between status lines."""
    return min(TICK_KIMG, total_kimg / TICKS_PER_RUN)


def default_snapshot_ticks(tick_kimg: float) -> int:
    """Default number of ticks between snapshots."""
    return SNAPSHOT_TICKS if tick_kimg >= TICK_KIMG else SNAPSHOT_TICKS_OF_SHORT
