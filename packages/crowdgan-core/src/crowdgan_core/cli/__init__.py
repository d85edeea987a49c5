"""The command `crowdgan`: one module per subcommand; the command tree is built from the installed plugins."""

from __future__ import annotations

import _thread
import io
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.app import build_tree
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED_CODE = 130
"""Exit code after Ctrl-C: 128 + the number of SIGINT, as in shells."""

REPEAT_DELAY_S = 0.01
"""Delay after which an ignored interrupt is repeated, in seconds."""


def main() -> None:
    """Runs `crowdgan`; the only place that converts a user's error to a line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    sys.unraisablehook = _repeat_ignored_interrupt
    _replace_unencodable()
    plugins = installed_plugins()
    plugins.report_warnings(_print_warning)
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


def _print_warning(text: str) -> None:
    click.echo(f"crowdgan: warning: {printable(text)}", err=True)


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    """Handles a termination signal like Ctrl-C, so that temporary files are removed."""
    raise KeyboardInterrupt


def _repeat_ignored_interrupt(unraisable: UnraisableHookArgs) -> None:
    """Repeats an interrupt that Python ignored because it was raised in a finaliser or a weak reference callback."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    timer = threading.Timer(REPEAT_DELAY_S, _interrupt_main_thread)
    timer.daemon = True
    timer.start()


def _interrupt_main_thread() -> None:
    """Sends SIGTERM to the main thread, where it also ends a blocking system call; Windows only simulates it."""
    identifier = threading.main_thread().ident
    if sys.platform == "win32" or identifier is None:
        _thread.interrupt_main(signal.SIGTERM)
    else:
        signal.pthread_kill(identifier, signal.SIGTERM)
