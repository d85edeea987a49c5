"""The folder of a run: the names of its files, as the official trainer has them, and what is already there."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import wrap_os_errors, write_file
from crowdgan_stylegan3.training.config.training_config import TrainingConfig

SETTINGS_NAME = "training_options.json"
STATS_NAME = "stats.jsonl"
LOG_NAME = "log.txt"
CHECKPOINT_NAME = "checkpoint.safetensors"
LOCK_NAME = ".lock"
REALS_NAME = "reals.png"

NUMBERED = re.compile(r"(\d{5,})-.*")
"""Names of run folders."""

KIMG_KEY = "Progress/kimg"


class RunFolder:
    """A run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        """The whole state of training."""
        return self.path / CHECKPOINT_NAME

    @property
    def stats(self) -> Path:
        """A line of JSON per tick."""
        return self.path / STATS_NAME

    @property
    def log(self) -> Path:
        """What the run has said."""
        return self.path / LOG_NAME

    @property
    def reals(self) -> Path:
        """Images of the dataset."""
        return self.path / REALS_NAME

    def fakes(self, kimg: float | None) -> Path:
        """Generated images after so many thousands of images; None for before training."""
        return self.path / ("fakes_init.png" if kimg is None else f"fakes{kimg_text(kimg)}.png")

    def snapshot(self, kimg: float) -> Path:
        """The model after so many thousands of images."""
        return self.path / f"network-snapshot-{kimg_text(kimg)}.safetensors"

    def settings(self) -> dict[str, Any]:
        """What `training_options.json` holds: `options`, `training` and `schedule`.

        Raises:
            ConfigError: there is none that can be read.
        """
        path = self.path / SETTINGS_NAME
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read, so {self.path} is no run ({error})") from error
        if not isinstance(found, dict) or not {"options", "training"} <= found.keys():
            raise ConfigError(f"{path}: these are no settings of a run of crowdgan")
        return found

    def write_settings(self, **parts: Mapping[str, Any]) -> None:
        """Writes `training_options.json`."""
        text = json.dumps(parts, indent=2, ensure_ascii=False)
        write_file(self.path / SETTINGS_NAME, text.encode(), overwrite=True)

    def append_stats(self, line: Mapping[str, Any]) -> None:
        """Appends a line to `stats.jsonl`."""
        with wrap_os_errors(self.stats), self.stats.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def forget_stats_after(self, nimg: int) -> None:
        """Removes lines of `stats.jsonl` beyond a checkpoint, which the run will write again, and half a line."""
        if not self.stats.exists():
            return
        with wrap_os_errors(self.stats):
            lines = self.stats.read_text("utf-8").splitlines(keepends=True)
        kept = "".join(line for line in lines if _nimg_of(line) <= nimg)
        write_file(self.stats, kept.encode(), overwrite=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the folder for this process.

        Raises:
            ConfigError: another process trains in it.
        """
        lock = FileLock(self.path / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(f"{self.path}: another process trains in it; stop that one first") from None
        try:
            yield
        finally:
            lock.release()


def kimg_text(kimg: float) -> str:
    """Thousands of images in six digits, as in file names."""
    return f"{int(kimg):06d}"


def runs_in(outdir: Path) -> list[RunFolder]:
    """The run folders in a folder, the newest first."""
    if not outdir.is_dir():
        return []
    found = [path for path in outdir.iterdir() if NUMBERED.fullmatch(path.name) and path.is_dir()]
    return [RunFolder(path) for path in sorted(found, key=lambda path: int(path.name.split("-")[0]), reverse=True)]


def new_run(outdir: Path, training: TrainingConfig, description: str | None) -> RunFolder:
    """A new folder, numbered after those that are there: `00000-stylegan3-t-crowds-batch32-gamma2`.

    Raises:
        DatasetError: it cannot be made.
    """
    data = re.sub(r"[^\w.-]+", "_", Path(training.data).stem)
    facts = [training.variant, data, f"batch{training.batch}", f"gamma{training.loss.r1_gamma:g}"]
    name = "-".join([*facts, *([description] if description else [])])
    known = runs_in(outdir)
    first = 1 + int(known[0].path.name.split("-")[0]) if known else 0
    for number in itertools.count(first):
        path = outdir / f"{number:05d}-{name}"
        with wrap_os_errors(path), suppress(FileExistsError):  # another one was made just now
            path.mkdir(parents=True)
            return RunFolder(path)
    raise AssertionError("there is always a next number")


def _nimg_of(line: str) -> float:
    """Images seen when a line of `stats.jsonl` was written; infinite for half a line."""
    try:
        return round(float(json.loads(line)[KIMG_KEY]["mean"]) * 1000)
    except (ValueError, KeyError, TypeError):
        return math.inf
