"""`crowdgan plot loss`: losses of training runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import DatasetError
from crowdgan_plot.cli.figures import Draw, PlotWindow, check_target, echo_notes, finish, open_window, save
from crowdgan_plot.cli.options import PATH, figure_options

if TYPE_CHECKING:
    from crowdgan_plot.training.loss_curves import LossPlotConfig
    from crowdgan_plot.training.stats import RunStats, StatsReader

FOLLOW_S = 1.0
"""Seconds between two looks at a run that is followed."""


@click.command("loss")
@click.argument("runs", metavar="RUN|FILE...", type=PATH, nargs=-1, required=True)
@figure_options("loss.png")
@click.option("--keys", metavar="KEY,...", help="Keys of stats.jsonl to draw.  [default: losses of G and D]")
@click.option(
    "--smooth", metavar="KIMG", type=float, default=0.0, help="Draw means over a window of so many kimg, values faint."
)
@click.option(
    "--skip",
    metavar="LINES",
    type=click.IntRange(min=0),
    help="Lines left out after each join.  [default: 20, of a short run at most a tenth]",
)
@click.option("--log", is_flag=True, help="Logarithmic axis of the values.")
@click.option("--separate", is_flag=True, help="Draw runs over one another instead of joining them.")
@click.option("--follow", is_flag=True, help="Draw anew as lines arrive, until Ctrl-C.")
def command(
    runs: tuple[Path, ...],
    out: Path,
    title: str | None,
    show: bool,
    overwrite: bool,
    keys: str | None,
    smooth: float,
    skip: int | None,
    log: bool,
    separate: bool,
    follow: bool,
) -> None:
    """Draw the losses of G and D against the length of the training, of one run or of several.

    RUN is the folder of a run, ours or the official trainer's; FILE its stats.jsonl. Runs that continue one another are
    joined on one axis in the order given, each join marked: one that starts at 0 kimg is moved to the end of the one
    before, one that counts on keeps its numbers.

    \b
    Examples:
      crowdgan plot loss runs/00000-stylegan3-t
      crowdgan plot loss runs/00000-first runs/00001-resumed --out losses.pdf --smooth 20
      crowdgan plot loss one two --separate --keys Loss/scores/real,Loss/scores/fake
      crowdgan plot loss runs/00002-live --follow
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.training.loss_curves import LossPlotConfig
    from crowdgan_plot.training.stats import StatsReader

    chosen = {"keys": tuple(key.strip() for key in keys.split(","))} if keys is not None else {}
    settings = LossPlotConfig(**chosen, smooth_kimg=smooth, skip_lines=skip, log=log, title=title, separate=separate)
    readers = [StatsReader(path) for path in runs]
    if follow:
        _follow(readers, settings, out, show=show, overwrite=overwrite)
        return
    for reader in readers:
        reader.poll()
    draw, notes = _drawing([reader.stats() for reader in readers], settings)
    echo_notes(notes)
    from crowdgan_plot.style import new_figure

    finish(draw, new_figure, out, show=show, overwrite=overwrite)


def _drawing(runs: Sequence[RunStats], settings: LossPlotConfig) -> tuple[Draw, list[str]]:
    """What draws the runs, and what is to be said of them."""
    from crowdgan_plot.training.loss_curves import align_runs, draw_losses, select_runs

    usable, notes = select_runs(runs, settings)
    arrangement = align_runs(usable, settings)
    return lambda figure: draw_losses(figure, arrangement, settings), [*notes, *arrangement.notes]


def _follow(
    readers: Sequence[StatsReader], settings: LossPlotConfig, out: Path, *, show: bool, overwrite: bool
) -> None:
    """Draws runs anew as lines arrive, until Ctrl-C or until the window is closed."""
    from crowdgan_plot.style import new_figure

    window: PlotWindow | None = None
    said: set[str] = set()
    is_first = True
    while window is None or window.is_open:
        added = [reader.poll() for reader in readers]
        if any(added) or is_first:
            is_first = False
            try:
                draw, notes = _drawing([reader.stats() for reader in readers], settings)
            except DatasetError as error:
                draw, notes = None, [f"waiting: {error}"]
            echo_notes(note for note in notes if note not in said)
            said.update(notes)
            if draw is not None and not show:
                save(draw, new_figure(), out, overwrite=overwrite)
                lines = sum(len(reader.stats()) for reader in readers)
                click.echo(printable(f"written: {out}, {lines} lines"), err=True)
                overwrite = True  # from now on it is ours
            elif draw is not None and window is None:
                window = open_window(draw, new_figure())
            elif draw is not None and window is not None:
                window.redraw(draw, FOLLOW_S)
        time.sleep(FOLLOW_S) if window is None else window.wait(FOLLOW_S)
