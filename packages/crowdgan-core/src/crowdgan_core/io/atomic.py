"""Files and folders that appear whole or not at all: written beside their destination, flushed, renamed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from crowdgan_core.errors import DatasetError

PARTIAL = ".partial"
"""Ends the name of what is being written; a crash may leave one, the next run for the same destination removes it."""

ASIDE = ".old.partial"
"""Ends the name of a folder that is being replaced; a crash may leave one, as above."""

ANY_FILE = "files"
"""What the names of partial files start with that may become any file of a folder."""

LONGEST_START_BYTES = 128
"""Longest name of a destination that the names beside it repeat: with host and process they must stay below 255."""


@contextmanager
def atomic_path(dest: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path beside `dest` to write a file or folder to; on success it replaces `dest`, on an error it is removed.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    check_overwrite(dest, overwrite=overwrite)
    partial = dest.parent / f"{_start_of_names(dest)}{os.getpid()}{PARTIAL}"
    aside = dest.parent / f"{_start_of_names(dest)}{os.getpid()}{ASIDE}"
    with _parents_made(dest):
        with wrap_os_errors(dest):
            _remove_leftovers(dest)
            _refuse_impossible_name(dest)
        try:
            yield partial
            with wrap_os_errors(dest):
                _flush(partial)
                check_overwrite(dest, overwrite=overwrite)
                _replace(dest, partial, aside)
        finally:
            _remove(partial)
            _remove(aside)


def write_file(dest: Path, data: bytes, *, overwrite: bool) -> None:
    """Writes a whole file.

    Raises:
        DatasetError: as `atomic_path`.
    """
    with atomic_path(dest, overwrite=overwrite) as partial, wrap_os_errors(dest):
        partial.write_bytes(data)


class FileWriter(Protocol):
    """Writes a whole file into the folder that it was made for."""

    def __call__(self, name: str, data: bytes, *, overwrite: bool) -> None:
        """The file appears at once; raises `DatasetError` as `atomic_path`."""
        ...


@contextmanager
def atomic_writer(folder: Path) -> Iterator[FileWriter]:
    """Writes many files into a folder, each as `write_file` would, without looking through the folder for each.

    What is written stays when the context ends in an error. The folder is made, and then removed if it stays empty.

    Raises:
        DatasetError: the folder cannot be made.
    """
    partial = folder / f"{_start_of_names(folder / ANY_FILE)}{os.getpid()}{PARTIAL}"

    def write(name: str, data: bytes, *, overwrite: bool) -> None:
        dest = folder / name
        check_overwrite(dest, overwrite=overwrite)
        with wrap_os_errors(dest):
            partial.write_bytes(data)
            _flush(partial)
            partial.replace(dest)

    with _parents_made(partial, folder):
        with wrap_os_errors(folder):
            _remove_leftovers(folder / ANY_FILE)
        try:
            yield write
        finally:
            _remove(partial)


def check_overwrite(dest: Path, *, overwrite: bool) -> None:
    """Checks that `dest` may be written.

    Raises:
        DatasetError: it exists and `overwrite` is False.
    """
    if not overwrite and os.path.lexists(dest):
        raise DatasetError(f"{dest}: it exists already; choose another destination or add --overwrite")


@contextmanager
def wrap_os_errors(dest: Path) -> Iterator[None]:
    """Turns an `OSError`, a full disk among them, into a `DatasetError` that names the destination."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise DatasetError(f"{dest}: cannot be written ({reason}); nothing of it was left") from error


@contextmanager
def _parents_made(dest: Path, named: Path | None = None) -> Iterator[None]:
    """Makes the folders that lead to `dest`; on an error, of `named`, those that were missing are removed again."""
    missing = [folder for folder in dest.parents if not os.path.lexists(folder)]
    try:
        with wrap_os_errors(named or dest):
            dest.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # somebody else has put something there by now
            for folder in missing:
                folder.rmdir()
        raise


def _refuse_impossible_name(dest: Path) -> None:
    """Lets a name that the file system does not take fail now, not when the work is done."""
    with suppress(FileNotFoundError):
        dest.lstat()


def _remove_leftovers(dest: Path) -> None:
    """Removes what runs on this machine that were killed have left beside `dest`."""
    pattern = re.compile(rf"{re.escape(_start_of_names(dest))}(\d+)({re.escape(PARTIAL)}|{re.escape(ASIDE)})")
    for path in dest.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match is not None and not _is_running(int(match[1])):
            _remove(path)


def _start_of_names(dest: Path) -> str:
    """How the names begin of what this machine puts beside `dest`; the number of the process follows."""
    name = os.fsencode(dest.name)
    start = dest.name if len(name) <= LONGEST_START_BYTES else hashlib.sha256(name).hexdigest()
    return f".{start}.{socket.gethostname()}-"


def _is_running(pid: int) -> bool:
    """Whether there is another process of that number."""
    if pid == os.getpid():  # an earlier process had the same number, as all have in a container
        return False
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _flush(path: Path) -> None:
    """Sends what was written to the disk, so that a power cut after the rename finds it there."""
    if path.is_file():
        with path.open("r+b") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
    elif hasattr(os, "sync"):
        os.sync()


def _replace(dest: Path, partial: Path, aside: Path) -> None:
    """Renames `partial` to `dest`; a folder in the way goes aside first, since a rename cannot replace one."""
    if not (dest.is_dir() and not dest.is_symlink()):
        partial.replace(dest)
        return
    try:
        dest.rename(aside)
        partial.replace(dest)
    finally:
        if aside.exists() and not dest.exists():
            aside.rename(dest)


def _remove(path: Path) -> None:
    """Removes a file or folder as far as it can: an error here would hide the one that led here."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
