"""Connections to Dask schedulers: by address, by scheduler file, or a cluster on this machine."""

from __future__ import annotations

import logging
import re
import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_core.utils.parallel import MAIN_GUARD_HINT

if TYPE_CHECKING:
    from distributed import Client

    from crowdgan_core.cluster.dask_executor import DaskExecutor

LOCAL_PATTERN = re.compile(r"local\[(\d+)\]")
"""A cluster on this machine: `local[N]`."""

ADDRESS_PATTERN = re.compile(r"(tcp|tls|ucx|ucxx|ws|wss)://(\S+):(\d+)")
"""Address of a scheduler: protocol, host and port."""

LOCAL_CONFIG = {
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
"""Settings of local clusters: no profiler, and memory of large images is reused, which Dask's default prevents."""

LOCAL_SCHEDULER = {"dashboard_address": "127.0.0.1:0"}
"""A free port, since Dask warns if the usual port of the dashboard is in use."""

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
    local, remote = LOCAL_PATTERN.fullmatch(address), ADDRESS_PATTERN.fullmatch(address)
    if remote is not None and remote[1] == "tcp":
        _check_protocol(address, remote[2].strip("[]"), int(remote[3]))
    try:
        if local is not None:
            with dask.config.set(LOCAL_CONFIG):
                cluster = LocalCluster(
                    n_workers=int(local[1]),
                    threads_per_worker=1,
                    dashboard_address=None,
                    scheduler_kwargs=LOCAL_SCHEDULER,
                    silence_logs=logging.CRITICAL,
                )
            return Client(cluster, set_as_default=False, direct_to_workers=True)
        if remote is not None:
            return Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
        return Client(scheduler_file=address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except Exception as error:  # distributed raises many types, among them AssertionError
        if local is not None:
            problem = f"the worker processes of the Dask cluster cannot start ({error})"
            raise CrowdganError(f"{address}: {problem}; {MAIN_GUARD_HINT}") from error
        raise CrowdganError(f"{address}: the Dask scheduler does not answer ({error})") from error


def _check_protocol(address: str, host: str, port: int) -> None:
    """Checks that a server which accepts connections sends something first, as Dask does and web servers do not.

    Dask itself would wait for minutes. Other errors are left to it.

    Raises:
        CrowdganError: the server sends nothing in `CONNECT_TIMEOUT_S`.
    """
    try:
        connection = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
    except OSError:
        return
    with connection:
        try:
            connection.recv(1)
        except TimeoutError:
            raise CrowdganError(
                f"{address}: the server at this port is not a Dask scheduler; is it the port of the dashboard? "
                "The usual port of a scheduler is 8786"
            ) from None
        except OSError:
            return
