"""The command `crowdgan`: one module per subcommand; the command tree is built from the installed plugins."""

from __future__ import annotations

import io
import signal
import sys
from types import FrameType

import click

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins

INTERRUPTED_CODE = 130
"""Exit code after Ctrl-C: 128 + the number of SIGINT, as in shells."""


def main() -> None:
    """Runs `crowdgan`; the only place that converts a user's error to a line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    _replace_unencodable()
    plugins = installed_plugins()
    for warning in plugins.warnings:
        click.echo(f"crowdgan: warning: {printable(warning)}", err=True)
    try:
        code = build_tree(plugins).main(prog_name="crowdgan", standalone_mode=False)
    except CrowdganError as error:
        click.echo(f"crowdgan: error: {printable(str(error))}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("crowdgan: interrupted; no partial output was left", err=True)
        sys.exit(INTERRUPTED_CODE)
    if code:
        sys.exit(code)


def _replace_unencodable() -> None:
    """Prints `?` for characters that the encoding of stdout or stderr does not have, such as █ in cp1252."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    """Handles a termination signal like Ctrl-C, so that temporary files are removed."""
    raise KeyboardInterrupt
