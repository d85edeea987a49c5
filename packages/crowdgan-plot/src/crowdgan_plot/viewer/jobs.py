"""Computations of the viewer, one at a time in one thread; a newer one of a key replaces the one that waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

Priority = Literal["image", "strip", "measurement"]
"""Purpose of a computation, which determines its urgency."""

PRIORITIES: tuple[Priority, ...] = ("image", "strip", "measurement")

T = TypeVar("T")


class SupersededError(Exception):
    """A newer job of the same key has replaced a waiting one."""


@dataclass(frozen=True)
class _Job:
    function: Callable[[], Any]
    priority: Priority
    future: asyncio.Future[Any]


class LatestJobs:
    """Runs jobs one at a time in a thread, the most urgent first, otherwise in their order.

    At most one job per key waits: a newer one replaces it. The methods belong to one event loop. The thread is a
    daemon, so that a running job does not delay the end of the process.
    """

    def __init__(self) -> None:
        self._waiting: dict[object, _Job] = {}
        self._is_running = False
        self._queue: SimpleQueue[tuple[_Job, asyncio.AbstractEventLoop]] = SimpleQueue()
        threading.Thread(target=self._work, name="viewer jobs", daemon=True).start()

    async def run(self, key: str | None, function: Callable[[], T], priority: Priority = "image") -> T:
        """The result of a function, which is called in the thread.

        Args:
            key: client and kind of the job; None for a job that is never replaced.
            function: the computation.
            priority: its urgency.

        Raises:
            SupersededError: a newer job of the same key replaced this one while it waited.
        """
        unique_key = object() if key is None else key
        replaced = self._waiting.pop(unique_key, None)
        if replaced is not None and not replaced.future.done():
            replaced.future.set_exception(SupersededError())
        job = _Job(function, priority, asyncio.get_running_loop().create_future())
        self._waiting[unique_key] = job
        self._start_next()
        try:
            result: T = await job.future
        finally:
            if self._waiting.get(unique_key) is job:  # cancelled while it waited
                del self._waiting[unique_key]
        return result

    def _start_next(self) -> None:
        """Passes the most urgent waiting job to the thread, if it is idle."""
        if self._is_running or not self._waiting:
            return
        key = min(self._waiting, key=lambda key: PRIORITIES.index(self._waiting[key].priority))
        self._is_running = True
        self._queue.put((self._waiting.pop(key), asyncio.get_running_loop()))

    def _work(self) -> None:
        while True:
            job, loop = self._queue.get()
            result: Any = None
            error: BaseException | None = None
            try:
                result = job.function()
            except BaseException as raised:
                # A future accepts no StopIteration, and SystemExit in a plugin must not end the thread.
                is_ordinary = isinstance(raised, Exception) and not isinstance(raised, StopIteration)
                error = raised if is_ordinary else RuntimeError(repr(raised))
            with suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(self._finish, job, result, error)
            del job, result, error  # which would keep an image in memory until the next job

    def _finish(self, job: _Job, result: Any, error: BaseException | None) -> None:
        self._is_running = False
        if not job.future.done():  # not cancelled by a timeout
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)
        self._start_next()
