"""Statistics of a training run: `stats.jsonl`, ours or the official trainer's, also while it is being written.

Each line is a JSON object; most of its values are `{"num": …, "mean": …, "std": …}`, one is the time stamp.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import KIMG_KEY, STATS_NAME, RunFolder
from crowdgan_core.utils.arrays import BoolArray, FloatArray
from crowdgan_core.utils.formatting import count_and_list

if TYPE_CHECKING:
    from pandas import DataFrame

MAX_LISTED_RUNS = 10
"""Maximum number of runs in an error message."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunStats:
    """Statistics of one run, one line per tick."""

    name: str
    """Name of the run folder, or of the file if it is not called `stats.jsonl`."""

    kimg: FloatArray
    """`[num_lines]` training progress in kimg (thousands of real images), increasing."""

    means: Mapping[str, FloatArray]
    """`[num_lines]` means by key; NaN in lines without the key."""

    notes: tuple[str, ...] = ()
    """Messages about skipped lines."""

    def __len__(self) -> int:
        """Number of lines."""
        return len(self.kimg)

    def __repr__(self) -> str:
        """For example `RunStats('00000-first', 60 lines, 240 kimg)`."""
        progress = f", {self.kimg[-1]:g} kimg" if len(self) else ""
        return f"RunStats({self.name!r}, {format_line_count(len(self))}{progress})"

    def to_frame(self) -> DataFrame:
        """A pandas table with one row per tick and one column per key.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ConfigError("to_frame needs pandas: pip install pandas, or crowdgan-core[pandas]") from error
        return DataFrame({KIMG_KEY: self.kimg, **self.means})


class StatsReader:
    """Reader of a statistics file that can be called again when lines have been added."""

    def __init__(self, run: str | Path | RunFolder) -> None:
        self.path = find_stats_file(run)
        has_default_name = self.path.name == STATS_NAME
        self.name = self.path.resolve().parent.name if has_default_name else self.path.stem
        self._reset()

    def _reset(self) -> None:
        self._position = self._line_count = 0
        self._tail = b""
        self._invalid_lines: list[str] = []
        self._records: list[dict[str, float]] = []

    def poll(self) -> bool:
        """Reads the lines added since the last call; returns whether there were any.

        A file that has become shorter is read again from the start.

        Raises:
            DatasetError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._position:
                    self._reset()
                file.seek(self._position)
                added = file.read()
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror})") from error
        self._position += len(added)
        *lines, self._tail = (self._tail + added).split(b"\n")
        for line in lines:
            self._add_line(line)
        return any(line.strip() for line in lines)

    def stats(self) -> RunStats:
        """Statistics of all lines read so far; a last line without line end is used if it is complete."""
        records, notes = list(self._records), []
        if self._tail.strip():
            last_record = _parse_means(self._tail)
            if last_record is None:
                notes.append(f"skipped line {self._line_count + 1}: it is incomplete, perhaps still being written")
            else:
                records.append(last_record)
        if self._invalid_lines:
            notes.append(count_and_list("skipped lines that are not JSON objects", self._invalid_lines))
        return _build_stats(self.name, records, [f"{self.path}: {note}" for note in notes], str(self.path))

    def _add_line(self, line: bytes) -> None:
        self._line_count += 1
        if line.strip():
            record = _parse_means(line)
            if record is None:
                self._invalid_lines.append(f"line {self._line_count}")
            else:
                self._records.append(record)


def read_stats(run: str | Path | RunFolder) -> RunStats:
    """The statistics of a run.

    Args:
        run: the run folder, or its statistics file.

    Raises:
        DatasetError: the file does not exist or cannot be read.
    """
    reader = StatsReader(run)
    reader.poll()
    return reader.stats()


def find_stats_file(run: str | Path | RunFolder) -> Path:
    """The statistics file of a run, given the run folder or the file itself.

    Raises:
        DatasetError: there is no such file; the message lists runs or other files in a folder.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    path = folder.path
    if not path.is_dir():
        if not path.exists():
            raise DatasetError(f"{path}: no such file or folder")
        return path
    if folder.stats_path.is_file():
        return folder.stats_path
    if runs := sorted(stats_file.parent.name for stats_file in path.glob(f"*/{STATS_NAME}")):
        raise DatasetError(
            f"{path}: a folder that contains {count_and_list('runs', runs, MAX_LISTED_RUNS)}; name one, for example "
            f"{path / runs[0]}; crowdgan plot loss takes several, to join them or to compare them with --separate"
        )
    if files := sorted(file.name for file in path.glob("*.jsonl")):
        raise DatasetError(
            f"{path}: contains no {STATS_NAME}, but {count_and_list('other files', files, MAX_LISTED_RUNS)}; "
            f"name one, for example {path / files[0]}"
        )
    raise DatasetError(f"{path}: not a run folder; it contains no {STATS_NAME}")


def format_line_count(count: int) -> str:
    """For example `1 line`, `20 lines`."""
    return "1 line" if count == 1 else f"{count} lines"


def _parse_means(line: bytes) -> dict[str, float] | None:
    """Means of one line by key; None if the line is not a JSON object."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return {key: mean for key, entry in record.items() if (mean := _mean_of(entry)) is not None}


def _mean_of(entry: Any) -> float | None:
    mean = entry.get("mean") if isinstance(entry, dict) else None
    if isinstance(mean, (int, float)) and not isinstance(mean, bool):
        return float(mean)
    return None


def _build_stats(name: str, records: list[dict[str, float]], notes: list[str], where: str) -> RunStats:
    with_kimg = [record for record in records if math.isfinite(record.get(KIMG_KEY, math.nan))]
    if len(with_kimg) < len(records):
        notes.append(f"{where}: skipped {format_line_count(len(records) - len(with_kimg))} without {KIMG_KEY}")
    kimg = np.array([record[KIMG_KEY] for record in with_kimg])
    is_kept = _is_not_repeated(kimg)
    if not is_kept.all():
        repeated = format_line_count(int(np.count_nonzero(~is_kept)))
        notes.append(f"{where}: skipped {repeated} that were repeated after the run was resumed")
    kept = [record for record, keep in zip(with_kimg, is_kept.tolist(), strict=True) if keep]
    keys = dict.fromkeys(key for record in kept for key in record)
    means = {key: np.array([record.get(key, math.nan) for record in kept]) for key in keys}
    return RunStats(name=name, kimg=kimg[is_kept], means=means, notes=tuple(notes))


def _is_not_repeated(kimg: FloatArray) -> BoolArray:
    """`[num_lines]` True for lines with less progress than all later ones; a resumed run repeats some progress."""
    if not len(kimg):
        return np.zeros(0, bool)
    min_of_later = np.append(np.minimum.accumulate(kimg[::-1])[::-1][1:], np.inf)
    return np.asarray(kimg < min_of_later)
