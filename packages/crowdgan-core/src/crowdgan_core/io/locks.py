"""File locks, which some network file systems do not support."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

logger = logging.getLogger(__name__)

UNSUPPORTED_ERRORS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""Error numbers of a file system without locks."""

WAIT_FOREVER_S = -1.0


@contextmanager
def lock_file(path: Path, *, timeout_s: float = WAIT_FOREVER_S) -> Iterator[None]:
    """Context in which no other process holds the lock file; without locks in the file system, warns and continues.

    Args:
        path: the lock file, which is created.
        timeout_s: time in seconds to wait for another process; negative to wait forever.

    Raises:
        filelock.Timeout: another process holds the lock.
        OSError: the file cannot be created.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout_s)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRORS:
            raise
        logger.warning(f"{path.parent}: the file system has no locks; do not use this folder in two processes")
        yield
        return
    try:
        yield
    finally:
        lock.release()
