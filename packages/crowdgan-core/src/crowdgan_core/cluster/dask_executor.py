"""An ordered parallel map on a Dask cluster, with bounded memory in this process and on the workers."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import cloudpickle
from distributed import Client, Future, KilledWorker, get_worker
from distributed.comm.core import CommClosedError

from crowdgan_core.cluster import worker_check
from crowdgan_core.cluster.worker_check import WorkerPackages, read_packages
from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.parallel import LocatedItem

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

CORE = "crowdgan-core"

CHUNK_SIZE = 16
"""Items per task, unless stated: a task takes about 5 ms more than its items, processing an image 10 ms."""

QUEUED_CHUNKS_PER_THREAD = 3
"""Chunks submitted per thread of the workers, so that no worker waits for this process."""

WORKERS_TIMEOUT_S = 120
"""Time to wait for the first worker: a job scheduler may start it later than the Dask scheduler."""

SILENT_WAIT_S = 5
"""Time after which a message states that no worker has joined yet."""

REFRESH_S = 2.0
"""Time after which the number of threads is asked for again, since workers come and go."""

cloudpickle.register_pickle_by_value(worker_check)


@dataclass(frozen=True)
class _Unreadable:
    """Result of a task whose worker does not see the files of its items."""

    worker: str
    """Address of the worker."""


@dataclass(frozen=True)
class _Unsuitable:
    """Result of a task whose worker cannot run the function."""

    worker: str
    """Address of the worker."""

    reason: str
    """Its host and what differs from the client."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """The function of a map and what workers need to run it; sent with each task."""

    function: bytes
    """The pickled function."""

    packages: tuple[tuple[str, str], ...]
    """Names and versions of crowdgan and its plugins in the client."""

    folder: str
    """Working folder of the client, to which relative paths refer."""


@dataclass(kw_only=True)
class _Chunk:
    """Items that were sent to a worker, and the future of their results."""

    items: list[Any]
    future: Future[Any]


class DaskExecutor:
    """The workers of a Dask cluster.

    Workers read files themselves where they see them; to others, this process sends the contents. Work of a lost worker
    is repeated on another one. Workers that join later with other packages are not used, with a warning.

    Args:
        client: a connected client.
        address: address of the scheduler, for messages.

    Raises:
        ConfigError: versions of crowdgan or of a plugin differ between this process and a worker.
        CrowdganError: no worker joins within `WORKERS_TIMEOUT_S`.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        self._packages = _crowdgan_packages()
        self._blind: set[str] = set()
        self._unsuitable: dict[str, str] = {}
        self._threads: tuple[float, dict[str, int]] = (0.0, {})
        with self._explain_errors():
            self._wait_for_worker()
            found = client.run(read_packages, tuple(self._packages), on_error="return")
        packages = (item for item in found.values() if isinstance(item, WorkerPackages))  # the others are just leaving
        problems = (package_problem(self._packages, item, required=False) for item in packages)
        if (problem := next(filter(None, problems), None)) is not None:
            raise ConfigError(problem)

    def _wait_for_worker(self) -> None:
        """Waits for the first worker; a message says so after `SILENT_WAIT_S`.

        Raises:
            CrowdganError: no worker joins within `WORKERS_TIMEOUT_S`.
        """
        try:
            self._client.wait_for_workers(1, timeout=SILENT_WAIT_S)
        except TimeoutError:
            logger.warning(f"{self._address}: waiting for a Dask worker, at most {WORKERS_TIMEOUT_S} s")
            try:
                self._client.wait_for_workers(1, timeout=WORKERS_TIMEOUT_S - SILENT_WAIT_S)
            except TimeoutError:
                raise CrowdganError(f"{self._address}: no Dask worker has joined in {WORKERS_TIMEOUT_S} s") from None

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, chunk_size: int | None
    ) -> Generator[Result, None, None]:
        """Results in the order of the items; see `crowdgan_core.utils.parallel.Executor`.

        Raises:
            ConfigError: all workers lack a plugin that the function needs, or have other versions.
            CrowdganError: the scheduler is lost, or several workers died in the same task.
        """
        job = _Job(function=pickle.dumps(function), packages=tuple(self._packages.items()), folder=str(Path.cwd()))
        remaining = iter(items)
        pending: deque[_Chunk] = deque()
        try:
            with self._explain_errors():
                for batch in iter(lambda: list(itertools.islice(remaining, chunk_size or CHUNK_SIZE)), []):
                    pending.append(self._submit(job, batch))
                    if len(pending) >= QUEUED_CHUNKS_PER_THREAD * max(1, sum(self._worker_threads().values())):
                        yield from self._results(job, pending.popleft())
                while pending:
                    yield from self._results(job, pending.popleft())
        finally:
            for chunk in pending:
                with suppress(Exception):  # the scheduler may be lost
                    chunk.future.cancel()

    def _submit(self, job: _Job, items: list[Any]) -> _Chunk:
        """Sends a chunk to a worker that can process it as it is, if there is one, else with its contents."""
        suitable = self._suitable_workers()
        seeing = [worker for worker in suitable if worker not in self._blind]
        if self._blind and not seeing:
            return self._submit_contents(job, items)
        return self._send(_run_if_readable, job, items, items, seeing)

    def _submit_contents(self, job: _Job, items: list[Any]) -> _Chunk:
        """Sends a chunk with the contents of its files."""
        contents = [item.with_contents() if isinstance(item, LocatedItem) else item for item in items]
        return self._send(_run, job, items, contents, self._suitable_workers())

    def _send(
        self, run: Callable[..., Any], job: _Job, items: list[Any], sent: list[Any], workers: Sequence[str]
    ) -> _Chunk:
        is_restricted = bool(self._blind or self._unsuitable)
        future = self._client.submit(
            run, job, sent, pure=False, workers=workers if is_restricted else None, allow_other_workers=is_restricted
        )
        return _Chunk(items=items, future=future)

    def _suitable_workers(self) -> list[str]:
        """Addresses of the workers without those that are known to be unsuitable.

        Raises:
            ConfigError: all workers are unsuitable.
        """
        workers = self._worker_threads()
        suitable = [worker for worker in workers if worker not in self._unsuitable]
        if workers and not suitable:
            raise ConfigError(next(self._unsuitable[worker] for worker in workers))
        return suitable

    def _results(self, job: _Job, chunk: _Chunk) -> list[Any]:
        result = chunk.future.result()
        while isinstance(result, _Unreadable | _Unsuitable):
            if isinstance(result, _Unsuitable):
                self._exclude(result)
                chunk = self._submit(job, chunk.items)
            else:
                if all(item.is_readable() for item in chunk.items):
                    self._blind.add(result.worker)
                chunk = self._submit_contents(job, chunk.items)
            result = chunk.future.result()
        results: list[Any] = result
        return results

    def _exclude(self, result: _Unsuitable) -> None:
        """Uses a worker no longer; a warning states the reason if other workers remain."""
        is_new = result.worker not in self._unsuitable
        self._unsuitable[result.worker] = result.reason
        if is_new and any(worker not in self._unsuitable for worker in self._worker_threads()):
            logger.warning(f"{result.reason}; this worker is not used")

    def _worker_threads(self) -> dict[str, int]:
        """Number of threads of each worker by address."""
        asked, threads = self._threads
        if time.monotonic() - asked > REFRESH_S:
            try:
                threads = self._client.nthreads()
            except OSError as error:  # the scheduler cannot be reached
                raise CommClosedError(str(error)) from error
            self._threads = (time.monotonic(), threads)
        return threads

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Converts the exceptions of a lost cluster to a `CrowdganError`."""
        try:
            yield
        except KilledWorker as error:
            raise CrowdganError(
                f"{self._address}: several Dask workers died in the same task ({error}); if memory ran out, give each "
                "worker more"
            ) from error
        except (CommClosedError, CancelledError, TimeoutError) as error:
            raise CrowdganError(f"{self._address}: the connection to the Dask scheduler is lost") from error


def package_problem(expected: dict[str, str], found: WorkerPackages, *, required: bool) -> str | None:
    """The first package of a worker that is missing or has another version than here; None if there is none.

    Args:
        expected: versions of this process.
        found: packages of the worker.
        required: whether a missing plugin is a problem; a missing `crowdgan-core` always is.
    """
    where, python = f"Dask worker on {found.host}", worker_check.python_version()
    if found.python != python:
        return f"{where}: Python {found.python}; this process has {python}"
    for name, version in expected.items():
        other = found.versions.get(name)
        if other is None and (required or name == CORE):
            return f"{where}: {name} is not installed: pip install {name}=={version}"
        if other is not None and other != version:
            return f"{where}: {name} {other}; this process has {version}; install the same version"
    return None


def _crowdgan_packages() -> dict[str, str]:
    """Versions of the core and of the packages of all loaded plugins by name."""
    return {plugin.distribution: plugin.version for plugin in installed_plugins().loaded}


def _run_if_readable(job: _Job, items: list[Any]) -> list[Any] | _Unreadable | _Unsuitable:
    """Runs on a worker: the results of a function over items, if the worker sees their files."""
    _enter_folder(job.folder)
    if any(isinstance(item, LocatedItem) and not item.is_readable() for item in items):
        return _Unreadable(get_worker().address)
    return _run(job, items)


def _run(job: _Job, items: list[Any]) -> list[Any] | _Unsuitable:
    """Runs on a worker: the results of a function over items, if the worker has the packages that it needs."""
    _enter_folder(job.folder)
    function = _unpickle(job)
    if isinstance(function, str):
        return _Unsuitable(get_worker().address, function)
    return [function(item) for item in items]


def _enter_folder(folder: str) -> None:
    """Makes the working folder of the client that of this worker too, as for worker processes, if it sees it."""
    with suppress(OSError):
        os.chdir(folder)


@lru_cache(maxsize=8)
def _unpickle(job: _Job) -> Callable[[Any], Any] | str:
    """The function of a job; otherwise the reason: versions differ, or a plugin that the function needs is missing."""
    expected = dict(job.packages)
    found = read_packages(tuple(expected))
    problem = package_problem(expected, found, required=False)
    if problem is not None:
        return problem
    try:
        function: Callable[[Any], Any] = pickle.loads(job.function)  # noqa: S301  # sent by the client of this cluster
    except ImportError as error:
        return package_problem(expected, found, required=True) or f"Dask worker on {found.host}: {error}"
    return function
