"""Statistics of runs, as files hold them: whole, half-written, damaged, and while they grow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_plot.training.stats import StatsReader, read_stats
from tests.support.run_folders import stats_line, write_stats

LINES = [stats_line(float(kimg), {"Loss/G/loss": kimg / 10}) for kimg in range(4)]


def test_a_run_is_read_by_its_folder_or_its_file(tmp_path: Path) -> None:
    folder = write_stats(tmp_path / "00003-crowds", LINES)
    for path, name in ((folder, "00003-crowds"), (folder / "stats.jsonl", "00003-crowds")):
        found = read_stats(path)
        assert (found.name, found.notes, len(found)) == (name, (), 4)
        assert found.kimg.tolist() == [0, 1, 2, 3]
        assert found.means["Loss/G/loss"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
        assert "timestamp" not in found.means
    copy = tmp_path / "other.jsonl"
    copy.write_bytes((folder / "stats.jsonl").read_bytes())
    assert read_stats(copy).name == "other"


def test_a_key_that_lines_lack_is_nan_there(tmp_path: Path) -> None:
    lines = [
        *LINES,
        stats_line(4, {"Loss/D/loss": 1.0}),
        {"Progress/kimg": {"mean": 5.0}, "Loss/D/loss": {"mean": None}},
    ]
    found = read_stats(write_stats(tmp_path / "run", lines))
    assert np.isnan(found.means["Loss/D/loss"]).tolist() == [True, True, True, True, False, True]
    assert found.notes == ()


def test_nan_as_the_official_trainer_writes_it_is_read(tmp_path: Path) -> None:
    more = '{"Progress/kimg": {"num": 1, "mean": 9.0, "std": 0}, "Loss/G/loss": {"num": 0, "mean": NaN, "std": NaN}}\n'
    found = read_stats(write_stats(tmp_path / "run", LINES, more=more))
    assert np.isnan(found.means["Loss/G/loss"][-1])
    assert found.kimg[-1] == 9


@pytest.mark.parametrize(
    ("more", "count", "note"),
    [
        ('{"Progress/ki', 4, "line 5 is cut off, as while it is being written: left out"),
        (json.dumps(stats_line(4, {})), 5, None),
        ("\n\n", 4, None),
        ("[1]\nnonsense\n", 4, "lines that are no JSON objects, left out: 2 (line 5, line 6)"),
        ('{"Loss/G/loss": {"mean": 1}}\n', 4, "1 lines say nothing of Progress/kimg: left out"),
        ('{"Progress/kimg": {"mean": NaN}}\n', 4, "1 lines say nothing of Progress/kimg: left out"),
        ('{"Progress/kimg": 7}\n', 4, "1 lines say nothing of Progress/kimg: left out"),
    ],
    ids=["cut off", "no line end", "blank lines", "no objects", "no kimg", "kimg is NaN", "kimg is a bare number"],
)
def test_what_cannot_be_used_is_left_out_and_said(tmp_path: Path, more: str, count: int, note: str | None) -> None:
    folder = write_stats(tmp_path / "run", LINES, more=more)
    found = read_stats(folder)
    assert len(found) == count
    assert found.notes == (() if note is None else (f"{folder / 'stats.jsonl'}: {note}",))


def test_lines_that_a_resumed_run_tells_anew_are_told_once(tmp_path: Path) -> None:
    again = [stats_line(kimg, {"Loss/G/loss": 9.0}) for kimg in (2.0, 3.0)]
    folder = write_stats(tmp_path / "run", [*LINES, *again])
    found = read_stats(folder)
    assert found.kimg.tolist() == [0, 1, 2, 3]
    assert found.means["Loss/G/loss"].tolist() == pytest.approx([0, 0.1, 9, 9])
    assert found.notes == (f"{folder / 'stats.jsonl'}: 2 lines that a later start of the run repeats: left out",)


def test_an_empty_file_is_a_run_without_lines(tmp_path: Path) -> None:
    found = read_stats(write_stats(tmp_path / "run", []))
    assert (len(found), found.means, found.notes) == (0, {}, ())


def test_a_growing_file_is_read_line_by_line(tmp_path: Path) -> None:
    folder = write_stats(tmp_path / "run", LINES[:1])
    path = folder / "stats.jsonl"
    reader = StatsReader(folder)
    assert reader.poll()
    assert not reader.poll()
    line = json.dumps(LINES[1])
    with path.open("a") as file:
        file.write(line[:20])
    assert not reader.poll()
    assert (len(reader.stats()), len(reader.stats().notes)) == (1, 1)
    with path.open("a") as file:
        file.write(line[20:] + "\n")
    assert reader.poll()
    assert (len(reader.stats()), reader.stats().notes) == (2, ())
    write_stats(folder, [stats_line(7.0, {})])
    assert reader.poll()
    assert reader.stats().kimg.tolist() == [7]


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: there is no such file or folder"):
        read_stats(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: it holds no stats.jsonl; is it the folder of a run\?"):
        read_stats(tmp_path / "empty")
    for name in ("00000-a", "00001-b"):
        write_stats(tmp_path / "runs" / name, LINES)
    with pytest.raises(DatasetError, match=r"runs: it is no run but holds runs: 2 \(00000-a, 00001-b\); name those"):
        read_stats(tmp_path / "runs")
