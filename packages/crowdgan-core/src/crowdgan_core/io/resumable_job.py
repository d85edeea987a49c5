"""Long jobs that continue after an interruption: the working folder `NAME.partial` next to the destination.

    NAME.partial/
        output/     becomes the destination at the end
        finished/   one file per finished part
        job.json    settings of the job
        lock        held by the process that works

The folder remains when the process stops, for whatever reason; a job with the same settings continues it.
"""

from __future__ import annotations

import json
import logging
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import move_into_place, wrap_os_errors, write_bytes
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.locks import lock_file

logger = logging.getLogger(__name__)

PARTIAL_SUFFIX = ".partial"
"""Suffix of the working folder."""


@dataclass(frozen=True)
class ResumableJob:
    """A working folder that this process has locked."""

    dest: Path
    """The destination, a folder."""

    folder: Path
    """The working folder."""

    @property
    def output(self) -> Path:
        """The folder that becomes the destination."""
        return self.folder / "output"

    @property
    def finished(self) -> Path:
        """Folder of the files of finished parts."""
        return self.folder / "finished"

    def finish(self, *, overwrite: bool) -> None:
        """Moves the output to its destination and removes the working folder.

        Temporary files that killed processes have left in the output, also on other machines, are removed before.

        Raises:
            DatasetError: the destination exists and `overwrite` is False, or it cannot be written.
        """
        for path in self.output.glob(f".*{PARTIAL_SUFFIX}"):
            path.unlink()
        move_into_place(self.output, self.dest, overwrite=overwrite)
        shutil.rmtree(self.folder, ignore_errors=True)


def check_visible(folder: Path, remedy: str) -> None:
    """Checks that this process, which may be a worker on another machine, sees a folder of the job.

    Args:
        folder: the folder.
        remedy: end of the message.

    Raises:
        DatasetError: it does not.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: the worker on {socket.gethostname()} does not see this folder; {remedy}")


@contextmanager
def open_resumable_job(dest: Path, settings: Mapping[str, Any]) -> Iterator[ResumableJob]:
    """Context with the working folder of a destination, new or that of an interrupted job with the same settings.

    Args:
        dest: the destination.
        settings: JSON-ready values that determine its contents.

    Raises:
        DatasetError: another process writes the destination, the interrupted job had other settings, or the folder
            cannot be written.
    """
    job = ResumableJob(dest, dest.with_name(f"{dest.name}{PARTIAL_SUFFIX}"))
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
            for folder in (job.output, job.finished):
                folder.mkdir(exist_ok=True)
        try:
            yield job
        except BaseException as error:
            if not any(job.finished.glob("[!.]*")):  # hidden: temporary files of killed workers
                shutil.rmtree(job.folder, ignore_errors=True)
                raise
            kept = f"{job.folder} keeps the finished parts; the same command continues"
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(kept) from error
            logger.warning(kept)
            raise


def _check_settings(job: ResumableJob, settings: Mapping[str, Any]) -> None:
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
            f"{job.folder}: an interrupted job with other settings: {'; '.join(changes)}; repeat its command to "
            f"continue it, or delete the folder to start again"
        )
