"""Jobs of the viewer: one at a time, the newest of each key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from crowdgan_plot.viewer.jobs import LatestJobs, SupersededError


class Gate:
    """A job that runs until it is opened, and a log of the jobs that ran."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.started, self.opened = threading.Event(), threading.Event()

    def block(self) -> str:
        self.started.set()
        assert self.opened.wait(timeout=30)
        return "blocked"

    def job(self, name: str) -> Callable[[], str]:
        def run() -> str:
            self.log.append(name)
            return name

        return run


async def start_blocked(jobs: LatestJobs, gate: Gate) -> asyncio.Task[str]:
    task = asyncio.ensure_future(jobs.run("a", gate.block))
    await asyncio.to_thread(gate.started.wait, 30)
    return task


def test_a_newer_job_replaces_the_waiting_one_of_its_key() -> None:
    async def scenario() -> list[Any]:
        jobs, gate = LatestJobs(), Gate()
        running = await start_blocked(jobs, gate)
        waiting = [asyncio.ensure_future(jobs.run("a", gate.job(f"a{index}"))) for index in range(5)]
        other = asyncio.ensure_future(jobs.run("b", gate.job("b")))
        await asyncio.sleep(0)
        gate.opened.set()
        results = await asyncio.gather(running, *waiting, other, return_exceptions=True)
        return [gate.log, results]

    log, results = asyncio.run(scenario())
    assert log == ["a4", "b"]
    assert results[0] == "blocked"
    assert all(isinstance(result, SupersededError) for result in results[1:5])
    assert results[5:] == ["a4", "b"]


def test_jobs_without_key_are_never_replaced_and_urgent_jobs_are_first() -> None:
    async def scenario() -> list[str]:
        jobs, gate = LatestJobs(), Gate()
        running = await start_blocked(jobs, gate)
        tasks = [
            asyncio.ensure_future(jobs.run(None, gate.job("measured"), "measurement")),
            asyncio.ensure_future(jobs.run(None, gate.job("tile 1"), "strip")),
            asyncio.ensure_future(jobs.run(None, gate.job("tile 2"), "strip")),
            asyncio.ensure_future(jobs.run(None, gate.job("image"))),
        ]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(running, *tasks)
        return gate.log

    assert asyncio.run(scenario()) == ["image", "tile 1", "tile 2", "measured"]


def test_errors_are_raised_for_the_caller_and_the_next_job_runs() -> None:
    def leave() -> None:
        raise SystemExit(3)

    async def scenario() -> str:
        jobs = LatestJobs()
        with pytest.raises(ZeroDivisionError):
            await jobs.run("a", lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await jobs.run("a", lambda: next(iter(())))
        with pytest.raises(RuntimeError, match="SystemExit"):
            await jobs.run("a", leave)
        return await jobs.run("a", lambda: "next")

    assert asyncio.run(scenario()) == "next"


def test_a_cancelled_job_does_not_run() -> None:
    async def scenario() -> list[str]:
        jobs, gate = LatestJobs(), Gate()
        running = await start_blocked(jobs, gate)
        cancelled = asyncio.ensure_future(jobs.run("b", gate.job("cancelled")))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        await running
        await jobs.run("c", gate.job("last"))
        return gate.log

    assert asyncio.run(scenario()) == ["last"]


def test_the_result_of_a_job_whose_caller_was_cancelled_is_dropped() -> None:
    async def scenario() -> str:
        jobs, gate = LatestJobs(), Gate()
        running = await start_blocked(jobs, gate)
        running.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        return await jobs.run("b", gate.job("next"))

    assert asyncio.run(scenario()) == "next"
