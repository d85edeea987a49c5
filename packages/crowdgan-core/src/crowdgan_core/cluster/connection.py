"""Connections to Dask schedulers: by address, by scheduler file, or a cluster on this machine."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import ConfigError, CrowdganError

if TYPE_CHECKING:
    from distributed import Client

    from crowdgan_core.cluster.dask_executor import DaskExecutor

LOCAL_PATTERN = re.compile(r"local\[(\d+)\]")
"""A cluster on this machine: `local[N]`."""

ADDRESS_PATTERN = re.compile(r"(tcp|tls|ucx|ucxx|ws|wss)://\S+:\d+")
"""Address of a scheduler."""

LOCAL_CONFIG = {
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
"""Settings of local clusters: no profiler, and memory of large images is reused, which Dask's default prevents."""

CONNECT_TIMEOUT_S = 15
"""Time in which a scheduler must answer."""

FORMS = "tcp://HOST:8786, local[N] for N processes on this machine, or a scheduler file"
"""The forms of an address, for messages."""


def check_scheduler(text: str) -> str:
    """The address itself, if it has one of the forms of `FORMS`.

    Raises:
        ValueError: it has another form.
    """
    local = LOCAL_PATTERN.fullmatch(text)
    if local is not None and int(local[1]) >= 1:
        return text
    if local is None and (ADDRESS_PATTERN.fullmatch(text) or Path(text).is_file()):
        return text
    raise ValueError(f"{text} is not a Dask scheduler; use {FORMS}")


@lru_cache(maxsize=1)
def dask_executor(address: str) -> DaskExecutor:
    """The executor of a Dask cluster; the connection is kept until this process ends.

    Args:
        address: one of the forms of `FORMS`.

    Raises:
        ConfigError: Dask is not installed, or the address has another form.
        CrowdganError: the scheduler does not answer.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"--scheduler needs Dask ({error}): pip install crowdgan-core[cluster]") from error
    from crowdgan_core.cluster.dask_executor import DaskExecutor

    return DaskExecutor(_connect(address), address)


def _connect(address: str) -> Client:
    import dask
    from distributed import Client, LocalCluster

    try:
        check_scheduler(address)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for name in ("distributed", "distributed.client"):  # lost workers and schedulers are reported by errors
        logging.getLogger(name).setLevel(logging.CRITICAL)
    local = LOCAL_PATTERN.fullmatch(address)
    try:
        if local is not None:
            with dask.config.set(LOCAL_CONFIG):
                cluster = LocalCluster(
                    n_workers=int(local[1]), threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
            return Client(cluster, set_as_default=False, direct_to_workers=True)
        if ADDRESS_PATTERN.fullmatch(address):
            return Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
        return Client(scheduler_file=address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except Exception as error:  # distributed raises many types, among them AssertionError
        raise CrowdganError(f"{address}: the Dask scheduler does not answer ({error})") from error
