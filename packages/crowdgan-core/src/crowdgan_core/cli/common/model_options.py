"""Options that the commands which make images of a model share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEVICES = ("auto", "cpu", "cuda")
"""Where a generator may compute."""

AnyCommand = Callable[..., Any]


def network_option(command: AnyCommand) -> AnyCommand:
    """Adds `--network`."""
    path = click.Path(path_type=Path)
    return click.option("--network", type=path, required=True, help="Model file: NAME.safetensors.")(command)


def rendering_options(command: AnyCommand) -> AnyCommand:
    """Adds `--trunc`, `--batch`, `--device`, `--outdir` and `--overwrite`."""
    options = [
        click.option(
            "--trunc",
            type=float,
            default=1.0,
            show_default=True,
            help="Truncation psi: below 1 images are more alike and often cleaner, 0 gives the mean image.",
        ),
        click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Images made at once."),
        click.option(
            "--device",
            type=click.Choice(DEVICES),
            default="auto",
            show_default=True,
            help="Where to compute; auto takes the GPU if there is one.",
        ),
        click.option("--outdir", type=click.Path(path_type=Path), required=True, help="Folder for what is made."),
        click.option("--overwrite", is_flag=True, help="Replace files that exist."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
