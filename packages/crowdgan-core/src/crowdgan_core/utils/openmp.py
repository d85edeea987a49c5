"""Settings of the OpenMP runtime, which must be in the environment before a library such as PyTorch loads it."""

from __future__ import annotations

import os

from crowdgan_core.utils.cpus import available_cpus, schedulable_cpus

WAIT_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables that set how threads wait; if the user has set one of them, none is changed."""

WAIT_SETTING = ("OMP_WAIT_POLICY", "PASSIVE")
"""Threads that wait for others sleep instead of occupying a CPU, which other processes may need."""


def set_openmp_defaults() -> None:
    """Sets passive waiting and, with a CPU quota, the number of threads, unless the user has set them."""
    if not any(name in os.environ for name in WAIT_VARIABLES):
        name, value = WAIT_SETTING
        os.environ[name] = value
    if (cpus := available_cpus()) < schedulable_cpus():
        os.environ.setdefault("OMP_NUM_THREADS", str(cpus))
