"""The working folder of a dataset in shards that is being built: `NAME.shards.partial` next to the destination.

    NAME.shards.partial/
        dataset/        finished shards; renamed to the destination at the end
        progress/       one file per finished shard
        job.json        settings of the build
        lock            held by the process that builds

The folder remains when the process stops, for whatever reason; a build with the same settings continues it.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from crowdgan_core.datasets.shards.layout import DESCRIPTION_NAME
from crowdgan_core.errors import CrowdganError, DatasetError
from crowdgan_core.io.atomic import check_overwrite, move_into_place, wrap_os_errors, write_bytes
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.locks import lock_file

logger = logging.getLogger(__name__)

PARTIAL_SUFFIX = ".partial"
"""Suffix of the working folder."""


@dataclass(frozen=True)
class ShardJob:
    """A working folder that this process has locked."""

    dest: Path
    """The destination."""

    folder: Path
    """The working folder."""

    @property
    def shards(self) -> Path:
        """Folder of the shards, which becomes the dataset."""
        return self.folder / "dataset"

    @property
    def progress(self) -> Path:
        """Folder of the files that describe the finished shards."""
        return self.folder / "progress"

    def finish(self, *, overwrite: bool) -> None:
        """Moves the dataset to its destination and removes the working folder.

        Temporary files that killed processes have left in the dataset, also on other machines, are removed before.

        Raises:
            DatasetError: the destination exists and `overwrite` is False, or it cannot be written.
        """
        for path in self.shards.glob(f".*{PARTIAL_SUFFIX}"):
            path.unlink()
        move_into_place(self.shards, self.dest, overwrite=overwrite)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_shard_job(dest: Path, settings: Mapping[str, Any], *, overwrite: bool) -> Iterator[ShardJob]:
    """Context with the working folder of a destination, new or that of an interrupted build with the same settings.

    Args:
        dest: folder of the dataset.
        settings: JSON-ready values that determine the contents of the dataset.
        overwrite: whether an existing dataset will be overwritten.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, another process builds it, the interrupted build had
            other settings, or the folder cannot be written.
    """
    check_overwrite(dest, overwrite=overwrite)
    if dest.exists() and not (dest / DESCRIPTION_NAME).is_file():
        raise DatasetError(f"{dest}: is not a dataset in shards ({DESCRIPTION_NAME} is missing); choose another one")
    job = ShardJob(dest, dest.with_name(f"{dest.name}{PARTIAL_SUFFIX}"))
    with wrap_os_errors(job.folder):
        job.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file(job.folder / "lock", timeout_s=0))
        except Timeout:
            raise DatasetError(f"{dest}: another process writes this dataset ({job.folder} is locked)") from None
        except OSError as error:
            raise DatasetError(f"{job.folder}: cannot be written ({error.strerror})") from error
        _check_settings(job, settings)
        with wrap_os_errors(job.folder):
            for folder in (job.shards, job.progress):
                folder.mkdir(exist_ok=True)
        try:
            yield job
        except (KeyboardInterrupt, CrowdganError) as error:
            if not any(job.progress.iterdir()):
                raise
            kept = f"{job.folder} keeps the finished shards; the same command continues"
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(kept) from error
            logger.warning(kept)
            raise


def _check_settings(job: ShardJob, settings: Mapping[str, Any]) -> None:
    """Writes the settings of a new job, and compares them with those of an interrupted one."""
    path = job.folder / "job.json"
    try:
        earlier = loads_strict(path.read_bytes())
    except FileNotFoundError:
        write_bytes(path, json.dumps(settings, indent=2, default=str).encode(), overwrite=False)
        return
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: damaged ({error}); delete {job.folder} to start again") from error
    current = json.loads(json.dumps(settings, default=str))
    if not isinstance(earlier, dict):
        earlier = {}
    changes = [
        f"{name} is {json.dumps(current.get(name)):.60} and was {json.dumps(earlier.get(name)):.60}"
        for name in sorted(earlier.keys() | current.keys())
        if current.get(name) != earlier.get(name)
    ]
    if changes:
        raise DatasetError(
            f"{job.folder}: an interrupted build with other settings: {'; '.join(changes)}; repeat its command to "
            f"continue it, or delete the folder to start again"
        )
