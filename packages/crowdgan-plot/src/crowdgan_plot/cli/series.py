"""`crowdgan plot series`: density over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crowdgan_plot.cli.figures import check_target, save_or_show
from crowdgan_plot.cli.options import PATH, figure_options


@click.command("series")
@click.argument("table", metavar="TABLE", type=PATH)
@click.option("--zone", "zones", multiple=True, metavar="NAME", help="Zone to plot (repeatable).  [default: all]")
@figure_options("series.png")
def command(table: Path, zones: Sequence[str], out: Path, title: str | None, show: bool, overwrite: bool) -> None:
    """Plot density over time, from a table of `crowdgan density series`.

    The table is a .csv, .json, .xlsx or .parquet file. One panel per zone: density with its 95 % interval over the
    levels of service. Gaps are frames with unknown density.

    \b
    Examples:
      crowdgan plot series station.csv
      crowdgan plot series gates.csv --zone "north gate" --out north.pdf
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.density.series_figure import plot_series

    save_or_show(
        lambda figure: plot_series(table, zones=zones, title=title, figure=figure), out, show=show, overwrite=overwrite
    )
