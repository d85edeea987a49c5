"""Settings of the OpenMP runtime, which must be in the environment before a library such as PyTorch loads it."""

from __future__ import annotations

import os

from crowdgan_core.utils.cpus import available_cpus, schedulable_cpus

WAIT_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables that set how threads wait; if the user has set one of them, none is changed."""

SPIN_COUNT = 1000
"""Iterations of a busy loop after which a waiting thread of GCC's OpenMP runtime sleeps; its default is 300,000.

A thread that spins occupies a CPU which other processes, and the thread that it waits for, may need.
"""


def set_openmp_defaults() -> None:
    """Limits busy waiting and, with a CPU quota, the number of threads, unless the user has set them."""
    if not any(name in os.environ for name in WAIT_VARIABLES):
        os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
    if (cpus := available_cpus()) < schedulable_cpus():
        os.environ.setdefault("OMP_NUM_THREADS", str(cpus))
