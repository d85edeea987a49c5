"""Assertions of the contract checks; unlike `assert` they also work under `python -O`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crowdgan_core.errors import PluginError


def require(condition: bool, message: str) -> None:
    """Checks a condition.

    Raises:
        AssertionError: the condition is false.
    """
    if not condition:
        raise AssertionError(message)


@contextmanager
def plugin_errors_fail() -> Iterator[None]:
    """Converts an exception in a plugin's code to an `AssertionError`, and keeps it as its cause; also a decorator.

    Raises:
        AssertionError: any exception was raised.
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:  # a plugin's code may raise any exception
        reason = str(error) if isinstance(error, PluginError) else f"unexpected {type(error).__name__}: {error}"
        raise AssertionError(reason) from error
