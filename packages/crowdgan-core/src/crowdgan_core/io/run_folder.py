"""Files of a training run: their names, which equal those of the official trainer, and their readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.codec import loads_strict

OPTIONS_NAME = "training_options.json"
STATS_NAME = "stats.jsonl"
LOG_NAME = "log.txt"
CHECKPOINT_NAME = "checkpoint.safetensors"
LOCK_NAME = ".lock"
REALS_NAME = "reals.png"
INITIAL_FAKES_NAME = "fakes_init.png"

KIMG_KEY = "Progress/kimg"
"""Key in `stats.jsonl` of the training progress in kimg (thousands of real images)."""

MAX_OPTIONS_BYTES = 2**20
"""Maximum size of `training_options.json` in bytes."""

_RUN_NAME = re.compile(r"(\d{5,})-.*")
_METRIC_NAME = re.compile(r"metric-(.+)\.jsonl")
_SNAPSHOT_NAME = re.compile(r"network-snapshot-(\d+)(?:_(\d{3}))?\.\w+")
_FAKES_NAME = re.compile(r"fakes(\d+)(?:_(\d{3}))?\.png")


@dataclass(frozen=True)
class RunFolder:
    """The folder of a training run."""

    path: Path

    @property
    def options_path(self) -> Path:
        """JSON file with the configuration of the run."""
        return self.path / OPTIONS_NAME

    @property
    def stats_path(self) -> Path:
        """Statistics file, one JSON object per tick."""
        return self.path / STATS_NAME

    @property
    def log_path(self) -> Path:
        """Log file."""
        return self.path / LOG_NAME

    @property
    def checkpoint_path(self) -> Path:
        """Checkpoint: the complete training state."""
        return self.path / CHECKPOINT_NAME

    @property
    def lock_path(self) -> Path:
        """Lock file, held by the training process."""
        return self.path / LOCK_NAME

    @property
    def reals_path(self) -> Path:
        """Sample grid of the dataset."""
        return self.path / REALS_NAME

    def fakes_path(self, kimg: float | None) -> Path:
        """Sample grid of generated images after `kimg` thousand real images; None: before training."""
        return self.path / (INITIAL_FAKES_NAME if kimg is None else f"fakes{format_kimg(kimg)}.png")

    def snapshot_path(self, kimg: float) -> Path:
        """Network snapshot after `kimg` thousand real images."""
        return self.path / f"network-snapshot-{format_kimg(kimg)}.safetensors"

    def metric_path(self, name: str) -> Path:
        """Values of a metric, one JSON object per snapshot."""
        return self.path / f"metric-{name}.jsonl"

    def metric_paths(self) -> dict[str, Path]:
        """Existing files of values of metrics, by name of the metric, in alphabetical order."""
        return {
            match[1]: path
            for path in sorted(self.path.glob("metric-*.jsonl"))
            if (match := _METRIC_NAME.fullmatch(path.name))
        }

    def best_path(self, name: str) -> Path:
        """Copy of the snapshot with the best value of a metric."""
        return self.path / f"best-{name}.safetensors"

    def options(self) -> dict[str, Any]:
        """The contents of `training_options.json`, written by crowdgan or the official trainer; empty without the file.

        Raises:
            DatasetError: the file cannot be read, or is not a JSON object.
        """
        path = self.options_path
        if not path.is_file():
            return {}
        try:
            options = loads_strict(path.read_bytes()[:MAX_OPTIONS_BYTES])
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"{path}: cannot be read ({error})") from error
        if not isinstance(options, dict):
            raise DatasetError(f"{path}: contains {type(options).__name__}; it must be a JSON object")
        return options

    def sample_grids(self) -> list[tuple[float | None, Path]]:
        """Length of training in kimg (None before training) and path of each sample grid, in order of training."""
        numbered = [
            (_kimg_of(match), path)
            for path in self.path.glob("fakes*.png")
            if (match := _FAKES_NAME.fullmatch(path.name))
        ]
        grids: list[tuple[float | None, Path]] = sorted(numbered)
        initial = self.fakes_path(None)
        return [(None, initial), *grids] if initial.is_file() else grids

    def snapshots(self) -> list[tuple[float, Path]]:
        """Length of training in kimg and path of each network snapshot that is a model file, in order of training."""
        paths = self.path.glob("network-snapshot-*.safetensors")
        return sorted((kimg, path) for path in paths if (kimg := snapshot_kimg(path.name)) is not None)

    @property
    def number(self) -> int:
        """Run number, the first part of the folder name."""
        return int(self.path.name.split("-")[0])

    def __repr__(self) -> str:
        """For example `RunFolder('00000-stylegan3-t-crowds-batch32-gamma2')`."""
        return f"RunFolder({self.path.name!r})"


def format_kimg(kimg: float) -> str:
    """`kimg` as in file names: six digits as in the official trainer, and for parts of a kimg the images after them.

    For example `000200` and `000200_496`, so that names are unique and their order is that of training.
    """
    images = round(kimg * 1000)
    return f"{images // 1000:06d}" + (f"_{images % 1000:03d}" if images % 1000 else "")


def snapshot_kimg(name: str) -> float | None:
    """Thousands of real images at a snapshot, from its file name, ours or the official one; None for other files."""
    match = _SNAPSHOT_NAME.fullmatch(name)
    return None if match is None else _kimg_of(match)


def _kimg_of(match: re.Match[str]) -> float:
    return int(match[1]) + int(match[2] or 0) / 1000


def runs_in(outdir: Path) -> list[RunFolder]:
    """Run folders in a folder, newest first."""
    if not outdir.is_dir():
        return []
    runs = [RunFolder(path) for path in outdir.iterdir() if _RUN_NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(runs, key=lambda run: run.number, reverse=True)


def image_size_of(options: Mapping[str, Any]) -> tuple[int, int] | None:
    """`(height, width)` of the images of a run, from its options (ours or the official trainer's); None if unknown."""
    training = options.get("training")
    generator = training.get("generator") if isinstance(training, dict) else None
    for section in (generator, options.get("training_set_kwargs"), options):
        resolution = section.get("resolution") if isinstance(section, dict) else None
        sides = resolution if isinstance(resolution, list) else [resolution, resolution]
        valid = [side for side in sides if isinstance(side, int) and side > 0]
        if len(valid) == len(sides) == 2:
            return valid[0], valid[1]
    return None
