"""Runs on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_plot.training.series import concatenate_runs, moving_average, overlay_runs
from crowdgan_plot.training.stats import RunStats


def run(name: str, kimg: Sequence[float]) -> RunStats:
    lengths = np.array(kimg, float)
    return RunStats(name=name, kimg=lengths, means={"a": lengths / 100})


def counting(name: str, lines: int, *, start: float = 0.0, step: float = 4.0) -> RunStats:
    return run(name, start + step * np.arange(lines))


def test_a_run_that_starts_at_0_is_moved_to_the_end_of_the_one_before() -> None:
    found = concatenate_runs([counting("one", 11), counting("two", 6), counting("three", 6)], 0)
    assert [part.start_kimg for part in found.parts] == [0, 40, 60]
    assert [part.kimg[-1] for part in found.parts] == [40, 60, 80]
    assert found.parts[1].means["a"].tolist() == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])
    assert found.notes == ()


@pytest.mark.parametrize("first", [0.0, 0.032, 4.0])
def test_a_first_line_within_one_step_of_0_is_a_start_at_0(first: float) -> None:
    found = concatenate_runs([counting("one", 11), run("two", [first, first + 4, first + 8])], 0)
    assert found.parts[1].start_kimg == 40 + first


def test_a_run_that_counts_on_keeps_its_numbers_and_what_it_repeats_is_left_out() -> None:
    found = concatenate_runs([counting("one", 11), counting("resumed", 5, start=32)], 0)
    assert found.parts[0].kimg.tolist() == [0, 4, 8, 12, 16, 20, 24, 28, 32]
    assert found.parts[1].kimg.tolist() == [32, 36, 40, 44, 48]


def test_a_run_that_counts_on_after_a_moved_one_is_moved_as_that_one() -> None:
    found = concatenate_runs([counting("one", 101), counting("two", 51), counting("two resumed", 11, start=180)], 0)
    assert [part.start_kimg for part in found.parts] == [0, 400, 580]
    other = concatenate_runs([counting("one", 101), counting("two", 51), counting("counts all", 11, start=600)], 0)
    assert other.parts[2].start_kimg == 600


@pytest.mark.parametrize(
    ("lines", "skip", "left_out"),
    [(1000, None, 20), (200, None, 20), (150, None, 15), (9, None, 0), (150, 20, 20), (30, 50, 29), (1, 5, 0)],
)
def test_the_first_lines_after_a_join_are_left_out(lines: int, skip: int | None, left_out: int) -> None:
    found = concatenate_runs([counting("one", 300), counting("two", lines)], skip)
    assert [len(part.kimg) for part in found.parts] == [300, lines - left_out]
    assert found.parts[1].start_kimg == 299 * 4
    expected = (f"two: {left_out} lines after the join left out (--skip)",) if left_out else ()
    assert found.notes == expected


def test_separate_runs_keep_their_axes() -> None:
    found = overlay_runs([counting("one", 30), counting("two", 40, start=80)], None)
    assert [(part.start_kimg, len(part.kimg)) for part in found.parts] == [(0, 30), (80, 40)]
    assert not found.joined
    skipped = overlay_runs([counting("one", 30), counting("two", 40)], 1)
    assert [part.kimg[0] for part in skipped.parts] == [4, 4]
    assert skipped.notes[0] == "one: 1 line at the start left out (--skip)"


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30), st.floats(0.0, 20), st.integers(0, 1000))
def test_windowed_means_are_those_of_a_plain_loop(steps: list[float], window: float, seed: int) -> None:
    kimg = np.cumsum(steps)
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(len(kimg)) < 0.3, np.nan, rng.normal(0, 1, len(kimg)))
    found = moving_average(kimg, values, window)
    for place, mean in zip(kimg, found, strict=True):
        near = values[(kimg >= place - window / 2) & (kimg <= place + window / 2) & np.isfinite(values)]
        assert mean == pytest.approx(near.mean() if len(near) else np.nan, nan_ok=True)
