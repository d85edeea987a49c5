"""Options of several `crowdgan plot` commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
"""A path; the command checks whether it exists, with a better message than click's."""

AnyCommand = Callable[..., Any]


def overwrite_option(command: AnyCommand) -> AnyCommand:
    """Adds `--overwrite`."""
    return click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")(command)


def figure_options(default_out: str) -> Callable[[AnyCommand], AnyCommand]:
    """Adds `--out`, `--title`, `--show` and `--overwrite`."""
    options: list[Callable[[AnyCommand], AnyCommand]] = [
        click.option(
            "--out",
            type=PATH,
            default=default_out,
            show_default=True,
            help="Output file (.png, .svg or .pdf).",
        ),
        click.option("--title", help="Figure title."),
        click.option("--show", is_flag=True, help="Open a window instead of writing a file."),
        overwrite_option,
    ]

    def decorate(command: AnyCommand) -> AnyCommand:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
