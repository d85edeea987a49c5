"""Options that the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
"""A path; whether it exists is checked where the message can say more."""

AnyCommand = Callable[..., Any]


def figure_options(default: str) -> Callable[[AnyCommand], AnyCommand]:
    """Adds `--out`, `--title`, `--show` and `--overwrite`."""
    options = [
        click.option(
            "--out",
            type=PATH,
            default=default,
            show_default=True,
            help="File to write: .png, .svg or .pdf.",
        ),
        click.option("--title", help="Title above the figure."),
        click.option("--show", is_flag=True, help="Open it in a window instead, where there is a display."),
        click.option("--overwrite", is_flag=True, help="Replace the file if it exists."),
    ]

    def decorate(command: AnyCommand) -> AnyCommand:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
