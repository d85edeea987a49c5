"""The command `crowdgan`: one module per subcommand; the command tree is built from the installed plugins."""

from __future__ import annotations

import _thread
import errno
import io
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.app import TRACEBACK_ENV_VAR, build_tree
from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import CrowdganError, PluginError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.openmp import set_openmp_defaults

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED_CODE = 130
"""Exit code after Ctrl-C: 128 + the number of SIGINT, as in shells."""

OUTPUT_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of writing to stdout or stderr: a closed pipe, a full disk, a closed terminal."""

REPEAT_DELAY_S = 0.01
"""Delay after which an ignored interrupt is repeated, in seconds."""


def main() -> None:
    """Runs `crowdgan`; the only place that converts a user's error to a line on stderr and an exit code."""
    set_openmp_defaults()
    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    sys.unraisablehook = _repeat_ignored_interrupt
    _replace_unencodable()
    try:
        code = _run_command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in OUTPUT_ERRORS or error.filename is not None:
            raise
        code = 1
        if not isinstance(error, BrokenPipeError):
            with suppress(OSError):  # stderr may be closed as well
                _print_error(f"the output cannot be written ({error.strerror})")
        _discard_pending_output()
    if code:
        sys.exit(code)


def _run_command() -> int | None:
    """Runs the command of the command line and returns its exit code."""
    plugins = installed_plugins()
    plugins.report_warnings(_print_warning)
    try:
        code: int | None = build_tree(plugins).main(prog_name="crowdgan", standalone_mode=False)
    except CrowdganError as error:
        _report_error(error)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        kept = str(error.__cause__ or "")  # a command that keeps results raises KeyboardInterrupt with a text
        click.echo(f"crowdgan: interrupted; {kept or 'no partial output was left'}", err=True)
        return INTERRUPTED_CODE
    return code


def _discard_pending_output() -> None:
    """Discards text that stdout or stderr cannot write, which Python would otherwise write again when it exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with Path(os.devnull).open("wb") as null:
                os.dup2(null.fileno(), stream.fileno())


def _replace_unencodable() -> None:
    """Prints `?` for characters that the encoding of stdout or stderr does not have, such as █ in cp1252."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _report_error(error: CrowdganError) -> None:
    """Prints an error as one line; its traceback before it if `TRACEBACK_ENV_VAR` is set."""
    if os.environ.get(TRACEBACK_ENV_VAR, "0") not in ("", "0"):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        _print_error(str(error))
    elif isinstance(error, PluginError):
        _print_error(f"{error} (for the traceback, set {TRACEBACK_ENV_VAR}=1)")
    else:
        _print_error(str(error))


def _print_error(text: str) -> None:
    click.echo(f"crowdgan: error: {printable(text)}", err=True)


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
