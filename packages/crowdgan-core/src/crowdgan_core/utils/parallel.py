"""An ordered map over all cores that holds few items at a time and stops at once."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from typing import TypeVar

from crowdgan_core.errors import CrowdganError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 4
"""Items sent to a worker at once: sending costs about 0.2 ms, an image 10 ms."""

WAITING_CHUNKS = 3
"""Chunks under way per worker, so that none waits for the process that hands out."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals of Ctrl-C and of a polite kill."""

SHUTDOWN_TIMEOUT_S = 0.5
"""Seconds that a worker has to end the item that it works on; a large photograph takes a third of that."""

WINDOWS_WORKERS = 61
"""Workers that `ProcessPoolExecutor` takes at most on Windows: what its wait for several handles allows."""

WORKER_DIED = (
    "a worker process died; for lack of memory try fewer --workers; a script of your own must call from under "
    "`if __name__ == '__main__':`, since workers import it"
)


def available_cpus() -> int:
    """Number of cores that this process may use, each by a worker."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return _startable(os.cpu_count() or 1)


def _startable(workers: int) -> int:
    """As many of the workers as the system lets one process have."""
    return min(workers, WINDOWS_WORKERS) if os.name == "nt" else workers


def parallel_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[Result, None, None]:
    """Results of a picklable function over items, in their order, whatever the number of workers.

    Items are drawn as they are needed. With one worker everything runs in this process. When the iteration is left
    early, by an error or Ctrl-C, each worker ends after its current item, or is killed after `SHUTDOWN_TIMEOUT_S`.

    Raises:
        CrowdganError: a worker died.
    """
    workers = _startable(workers)
    if workers == 1:
        yield from map(function, items)
        return
    before = set(multiprocessing.active_children())
    context = _start_method()
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(stop,))
    try:
        yield from _in_order(pool, function, iter(items), workers * WAITING_CHUNKS)
    except BrokenProcessPool as error:
        raise CrowdganError(WORKER_DIED) from error
    except BaseException:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        _kill_after_grace(set(multiprocessing.active_children()) - before)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], limit: int
) -> Iterator[Result]:
    under_way: deque[Future[list[Result]]] = deque()
    chunks = iter(lambda: list(itertools.islice(items, CHUNK)), [])
    for chunk in chunks:
        with _interrupts_later():
            under_way.append(pool.submit(_map_chunk, function, chunk))
        if len(under_way) >= limit:
            yield from under_way.popleft().result()
    while under_way:
        yield from under_way.popleft().result()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Holds back what stops this process: a worker that starts while nobody has noted it would be left over."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda received, _: held.append(received)) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for received in held:
            signal.raise_signal(received)


def _map_chunk(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk if _stop is None or not _stop.is_set()]


def _kill_after_grace(processes: Iterable[BaseProcess]) -> None:
    """Kills what has not ended by itself.

    Not at once: a worker killed while it sends a result leaves the thread that receives it waiting for ever.
    """
    end = time.monotonic() + SHUTDOWN_TIMEOUT_S
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        process.kill()


def _start_method() -> multiprocessing.context.BaseContext:
    """Workers that start from a clean process: a fork of this one would inherit its threads and locks.

    Where there is a fork server, it imports once, for all workers, what this process has loaded of crowdgan and its
    plugins.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in list(sys.modules) if name.startswith("crowdgan")])
    _start_fork_server()
    return context


def _start_fork_server() -> None:
    """Starts the server with Ctrl-C blocked, which it and the workers inherit: it is for this process alone."""
    from multiprocessing import forkserver, resource_tracker  # not on Windows

    resource_tracker.ensure_running()  # first, since it unblocks Ctrl-C at its end
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


_stop: Event | None = None
"""In a worker: set when the results are no longer wanted. Only what a worker starts with can hand it over."""


def _start_worker(stop: Event) -> None:
    """Leaves Ctrl-C to the parent, and makes this worker end with it, also where it is killed and can tell nobody."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
