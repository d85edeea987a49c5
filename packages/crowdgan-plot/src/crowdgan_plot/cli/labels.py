"""`crowdgan plot labels`: class balance and densities of datasets."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.format_help import FormatsCommand
from crowdgan_plot.cli.figures import check_target, save_or_show
from crowdgan_plot.cli.options import PATH, figure_options


@click.command("labels", cls=FormatsCommand)
@click.argument("datasets", metavar="DATASET...", type=PATH, nargs=-1, required=True)
@figure_options("labels.png")
def command(datasets: tuple[Path, ...], out: Path, title: str | None, show: bool, overwrite: bool) -> None:
    """Plot class balance and densities of a dataset, or compare labellings.

    Several datasets, labelled versions of the same images, are compared with the first one: by a confusion matrix of
    the classes, and by the rank correlation of the densities. Formats of datasets: {dataset_formats}.

    \b
    Examples:
      crowdgan plot labels crowds.zip
      crowdgan plot labels grid.zip ground.h5 --out agreement.pdf --title "two estimators"
    """
    check_target(out, show=show, overwrite=overwrite)
    from crowdgan_plot.labels.labels_figure import plot_labels

    save_or_show(lambda figure: plot_labels(*datasets, title=title, figure=figure), out, show=show, overwrite=overwrite)
