"""Validated query parameters of a request."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from starlette.datastructures import QueryParams

from crowdgan_core.errors import ConfigError

MAX_TEXT = 1000
"""Maximum number of characters of a parameter."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""Decimal numbers, as JavaScript writes them."""


class Query:
    """Query parameters, each of which is read once with its type and range.

    Raises:
        ConfigError: a parameter is repeated or too long.
    """

    def __init__(self, params: QueryParams) -> None:
        self._values: dict[str, str] = {}
        for name, value in params.multi_items():
            if name in self._values:
                raise ConfigError(f"{name!r:.40} is given twice")
            if len(value) > MAX_TEXT:
                raise ConfigError(f"{name!r:.40} has {len(value)} characters; at most {MAX_TEXT} are allowed")
            self._values[name] = value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """An integer from `low` to `high`."""
        value = self.optional_integer(name, low, high)
        return default if value is None else value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """An integer from `low` to `high`; None if it is not given.

        Raises:
            ConfigError: not an integer, or outside the range.
        """
        text = self._values.pop(name, "")
        if not text:
            return None
        value = int(text) if re.fullmatch(r"-?\d{1,12}", text, re.ASCII) else None
        if value is None or not low <= value <= high:
            raise ConfigError(f"{name} is {text!r:.40}; it must be an integer from {low} to {high}")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        value = self.optional_number(name, low, high)
        return default if value is None else value

    def optional_number(self, name: str, low: float, high: float) -> float | None:
        """A finite number from `low` to `high`; None if it is not given.

        Raises:
            ConfigError: not a number, or outside the range.
        """
        text = self._values.pop(name, "")
        if not text:
            return None
        value = float(text) if NUMBER.fullmatch(text) else math.nan
        if not low <= value <= high:  # also for NaN
            raise ConfigError(f"{name} is {text!r:.40}; it must be a number from {low:g} to {high:g}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of the choices; the first one if it is not given.

        Raises:
            ConfigError: another text.
        """
        value = self._values.pop(name, "") or choices[0]
        if value not in choices:
            raise ConfigError(f"{name} is {value!r:.40}; choose from {', '.join(choices)}")
        return value

    def has(self, *names: str) -> bool:
        """Whether one of the parameters is given and has not been read."""
        return any(self._values.get(name) for name in names)

    def text(self, name: str, default: str = "") -> str:
        """Any text."""
        return self._values.pop(name, default)

    def end(self) -> None:
        """Checks that all parameters have been read.

        Raises:
            ConfigError: an unknown parameter.
        """
        if self._values:
            raise ConfigError(f"unknown parameter {next(iter(self._values))!r:.40}")
