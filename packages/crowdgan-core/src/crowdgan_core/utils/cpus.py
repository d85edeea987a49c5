"""Number of CPU cores that this process may use."""

from __future__ import annotations

import math
import os

from crowdgan_core.utils.cgroup import cpu_quota

MAX_WINDOWS_WORKERS = 61
"""Maximum number of workers of `ProcessPoolExecutor` on Windows, a limit of `WaitForMultipleObjects`."""


def available_cpus() -> int:
    """Number of CPU cores available to this process within its CPU quota, and the default number of workers."""
    return limit_workers(max(1, math.floor(min(schedulable_cpus(), cpu_quota()))))


def schedulable_cpus() -> int:
    """Number of CPU cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_workers(workers: int) -> int:
    """The number of workers, reduced to the maximum of the operating system."""
    return min(workers, MAX_WINDOWS_WORKERS) if os.name == "nt" else workers
