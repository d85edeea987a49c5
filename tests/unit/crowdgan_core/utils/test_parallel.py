"""The ordered map over processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator

import pytest

from crowdgan_core.errors import CrowdganError
from crowdgan_core.utils.parallel import CHUNK, WAITING_CHUNKS, WINDOWS_WORKERS, available_cpus, parallel_map


def slow_square(number: int) -> int:
    time.sleep(0.002 * (number % 3))
    return number * number


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def die(number: int) -> int:
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(parallel_map(slow_square, range(50), workers=workers)) == [number * number for number in range(50)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_comes_out(workers: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        list(parallel_map(fail_at_seven, range(20), workers=workers))
    assert multiprocessing.active_children() == []


def test_items_are_drawn_as_they_are_needed() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in itertools.count():
            drawn += 1
            yield number

    results = parallel_map(slow_square, items(), workers=2)
    assert [next(results) for _ in range(10)] == [number * number for number in range(10)]
    results.close()
    assert drawn <= 10 + (2 * WAITING_CHUNKS + 1) * CHUNK
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_is_an_error() -> None:
    with pytest.raises(CrowdganError, match="a worker process died; for lack of memory try fewer --workers"):
        list(parallel_map(die, range(5), workers=2))


def test_there_is_at_least_one_core() -> None:
    assert available_cpus() >= 1


def test_windows_is_asked_for_no_more_workers_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert available_cpus() == 128
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        found = available_cpus()
    assert found == WINDOWS_WORKERS
