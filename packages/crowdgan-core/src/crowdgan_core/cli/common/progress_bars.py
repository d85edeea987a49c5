"""Progress on stderr: a bar with rate and ETA on a terminal, otherwise a plain line every few seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from crowdgan_core.utils.progress import LineProgress, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress display, shown within the context."""
    if not sys.stderr.isatty():
        yield LineProgress(lambda line: click.echo(line, err=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    rate = TextColumn("{task.fields[rate]}")
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), rate, "ETA", TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), refresh_per_second=5) as bars:
        yield BarProgress(bars)


class BarProgress:
    """A progress bar of rich, one per phase."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def start(self, description: str, total: int) -> None:
        """Starts the bar of a new phase."""
        self._task = self._bars.add_task(description, total=total, rate="")

    def advance(self) -> None:
        """Completes one step."""
        assert self._task is not None, "start must be called before advance"
        speed = self._bars.tasks[self._task].speed
        self._bars.update(self._task, advance=1, rate=f"{speed:.1f}/s" if speed else "")
