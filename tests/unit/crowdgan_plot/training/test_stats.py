"""Statistics files of runs: complete, partly written, damaged, and growing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_plot.training.stats import StatsReader, read_stats
from tests.support.run_folders import stats_line, write_stats

LINES = [stats_line(float(kimg), {"Loss/G/loss": kimg / 10}) for kimg in range(4)]


def test_a_run_is_read_from_its_folder_or_its_file(tmp_path: Path) -> None:
    folder = write_stats(tmp_path / "00003-crowds", LINES)
    for path in (folder, str(folder), RunFolder(folder), folder / "stats.jsonl"):
        stats = read_stats(path)
        assert (stats.name, stats.notes, len(stats)) == ("00003-crowds", (), 4)
        assert stats.kimg.tolist() == [0, 1, 2, 3]
        assert stats.means["Loss/G/loss"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
        assert "timestamp" not in stats.means
    copy = tmp_path / "other.jsonl"
    copy.write_bytes((folder / "stats.jsonl").read_bytes())
    assert read_stats(copy).name == "other"


def test_a_missing_key_is_nan(tmp_path: Path) -> None:
    lines = [
        *LINES,
        stats_line(4, {"Loss/D/loss": 1.0}),
        {"Progress/kimg": {"mean": 5.0}, "Loss/D/loss": {"mean": None}},
    ]
    stats = read_stats(write_stats(tmp_path / "run", lines))
    assert np.isnan(stats.means["Loss/D/loss"]).tolist() == [True, True, True, True, False, True]
    assert stats.notes == ()


def test_nan_in_the_notation_of_the_official_trainer_is_read(tmp_path: Path) -> None:
    appended = (
        '{"Progress/kimg": {"num": 1, "mean": 9.0, "std": 0}, "Loss/G/loss": {"num": 0, "mean": NaN, "std": NaN}}\n'
    )
    stats = read_stats(write_stats(tmp_path / "run", LINES, appended=appended))
    assert np.isnan(stats.means["Loss/G/loss"][-1])
    assert stats.kimg[-1] == 9


@pytest.mark.parametrize(
    ("appended", "count", "note"),
    [
        ('{"Progress/ki', 4, "skipped line 5: it is incomplete, perhaps still being written"),
        (json.dumps(stats_line(4, {})), 5, None),
        ("\n\n", 4, None),
        ("[1]\nnonsense\n", 4, "skipped lines that are not JSON objects: 2 (line 5, line 6)"),
        ('{"Loss/G/loss": {"mean": 1}}\n', 4, "skipped 1 line without Progress/kimg"),
        ('{"Progress/kimg": {"mean": NaN}}\n', 4, "skipped 1 line without Progress/kimg"),
        ('{"Progress/kimg": 7}\n', 4, "skipped 1 line without Progress/kimg"),
    ],
    ids=["incomplete", "no line end", "blank lines", "not objects", "no kimg", "kimg is NaN", "kimg is a number"],
)
def test_unusable_lines_are_skipped_with_a_message(tmp_path: Path, appended: str, count: int, note: str | None) -> None:
    folder = write_stats(tmp_path / "run", LINES, appended=appended)
    stats = read_stats(folder)
    assert len(stats) == count
    assert stats.notes == (() if note is None else (f"{folder / 'stats.jsonl'}: {note}",))


def test_lines_repeated_by_a_resumed_run_are_read_once(tmp_path: Path) -> None:
    again = [stats_line(kimg, {"Loss/G/loss": 9.0}) for kimg in (2.0, 3.0)]
    folder = write_stats(tmp_path / "run", [*LINES, *again])
    stats = read_stats(folder)
    assert stats.kimg.tolist() == [0, 1, 2, 3]
    assert stats.means["Loss/G/loss"].tolist() == pytest.approx([0, 0.1, 9, 9])
    assert stats.notes == (f"{folder / 'stats.jsonl'}: skipped 2 lines that were repeated after the run was resumed",)


def test_an_empty_file_is_a_run_without_lines(tmp_path: Path) -> None:
    stats = read_stats(write_stats(tmp_path / "run", []))
    assert (len(stats), stats.means, stats.notes) == (0, {}, ())


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


def test_a_path_that_is_not_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: no such file or folder"):
        read_stats(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: not a run folder; it contains no stats.jsonl"):
        read_stats(tmp_path / "empty")
    for name in ("00000-a", "00001-b"):
        write_stats(tmp_path / "runs" / name, LINES)
    folder = tmp_path / "runs"
    with pytest.raises(DatasetError) as caught:
        read_stats(folder)
    assert str(caught.value) == (
        f"{folder}: a folder that contains runs: 2 (00000-a, 00001-b); name one, for example {folder / '00000-a'}; "
        "crowdgan plot loss takes several, to join them or to compare them with --separate"
    )


def test_other_statistics_files_of_a_folder_are_listed(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError) as caught:
        read_stats(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: contains no stats.jsonl, but other files: 2 (a.jsonl, b.jsonl); "
        f"name one, for example {tmp_path / 'a.jsonl'}"
    )


def test_a_table_has_one_row_per_tick_and_one_column_per_key(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    frame = read_stats(write_stats(tmp_path / "run", LINES)).to_frame()
    assert list(frame.columns) == ["Progress/kimg", "Loss/G/loss"]
    assert frame["Progress/kimg"].tolist() == [0, 1, 2, 3]


def test_a_table_without_pandas_is_an_error_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError) as caught:
        read_stats(write_stats(tmp_path / "run", LINES)).to_frame()
    assert str(caught.value) == "to_frame needs pandas: pip install pandas, or crowdgan-core[pandas]"


def test_the_repr_shows_name_lines_and_progress(tmp_path: Path) -> None:
    assert repr(read_stats(write_stats(tmp_path / "run", LINES))) == "RunStats('run', 4 lines, 3 kimg)"
    assert repr(read_stats(write_stats(tmp_path / "run", []))) == "RunStats('run', 0 lines)"
