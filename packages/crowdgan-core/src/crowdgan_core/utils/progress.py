"""How long work reports how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where a long piece of work reports how far it is."""

    def start(self, what: str, total: int) -> None:
        """A phase of `total` steps begins."""
        ...

    def advance(self) -> None:
        """One step is done."""
        ...


class NullProgress:
    """Reports nothing."""

    def start(self, what: str, total: int) -> None:
        """Nothing."""

    def advance(self) -> None:
        """Nothing."""
