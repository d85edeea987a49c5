"""An ordered parallel map with bounded memory: over processes of this machine, or by another executor."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import Protocol, TypeVar, runtime_checkable

from crowdgan_core.errors import CrowdganError
from crowdgan_core.utils.cpus import limit_workers
from crowdgan_core.utils.progress import NullProgress, Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK_SIZE = 4
"""Items per task of a worker process: sending a task takes about 0.2 ms, processing an image 10 ms."""

QUEUED_CHUNKS_PER_WORKER = 3
"""Chunks submitted per worker, so that no worker waits for the parent process."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The interrupt signal (Ctrl-C) and the termination signal."""

SHUTDOWN_TIMEOUT_S = 0.5
"""Time in seconds in which a worker must finish its current item; a large image takes a third of it."""

MAIN_GUARD_HINT = (
    "a Python script must make this call under `if __name__ == '__main__':`, since worker processes import the script"
)

WORKER_DIED_MESSAGE = f"a worker process died; if memory ran out, use fewer --workers; {MAIN_GUARD_HINT}"


@contextmanager
def explain_start_errors(workers: int) -> Iterator[None]:
    """Converts the OSError of a failed start of worker processes to a `CrowdganError` with the remedy."""
    try:
        yield
    except OSError as error:
        hint = (
            "too little shared memory; in a container, enlarge it (docker run --shm-size 1g), or use fewer --workers"
            if error.errno == errno.ENOSPC
            else "use fewer --workers"
        )
        raise CrowdganError(f"--workers {workers}: worker processes cannot start ({error.strerror}): {hint}") from error


class Executor(Protocol):
    """Runs a function on items in other processes: those of this machine, or the workers of a cluster."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, chunk_size: int | None
    ) -> Generator[Result, None, None]:
        """Results of a picklable function over items, in the order of the items.

        Items are consumed as needed, and the number of unfinished items is bounded. The function may run twice on an
        item if a worker is lost.

        Args:
            function: picklable.
            items: its arguments, picklable.
            chunk_size: items per task of a worker; None for the default of the executor.

        Raises:
            CrowdganError: no workers are left.
        """
        ...


Workers = int | Executor
"""A number of worker processes of this machine, or another executor."""


@runtime_checkable
class LocatedItem(Protocol):
    """An item that refers to files, which processes on other machines may not see."""

    def is_readable(self) -> bool:
        """Whether this process sees the files."""
        ...

    def with_contents(self) -> LocatedItem:
        """The item with the contents of the files instead."""
        ...


def parallel_list(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    *,
    workers: Workers,
    progress: Progress | None = None,
) -> list[Result]:
    """All results of `parallel_map`, with one step of progress per item.

    Args:
        function: picklable.
        items: its arguments.
        description: name of the phase of the progress.
        workers: number of worker processes, or another executor.
        progress: receives one step per item.
    """
    progress = progress or NullProgress()
    progress.start(description, len(items))
    results: list[Result] = []
    with closing(parallel_map(function, items, workers=workers)) as iterator:
        for result in iterator:
            progress.advance()
            results.append(result)
    return results


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: Workers, chunk_size: int | None = None
) -> Generator[Result, None, None]:
    """Results of a picklable function over items, in the order of the items for any number of workers.

    Args:
        function: picklable.
        items: its arguments, which are consumed as needed.
        workers: number of worker processes, or another executor.
        chunk_size: items per task of a worker; None for the default of the executor.

    Raises:
        CrowdganError: a worker process died, or none can be started.
    """
    executor = ProcessExecutor(workers) if isinstance(workers, int) else workers
    return executor.map(function, items, chunk_size=chunk_size)


@dataclass(frozen=True)
class ProcessExecutor:
    """Processes of this machine; with one worker, everything runs in this process.

    If the iteration stops early (an error or Ctrl-C), each worker finishes its current item, or is killed after
    `SHUTDOWN_TIMEOUT_S`.
    """

    workers: int
    """Number of worker processes."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, chunk_size: int | None
    ) -> Generator[Result, None, None]:
        """Results in the order of the items; see `Executor`.

        Raises:
            CrowdganError: a worker process died, or none can be started.
        """
        workers = limit_workers(self.workers)
        if workers == 1:
            yield from map(function, items)
            return
        earlier_children = set(multiprocessing.active_children())
        context = _start_method()
        with explain_start_errors(workers):
            stop = context.Event()
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(stop,))
        try:
            yield from _map_in_order(pool, function, iter(items), workers, chunk_size or CHUNK_SIZE)
        except BrokenProcessPool as error:
            raise CrowdganError(WORKER_DIED_MESSAGE) from error
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            _kill_after_timeout(set(multiprocessing.active_children()) - earlier_children)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _map_in_order(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], workers: int, chunk_size: int
) -> Iterator[Result]:
    pending: deque[Future[list[Result]]] = deque()
    chunks = iter(lambda: list(itertools.islice(items, chunk_size)), [])
    for chunk in chunks:
        with explain_start_errors(workers), _defer_signals():
            pending.append(pool.submit(_map_chunk, function, chunk))
        if len(pending) >= workers * QUEUED_CHUNKS_PER_WORKER:
            yield from pending.popleft().result()
    while pending:
        yield from pending.popleft().result()


@contextmanager
def _defer_signals() -> Iterator[None]:
    """Defers stop signals: a worker that starts but is not yet registered would outlive this process."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield
        return
    deferred: list[int] = []
    handlers = {number: signal.signal(number, lambda received, _: deferred.append(received)) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in deferred:
            signal.raise_signal(received)


def _map_chunk(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk if _stop is None or not _stop.is_set()]


def _kill_after_timeout(processes: Iterable[BaseProcess]) -> None:
    """Kills the processes that have not ended within `SHUTDOWN_TIMEOUT_S`.

    An immediate kill could block: if a worker is killed while it sends a result, the receiving thread waits forever.
    """
    end = time.monotonic() + SHUTDOWN_TIMEOUT_S
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        process.kill()


def _start_method() -> multiprocessing.context.BaseContext:
    """A start method with clean worker processes: a fork of this process would inherit its threads and locks.

    A fork server, where the system has one, preloads the crowdgan modules and plugins that this process has loaded,
    once for all workers.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in list(sys.modules) if name.startswith("crowdgan")])
    _start_fork_server()
    return context


def _start_fork_server() -> None:
    """Starts the fork server with SIGINT blocked; workers inherit this, so only this process handles Ctrl-C."""
    from multiprocessing import forkserver, resource_tracker  # not on Windows

    resource_tracker.ensure_running()  # first, because it unblocks SIGINT when it returns
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


_stop: Event | None = None
"""In a worker process: set when the results are no longer needed. An event can only be passed at process start."""


def _start_worker(stop: Event) -> None:
    """Leaves Ctrl-C to the parent process, and ends this worker when the parent ends, even if the parent is killed."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker process has a parent"
    parent.join()
    os._exit(1)
