"""Options that commands share, read into one object: those that read a source, and those of the pipeline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from crowdgan_core.plugins.discovery import installed_plugins

EXISTING = click.Path(path_type=Path)
"""A path; whether it exists is checked where the message can say more."""


class Resolution(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT as text, `(height, width)` as a value."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The size that the text names."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
        if match is None or min(map(int, match.groups())) < 1:
            self.fail(f"{value} is no size; write width and height in pixels as in 256x256", param, ctx)
        return int(match[2]), int(match[1])


class EstimatorName(click.ParamType[str]):
    """The name of an installed density estimator."""

    name = "estimator"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """All names, for the help text."""
        return f"[{'|'.join(installed_plugins().density_estimators)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such an estimator."""
        names = installed_plugins().density_estimators
        if value not in names:
            allowed = ", ".join(names) or "none: install crowdgan-density"
            self.fail(f"{value} is no installed density estimator; there are {allowed}", param, ctx)
        return str(value)
