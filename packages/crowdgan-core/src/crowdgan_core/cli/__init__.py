"""The command `crowdgan`: one file per subcommand; the tree of commands is built from what plugins offer."""

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

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + the number of SIGINT, as shells have it."""


def main() -> None:
    """Runs `crowdgan`: the one place that turns an error of the user's into a line on stderr."""
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
        click.echo("crowdgan: interrupted; nothing was left half-written", err=True)
        sys.exit(INTERRUPTED)
    if code:
        sys.exit(code)


def _replace_unencodable() -> None:
    """Shows `?` for a character that the encoding of a terminal or pipe lacks, such as █ in cp1252."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill cleans up as Ctrl-C does."""
    raise KeyboardInterrupt
