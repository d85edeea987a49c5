"""The statistics of a training run: `stats.jsonl`, ours and the official trainer's, also while it is written.

Each line is a JSON object; most of its values are `{"num": …, "mean": …, "std": …}`, one is the time stamp.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.formatting import count_and_list

Floats = npt.NDArray[np.float64]

STATS = "stats.jsonl"
"""Name of the file in the folder of a run."""

KIMG = "Progress/kimg"
"""Key of the length of the training so far, in thousands of real images."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunStats:
    """The statistics of one run."""

    name: str
    """Of the run: its folder, or the file where it has another name than `stats.jsonl`."""

    kimg: Floats
    """`[num_lines]` length of the training in thousands of images, rising."""

    means: Mapping[str, Floats]
    """Key to `[num_lines]` means; NaN in lines without it."""

    notes: tuple[str, ...] = ()
    """What was wrong with the file and left out, a line of text each."""

    def __len__(self) -> int:
        """Number of lines."""
        return len(self.kimg)


class StatsReader:
    """Reads a stats file, and later what was added to it."""

    def __init__(self, path: Path) -> None:
        self.path = stats_path(path)
        named_by_folder = self.path.name == STATS
        self.name = self.path.resolve().parent.name if named_by_folder else self.path.stem
        self._start()

    def _start(self) -> None:
        self._position = self._lines = 0
        self._tail = b""
        self._damaged: list[str] = []
        self._records: list[dict[str, float]] = []

    def poll(self) -> bool:
        """Reads the lines that were added since the last call; returns whether there were any.

        A file that became shorter is read anew.

        Raises:
            DatasetError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._position:
                    self._start()
                file.seek(self._position)
                added = file.read()
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror})") from error
        self._position += len(added)
        *lines, self._tail = (self._tail + added).split(b"\n")
        for line in lines:
            self._take(line)
        return any(line.strip() for line in lines)

    def stats(self) -> RunStats:
        """What was read so far, a last line without its end included where it is whole."""
        records, notes = list(self._records), []
        if self._tail.strip():
            last = _means(self._tail)
            if last is None:
                notes.append(f"line {self._lines + 1} is cut off, as while it is being written: left out")
            else:
                records.append(last)
        if self._damaged:
            notes.append(count_and_list("lines that are no JSON objects, left out", self._damaged))
        return _stats(self.name, records, [f"{self.path}: {note}" for note in notes], str(self.path))

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if line.strip():
            record = _means(line)
            if record is None:
                self._damaged.append(f"line {self._lines}")
            else:
                self._records.append(record)


def read_stats(path: Path) -> RunStats:
    """The statistics of a run.

    Args:
        path: the folder of the run, or the file itself.

    Raises:
        DatasetError: there is no such file, or it cannot be read.
    """
    reader = StatsReader(path)
    reader.poll()
    return reader.stats()


def stats_path(path: Path) -> Path:
    """The stats file of a run, given by its folder or the file itself.

    Raises:
        DatasetError: there is none; where the folder holds runs, the message names them.
    """
    if not path.is_dir():
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder")
        return path
    if (path / STATS).is_file():
        return path / STATS
    runs = sorted(found.parent.name for found in path.glob(f"*/{STATS}"))
    if runs:
        raise DatasetError(f"{path}: it is no run but holds {count_and_list('runs', runs)}; name those to be drawn")
    raise DatasetError(f"{path}: it holds no {STATS}; is it the folder of a run?")


def _means(line: bytes) -> dict[str, float] | None:
    """Key to mean of one line; None where it is no JSON object."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return {key: value for key, entry in record.items() if (value := _mean(entry)) is not None}


def _mean(entry: Any) -> float | None:
    value = entry.get("mean") if isinstance(entry, dict) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return None


def _stats(name: str, records: list[dict[str, float]], notes: list[str], where: str) -> RunStats:
    known = [record for record in records if math.isfinite(record.get(KIMG, math.nan))]
    if len(known) < len(records):
        notes.append(f"{where}: {len(records) - len(known)} lines say nothing of {KIMG}: left out")
    kimg = np.array([record[KIMG] for record in known])
    rising = _last_said(kimg)
    if not rising.all():
        notes.append(f"{where}: {np.count_nonzero(~rising)} lines that a later start of the run repeats: left out")
    known = [record for record, kept in zip(known, rising.tolist(), strict=True) if kept]
    keys = dict.fromkeys(key for record in known for key in record)
    means = {key: np.array([record.get(key, math.nan) for record in known]) for key in keys}
    return RunStats(name=name, kimg=kimg[rising], means=means, notes=tuple(notes))


def _last_said(kimg: Floats) -> npt.NDArray[np.bool_]:
    """Which lines no later line goes back behind: a run that was resumed tells some lengths twice."""
    if not len(kimg):
        return np.zeros(0, bool)
    least_after = np.append(np.minimum.accumulate(kimg[::-1])[::-1][1:], np.inf)
    return kimg < least_after
