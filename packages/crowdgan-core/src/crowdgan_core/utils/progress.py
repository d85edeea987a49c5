"""The progress protocol: reports of how much of a long operation is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

LINE_INTERVAL_S = 10.0
"""Seconds between lines of `LineProgress`."""


class Progress(Protocol):
    """Receiver of progress reports."""

    def start(self, description: str, total: int) -> None:
        """Starts a phase of `total` steps."""
        ...

    def advance(self) -> None:
        """Reports that one step is complete."""
        ...


class NullProgress:
    """A receiver that ignores all reports."""

    def start(self, description: str, total: int) -> None:
        """Does nothing."""

    def advance(self) -> None:
        """Does nothing."""


class LineProgress:
    """A line every `LINE_INTERVAL_S` seconds: number of completed steps, rate and ETA.

    Args:
        write: receives each line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._description = ""
        self._total = self._done = 0
        self._started = self._written = time.monotonic()

    def start(self, description: str, total: int) -> None:
        """Starts a new phase."""
        self._description, self._total, self._done = description, total, 0
        self._started = self._written = time.monotonic()

    def advance(self) -> None:
        """Completes one step."""
        self._done += 1
        now = time.monotonic()
        if now - self._written < LINE_INTERVAL_S:
            return
        self._written = now
        rate = self._done / (now - self._started)
        eta_s = (self._total - self._done) / rate
        self._write(f"{self._description}: {self._done}/{self._total}, {rate:.1f}/s, ETA {eta_s:.0f} s")
