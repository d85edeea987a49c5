"""How a check says what is wrong; unlike `assert` it also works under `python -O`."""

from __future__ import annotations


def require(holds: bool, message: str) -> None:
    """Does nothing where something holds.

    Raises:
        AssertionError: it does not hold.
    """
    if not holds:
        raise AssertionError(message)
