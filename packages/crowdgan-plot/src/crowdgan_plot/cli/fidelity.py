"""`crowdgan plot fidelity`: requested against measured density of a model."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_plot.cli.figures import check_target, save_or_show
from crowdgan_plot.cli.options import PATH, figure_options


@click.command("fidelity")
@click.argument("report", metavar="REPORT.json", type=PATH)
@figure_options("fidelity.png")
def command(report: Path, out: Path, title: str | None, show: bool, overwrite: bool) -> None:
    """Plot requested against measured density, from a density fidelity report.

    One row per predictor: measured density of generated and of held-out real images, confusion matrix, and scores
    beside the floor, which real images reach.

    \b
    Examples:
      crowdgan plot fidelity fidelity/density-fidelity.json
      crowdgan plot fidelity fidelity/density-fidelity.json --out fidelity.pdf --title "after 1000 kimg"
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.fidelity.fidelity_figure import plot_fidelity

    save_or_show(lambda figure: plot_fidelity(report, title=title, figure=figure), out, show=show, overwrite=overwrite)
