"""Writing of run folders: creation, lock, options and statistics. Names and readers are in `crowdgan_core.io`."""

from __future__ import annotations

import itertools
import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.atomic import wrap_os_errors, write_bytes
from crowdgan_core.io.locks import lock_file
from crowdgan_core.io.run_folder import KIMG_KEY, RunFolder, runs_in
from crowdgan_stylegan3.training.config.training_config import TrainingConfig

logger = logging.getLogger(__name__)

MAX_DESCRIPTION_LENGTH = 100
"""Maximum number of characters of the description in the name of a run folder."""

DESCRIPTION_PATTERN = re.compile(rf"[\w .+=,-]{{1,{MAX_DESCRIPTION_LENGTH}}}")
"""Valid descriptions: characters that are valid in file names of all operating systems."""


def create_run_folder(outdir: Path, config: TrainingConfig, description: str | None) -> RunFolder:
    """Creates the next numbered run folder: `00000-stylegan3-t-crowds-batch32-gamma2`.

    Args:
        outdir: parent of run folders.
        config: config of the run.
        description: suffix of the name; None for none.

    Raises:
        ConfigError: the description is not valid in a file name.
        DatasetError: the folder cannot be created.
    """
    if description is not None and not DESCRIPTION_PATTERN.fullmatch(description):
        raise ConfigError(
            f"--desc {description!r:.80}: it becomes part of the name of the run folder; use at most "
            f"{MAX_DESCRIPTION_LENGTH} letters, digits, spaces and the characters . _ + = , -"
        )
    data = re.sub(r"[^\w.-]+", "_", Path(config.data).stem)
    parts = [config.variant, data, f"batch{config.batch}", f"gamma{config.loss.r1_gamma:g}"]
    name = "-".join([*parts, *([description] if description else [])])
    existing = runs_in(outdir)
    first = 1 + existing[0].number if existing else 0
    for number in itertools.count(first):
        path = outdir / f"{number:05d}-{name}"
        with wrap_os_errors(path), suppress(FileExistsError):  # another process created it in the meantime
            path.mkdir(parents=True)
            return RunFolder(path)
    raise AssertionError("there is always a next number")


@contextmanager
def run_lock(run: RunFolder, *, timeout_s: float = 0) -> Iterator[None]:
    """Context in which no other process trains in the folder.

    Args:
        run: the run folder.
        timeout_s: time in seconds to wait for the other process to end.

    Raises:
        ConfigError: another process trains in it.
    """
    with ExitStack() as stack:
        try:
            try:
                stack.enter_context(lock_file(run.lock_path, timeout_s=0))
            except Timeout:
                if timeout_s:
                    logger.info(f"waiting at most {timeout_s:g} s for the process that trains in {run.path} to end")
                stack.enter_context(lock_file(run.lock_path, timeout_s=timeout_s))
        except Timeout:
            raise ConfigError(f"{run.path}: another process trains in this folder; stop it first") from None
        yield


def write_options(run: RunFolder, **parts: Mapping[str, Any]) -> None:
    """Writes `training_options.json`."""
    text = json.dumps(parts, indent=2, ensure_ascii=False)
    write_bytes(run.options_path, text.encode(), overwrite=True)


def read_options(run: RunFolder) -> dict[str, Any]:
    """The contents of `training_options.json`: `options`, `training` and `schedule`.

    Raises:
        ConfigError: the file is missing, cannot be read, or has other contents.
    """
    try:
        options = run.options()
    except DatasetError as error:
        raise ConfigError(str(error)) from error
    if not {"options", "training"} <= options.keys():
        raise ConfigError(f"{run.options_path}: missing, or not the options of a crowdgan run")
    return options


def append_stats(run: RunFolder, line: Mapping[str, Any]) -> None:
    """Appends a line to `stats.jsonl`."""
    append_line(run.stats_path, line)


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Appends a line of JSON to a file."""
    with wrap_os_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def truncate_stats(run: RunFolder, nimg: int) -> None:
    """Removes lines of `stats.jsonl` after `nimg` images, which the resumed run writes again, and incomplete lines."""
    truncate_lines(run.stats_path, nimg, _kimg_of)


def truncate_lines(path: Path, nimg: int, kimg_of: Callable[[str], float]) -> bool:
    """Removes lines of a file after `nimg` images; returns whether there were any.

    Args:
        path: the file; it need not exist.
        nimg: number of real images shown.
        kimg_of: thousands of real images at a line; infinite for an incomplete line.
    """
    if not path.exists():
        return False
    with wrap_os_errors(path):
        lines = path.read_text("utf-8").splitlines(keepends=True)
    remaining = [line for line in lines if kimg_of(line) * 1000 <= nimg + 0.5]
    write_bytes(path, "".join(remaining).encode(), overwrite=True)
    return len(remaining) < len(lines)


def _kimg_of(line: str) -> float:
    """Thousands of images seen at a line of `stats.jsonl`; infinite for an incomplete line."""
    try:
        return float(json.loads(line)[KIMG_KEY]["mean"])
    except (ValueError, KeyError, TypeError):
        return math.inf
