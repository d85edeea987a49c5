"""Parameter types of click options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crowdgan_core.errors import ConfigError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.flags import parse_size

AUTO = "auto"
"""Text that stands for None: the command computes the value."""

EXISTING = click.Path(path_type=Path)
"""A path; its existence is checked later, where the error message can say more."""


class ParsedText(click.ParamType[Any]):
    """Text that a function converts; its ValueError becomes a usage error, its ConfigError stays one."""

    def __init__(self, parse: Callable[[str], Any], name: str) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of the text; a value that is not a text is a default and returned unchanged."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigError:
            raise
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Resolution(ParsedText):
    """WIDTHxHEIGHT as text, `(height, width)` as a value."""

    def __init__(self) -> None:
        super().__init__(parse_size, "WIDTHxHEIGHT")


class AutoNumber(click.ParamType[Any]):
    """A number of another type, or the text `auto`, which stands for None."""

    def __init__(self, number: click.ParamType[Any]) -> None:
        self.name, self._number = f"{number.name.removesuffix(' range')}|{AUTO}", number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float | None:
        """The number, or None for `auto`."""
        if value == AUTO:
            return None
        try:
            float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor {AUTO}", param, ctx)
        number: int | float = self._number.convert(value, param, ctx)
        return number


class NegatedBool(click.ParamType[bool]):
    """A boolean whose opposite is the value."""

    name = "boolean"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """The opposite of the boolean that was given; a default, which is not a text, is returned unchanged."""
        return value if isinstance(value, bool) else not click.BOOL.convert(value, param, ctx)


class EstimatorName(click.ParamType[str]):
    """The name of an installed density estimator."""

    name = "estimator"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """All names, for the help text."""
        return f"[{'|'.join(installed_plugins().density_estimators)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if such an estimator is installed."""
        names = installed_plugins().density_estimators
        if value not in names:
            allowed = ", ".join(names) or "none: install crowdgan-density"
            self.fail(f"no such density estimator {value}; choose from {allowed}", param, ctx)
        return str(value)
