"""Several runs on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_plot.training.series import concatenate_runs, moving_average, overlay_runs
from crowdgan_plot.training.stats import RunStats


def run_stats(name: str, kimg: Sequence[float]) -> RunStats:
    values = np.array(kimg, float)
    return RunStats(name=name, kimg=values, means={"a": values / 100})


def regular_run(name: str, lines: int, *, start: float = 0.0, step: float = 4.0) -> RunStats:
    return run_stats(name, start + step * np.arange(lines))


def test_a_run_that_starts_at_0_is_shifted_to_the_end_of_the_previous_one() -> None:
    aligned = concatenate_runs([regular_run("one", 11), regular_run("two", 6), regular_run("three", 6)], 0)
    assert [segment.start_kimg for segment in aligned.segments] == [0, 40, 60]
    assert [segment.kimg[-1] for segment in aligned.segments] == [40, 60, 80]
    assert aligned.segments[1].means["a"].tolist() == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])
    assert aligned.notes == ()


@pytest.mark.parametrize("first", [0.0, 0.032, 4.0])
def test_a_first_line_within_one_step_of_0_is_a_start_at_0(first: float) -> None:
    aligned = concatenate_runs([regular_run("one", 11), run_stats("two", [first, first + 4, first + 8])], 0)
    assert aligned.segments[1].start_kimg == 40 + first


def test_a_resumed_run_is_not_shifted_and_repeated_lines_are_dropped() -> None:
    aligned = concatenate_runs([regular_run("one", 11), regular_run("resumed", 5, start=32)], 0)
    assert aligned.segments[0].kimg.tolist() == [0, 4, 8, 12, 16, 20, 24, 28, 32]
    assert aligned.segments[1].kimg.tolist() == [32, 36, 40, 44, 48]


def test_a_resumed_run_is_shifted_like_the_run_that_it_continues() -> None:
    aligned = concatenate_runs(
        [regular_run("one", 101), regular_run("two", 51), regular_run("two resumed", 11, start=180)], 0
    )
    assert [segment.start_kimg for segment in aligned.segments] == [0, 400, 580]
    continued = concatenate_runs(
        [regular_run("one", 101), regular_run("two", 51), regular_run("total count", 11, start=600)], 0
    )
    assert continued.segments[2].start_kimg == 600


@pytest.mark.parametrize(
    ("lines", "skip", "dropped"),
    [(1000, None, 20), (200, None, 20), (150, None, 15), (9, None, 0), (150, 20, 20), (30, 50, 29), (1, 5, 0)],
)
def test_the_first_lines_after_a_join_are_dropped(lines: int, skip: int | None, dropped: int) -> None:
    aligned = concatenate_runs([regular_run("one", 300), regular_run("two", lines)], skip)
    assert [len(segment.kimg) for segment in aligned.segments] == [300, lines - dropped]
    assert aligned.segments[1].start_kimg == 299 * 4
    expected = (f"two: dropped {dropped} lines after the join (--skip)",) if dropped else ()
    assert aligned.notes == expected


def test_overlaid_runs_keep_their_progress() -> None:
    aligned = overlay_runs([regular_run("one", 30), regular_run("two", 40, start=80)], None)
    assert [(segment.start_kimg, len(segment.kimg)) for segment in aligned.segments] == [(0, 30), (80, 40)]
    assert not aligned.joined
    skipped = overlay_runs([regular_run("one", 30), regular_run("two", 40)], 1)
    assert [segment.kimg[0] for segment in skipped.segments] == [4, 4]
    assert skipped.notes[0] == "one: dropped 1 line at the start (--skip)"


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30), st.floats(0.0, 20), st.integers(0, 1000))
def test_the_moving_average_equals_that_of_a_plain_loop(steps: list[float], window: float, seed: int) -> None:
    kimg = np.cumsum(steps)
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(len(kimg)) < 0.3, np.nan, rng.normal(0, 1, len(kimg)))
    means = moving_average(kimg, values, window)
    for centre, mean in zip(kimg, means, strict=True):
        near = values[(kimg >= centre - window / 2) & (kimg <= centre + window / 2) & np.isfinite(values)]
        assert mean == pytest.approx(near.mean() if len(near) else np.nan, nan_ok=True)
