"""The progress protocol: reports of how much of a long operation is done."""

from __future__ import annotations

from typing import Protocol


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
