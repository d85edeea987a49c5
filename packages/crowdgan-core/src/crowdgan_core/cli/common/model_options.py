"""Options of commands that load a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEVICES = ("auto", "cpu", "cuda")
"""Devices for generation and training; `auto` selects a GPU if available."""

AnyCommand = Callable[..., Any]


def network_option(command: AnyCommand) -> AnyCommand:
    """Adds `--network`."""
    path = click.Path(path_type=Path)
    text = "Model file (NAME.safetensors) or pretrained model."
    return click.option("--network", type=path, required=True, help=text)(command)


def device_option(command: AnyCommand) -> AnyCommand:
    """Adds `--device`."""
    return click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Compute device; auto selects a GPU if available.",
    )(command)
