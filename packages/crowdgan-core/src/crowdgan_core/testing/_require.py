"""Assertion helper of the contract checks; unlike `assert` it also works under `python -O`."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """Checks a condition.

    Raises:
        AssertionError: the condition is false.
    """
    if not condition:
        raise AssertionError(message)
