"""`crowdgan plot loss`: losses of training runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.errors import DatasetError
from crowdgan_plot.cli.figures import PlotWindow, check_target, echo_note, save_or_show
from crowdgan_plot.cli.options import PATH, figure_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crowdgan_plot.training.stats import StatsReader

FOLLOW_INTERVAL_S = 1.0
"""Seconds between two reads of a followed run."""


@click.command("loss")
@click.argument("runs", metavar="RUN|FILE...", type=PATH, nargs=-1, required=True)
@figure_options("loss.png")
@click.option("--keys", metavar="KEY,...", help="Keys of stats.jsonl to plot.  [default: losses of G and D]")
@click.option("--smooth", metavar="KIMG", type=float, default=0.0, help="Width of the moving average in kimg.")
@click.option(
    "--skip",
    metavar="LINES",
    type=click.IntRange(min=0),
    help="Lines to drop after each join.  [default: 20, at most 10 % of a run]",
)
@click.option("--log", is_flag=True, help="Use a logarithmic y axis.")
@click.option("--separate", is_flag=True, help="Overlay runs instead of concatenating them.")
@click.option("--follow", is_flag=True, help="Redraw as new lines arrive, until Ctrl-C.")
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
    """Plot the G and D losses of one or more training runs.

    RUN is a run folder, of crowdgan or the official trainer; FILE is its stats.jsonl. Runs that continue each other are
    concatenated on one axis in the given order, and each join is marked: a run that starts at 0 kimg is shifted to the
    end of the previous one, a run that continues the count is not.

    \b
    Examples:
      crowdgan plot loss runs/00000-stylegan3-t
      crowdgan plot loss runs/00000-first runs/00001-resumed --out losses.pdf --smooth 20
      crowdgan plot loss one two --separate --keys Loss/scores/real,Loss/scores/fake
      crowdgan plot loss runs/00002-live --follow
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.training.loss_curves import plot_losses
    from crowdgan_plot.training.stats import StatsReader

    plot = partial(
        plot_losses,
        keys=None if keys is None else [key.strip() for key in keys.split(",")],
        smooth_kimg=smooth,
        joined=not separate,
        skip_lines=skip,
        log=log,
        title=title,
    )
    if follow:
        _follow([StatsReader(run) for run in runs], plot, out, show=show, overwrite=overwrite)
    else:
        save_or_show(lambda figure: plot(*runs, figure=figure, on_note=echo_note), out, show=show, overwrite=overwrite)


def _follow(
    readers: Sequence[StatsReader], plot: Callable[..., Figure], out: Path, *, show: bool, overwrite: bool
) -> None:
    """Plots runs again whenever lines arrive, until Ctrl-C or until the window is closed."""
    from crowdgan_plot.style import save_figure

    window: PlotWindow | None = None
    echoed: set[str] = set()

    def echo_once(note: str) -> None:
        if note not in echoed:
            echoed.add(note)
            echo_note(note)

    def plot_current(figure: Figure | None) -> Figure:
        return plot(*(reader.stats() for reader in readers), figure=figure, on_note=echo_once)

    is_first = True
    while window is None or window.is_open:
        has_new_lines = sum(reader.poll() for reader in readers) > 0  # every reader must poll
        if has_new_lines or is_first:
            is_first = False
            try:
                if not show:
                    save_figure(plot_current(None), out, overwrite=overwrite)
                    echo_note(f"wrote {out}, {sum(len(reader.stats()) for reader in readers)} lines")
                    overwrite = True  # the file is now ours
                elif window is None:
                    window = PlotWindow(plot_current)
                else:
                    window.redraw(plot_current, FOLLOW_INTERVAL_S)
            except DatasetError as error:
                echo_once(f"waiting: {error}")
        time.sleep(FOLLOW_INTERVAL_S) if window is None else window.wait(FOLLOW_INTERVAL_S)
