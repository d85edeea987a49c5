"""The ordered parallel map over worker processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator

import pytest

from crowdgan_core.errors import CrowdganError
from crowdgan_core.utils.parallel import (
    CHUNK_SIZE,
    QUEUED_CHUNKS_PER_WORKER,
    parallel_map,
)


def slow_square(number: int) -> int:
    time.sleep(0.002 * (number % 3))
    return number * number


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def exit_process(number: int) -> int:
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_are_in_the_order_of_the_items(workers: int) -> None:
    assert list(parallel_map(slow_square, range(50), workers=workers)) == [number * number for number in range(50)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        list(parallel_map(fail_at_seven, range(20), workers=workers))
    assert multiprocessing.active_children() == []


def test_items_are_consumed_as_needed() -> None:
    consumed = 0

    def items() -> Iterator[int]:
        nonlocal consumed
        for number in itertools.count():
            consumed += 1
            yield number

    results = parallel_map(slow_square, items(), workers=2)
    assert [next(results) for _ in range(10)] == [number * number for number in range(10)]
    results.close()
    assert consumed <= 10 + (2 * QUEUED_CHUNKS_PER_WORKER + 1) * CHUNK_SIZE
    assert multiprocessing.active_children() == []


def test_a_worker_process_that_exits_is_an_error() -> None:
    with pytest.raises(CrowdganError, match="a worker process died; if memory ran out, use fewer --workers"):
        list(parallel_map(exit_process, range(5), workers=2))
