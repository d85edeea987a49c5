"""Atomic writes of files and folders: written next to the destination, flushed to disk, then renamed.

`atomic_path` yields a temporary path for a file or folder, `move_into_place` does its last step alone, `write_bytes`
writes one file, and `atomic_writer` writes many files into one folder.
"""

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

PARTIAL_SUFFIX = ".partial"
"""Suffix of a temporary path. After a crash one may remain; the next write to the same destination removes it."""

REPLACED_SUFFIX = ".old.partial"
"""Suffix of a folder that is being replaced. After a crash one may remain, as above."""

SHARED_STEM = "files"
"""Stem of the temporary file of `atomic_writer`, which is the same for every file of the folder."""

MAX_STEM_BYTES = 128
"""Maximum length of a destination's name in a temporary name, which with host and process ID must stay below 255."""


@contextmanager
def atomic_path(dest: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary path for a file or folder; on success it is renamed to `dest`, on an error it is removed.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    check_overwrite(dest, overwrite=overwrite)
    partial = dest.parent / f"{_temporary_prefix(dest)}{os.getpid()}{PARTIAL_SUFFIX}"
    with _parent_folders(dest):
        with wrap_os_errors(dest):
            _remove_leftovers(dest)
            _check_name(dest)
        try:
            yield partial
            move_into_place(partial, dest, overwrite=overwrite)
        finally:
            _remove(partial)


def move_into_place(partial: Path, dest: Path, *, overwrite: bool) -> None:
    """Flushes a complete file or folder next to `dest` to disk and renames it to `dest`.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    replaced = dest.parent / f"{_temporary_prefix(dest)}{os.getpid()}{REPLACED_SUFFIX}"
    try:
        with wrap_os_errors(dest):
            _flush(partial)
            check_overwrite(dest, overwrite=overwrite)
            _replace(dest, partial, replaced)
    finally:
        _remove(replaced)


def write_bytes(dest: Path, data: bytes, *, overwrite: bool) -> None:
    """Writes one file.

    Raises:
        DatasetError: as `atomic_path`, or `dest` is a folder.
    """
    check_file_overwrite(dest, overwrite=overwrite)
    with atomic_path(dest, overwrite=overwrite) as partial, wrap_os_errors(dest):
        partial.write_bytes(data)


class FileWriter(Protocol):
    """Writes one file into the folder of an `atomic_writer`."""

    def __call__(self, name: str, data: bytes, *, overwrite: bool) -> None:
        """Writes the file; raises `DatasetError` as `atomic_path` does."""
        ...


@contextmanager
def atomic_writer(folder: Path) -> Iterator[FileWriter]:
    """Yields a function that writes files into a folder as `write_bytes` does, but looks for leftovers only once.

    If an error ends the context, files written before it remain. The folder is created if necessary, and removed
    again if an error leaves it empty.

    Raises:
        DatasetError: the folder cannot be created.
    """
    partial = folder / f"{_temporary_prefix(folder / SHARED_STEM)}{os.getpid()}{PARTIAL_SUFFIX}"

    def write(name: str, data: bytes, *, overwrite: bool) -> None:
        dest = folder / name
        check_overwrite(dest, overwrite=overwrite)
        with wrap_os_errors(dest):
            partial.write_bytes(data)
            _flush(partial)
            partial.replace(dest)

    with _parent_folders(partial, folder):
        with wrap_os_errors(folder):
            _remove_leftovers(folder / SHARED_STEM)
        try:
            yield write
        finally:
            _remove(partial)


def check_overwrite(dest: Path, *, overwrite: bool) -> None:
    """Checks that `dest` does not exist or may be overwritten.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False.
    """
    if not overwrite and os.path.lexists(dest):
        raise DatasetError(f"{dest}: already exists; choose another destination or add --overwrite")


def check_writable(folder: Path) -> None:
    """Checks that files may be written into a folder, which need not exist, before a long computation.

    Raises:
        DatasetError: a part of the path is not a folder, or the permission is missing.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise DatasetError(f"{folder}: cannot be written ({existing} is not a folder)")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DatasetError(f"{folder}: cannot be written (no permission to write into {existing})")


def check_file_overwrite(dest: Path, *, overwrite: bool) -> None:
    """Checks that a file may be written to `dest`; a folder is never replaced by a file.

    Raises:
        DatasetError: `dest` is a folder, or exists and `overwrite` is False.
    """
    if dest.is_dir():
        raise DatasetError(f"{dest}: is a folder; choose a file name")
    check_overwrite(dest, overwrite=overwrite)


@contextmanager
def wrap_os_errors(dest: Path) -> Iterator[None]:
    """Converts an `OSError`, for example a full disk, to a `DatasetError` that names the destination."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise DatasetError(f"{dest}: cannot be written ({reason}); no partial output was left") from error


@contextmanager
def _parent_folders(dest: Path, reported: Path | None = None) -> Iterator[None]:
    """Creates missing parent folders of `dest`, and removes them again on an error.

    Errors name the path `reported`, by default `dest`.
    """
    missing = [folder for folder in dest.parents if not os.path.lexists(folder)]
    try:
        with wrap_os_errors(reported or dest):
            dest.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # another process has written into the folder since
            for folder in missing:
                folder.rmdir()
        raise


def _check_name(dest: Path) -> None:
    """Raises an `OSError` for a name that the file system does not accept, before any work is done."""
    with suppress(FileNotFoundError):
        dest.lstat()


def _remove_leftovers(dest: Path) -> None:
    """Removes temporary paths next to `dest` that killed processes of this machine have left."""
    pattern = re.compile(
        rf"{re.escape(_temporary_prefix(dest))}(\d+)({re.escape(PARTIAL_SUFFIX)}|{re.escape(REPLACED_SUFFIX)})"
    )
    for path in dest.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match is not None and not _is_running(int(match[1])):
            _remove(path)


def _temporary_prefix(dest: Path) -> str:
    """Prefix of this machine's temporary names for `dest`; the process ID follows."""
    name = os.fsencode(dest.name)
    stem = dest.name if len(name) <= MAX_STEM_BYTES else hashlib.sha256(name).hexdigest()
    return f".{stem}.{socket.gethostname()}-"


def _is_running(pid: int) -> bool:
    """Whether another process with this ID is running."""
    if pid == os.getpid():  # an earlier process had the same ID, as is usual in containers
        return False
    if os.name == "nt":  # on Windows, signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _flush(path: Path) -> None:
    """Flushes a file or folder to disk, so that a power failure after the rename does not lose it."""
    if path.is_file():
        with path.open("r+b") as file:  # Windows flushes only files that are open for writing
            os.fsync(file.fileno())
    elif hasattr(os, "sync"):
        os.sync()


def _replace(dest: Path, partial: Path, replaced: Path) -> None:
    """Renames `partial` to `dest`; an existing folder, which cannot be overwritten, is first renamed to `replaced`."""
    if not (dest.is_dir() and not dest.is_symlink()):
        partial.replace(dest)
        return
    try:
        dest.rename(replaced)
        partial.replace(dest)
    finally:
        if replaced.exists() and not dest.exists():
            replaced.rename(dest)


def _remove(path: Path) -> None:
    """Removes a file or folder and ignores errors, which would hide the original error."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
