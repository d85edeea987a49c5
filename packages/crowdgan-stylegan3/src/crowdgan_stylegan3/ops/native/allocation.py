"""Settings of the C library's memory allocator, which every layer of a network uses several times."""

from __future__ import annotations

import ctypes
import os

USER_SETTINGS = ("MALLOC_", "GLIBC_TUNABLES")
"""Beginnings of environment variables of the allocator; if the user has set one of them, nothing is changed."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of `mallopt` in glibc."""

MAX_UNUSED_BYTES = 2**31 - 1
"""Bytes at the end of the heap that stay allocated while they are unused; the maximum that `mallopt` accepts."""


def keep_unused_memory() -> None:
    """Makes glibc keep freed memory for the next allocation, up to 2 GiB, rather than return it to the system.

    By default the large arrays of each layer are returned when they are freed, and the system clears every page of the
    next one, which takes as long as computing an activation. Other C libraries are not changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith(USER_SETTINGS) for name in os.environ):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, MAX_UNUSED_BYTES)
