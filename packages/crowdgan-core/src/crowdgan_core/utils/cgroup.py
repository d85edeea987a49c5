"""Limits of the control group of this process, which containers and batch systems set (Linux, cgroup v1 and v2)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

CGROUP_PATH = Path("/sys/fs/cgroup")
"""Mount point of the control groups."""

MEMBERSHIP_PATH = Path("/proc/self/cgroup")
"""File with the control group of this process."""


def cpu_quota() -> float:
    """CPU time per elapsed time that this process may use, in CPUs; infinite without a limit."""
    quotas = [_quota_v2(folder) for folder in _folders("")] + [_quota_v1(folder) for folder in _folders("cpu")]
    return min(quotas, default=math.inf)


def available_memory_bytes() -> float:
    """Memory in bytes that this process may still allocate; infinite without a limit."""
    return min((_available_memory_v2(folder) for folder in _folders("")), default=math.inf)


def _folders(controller: str) -> Iterator[Path]:
    """Folders of the control group of this process and of its parents; a limit of each of them applies.

    Args:
        controller: name of a controller of cgroup v1, or empty for cgroup v2.
    """
    try:
        lines = [line.split(":", 2) for line in MEMBERSHIP_PATH.read_text().splitlines()]
    except OSError:
        lines = []
    paths = [fields[2] for fields in lines if len(fields) == 3 and controller in fields[1].split(",")]
    root = CGROUP_PATH / controller
    yield root
    for path in paths:
        folder = root / path.strip("/")
        while folder != root and root in folder.parents:
            yield folder
            folder = folder.parent


def _quota_v2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or the quota is "max"
        return math.inf


def _quota_v1(folder: Path) -> float:
    try:
        quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
    except (OSError, ValueError):
        return math.inf
    return quota / period if quota > 0 else math.inf  # -1: no limit


def _available_memory_v2(folder: Path) -> float:
    try:
        limit, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no such file, or the limit is "max"
        return math.inf
    return float(limit - used)
