"""`crowdgan plot density`: images of densities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crowdgan_core.cli.common.output import print_skipped, print_table
from crowdgan_core.cli.common.param_types import EstimatorName
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings, source_options
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_plot.cli.options import PATH
from crowdgan_plot.output import FORMATS


@click.command("density")
@source_options()
@click.option("--density", type=EstimatorName(), required=True, help="What measures how crowded an image is.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Option of the estimator; repeatable.")
@click.option("--ids", multiple=True, metavar="NAME", help="An image to draw, or how its name begins; repeatable.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Without --ids: draw so many, evenly spread over the source.",
)
@click.option("--out", "outdir", type=PATH, required=True, help="Folder for the figures.")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="png", show_default=True, help="Kind of files.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def command(
    options: SourceOptions,
    density: str,
    settings: Sequence[str],
    ids: tuple[str, ...],
    sample: int,
    outdir: Path,
    kind: str,
    overwrite: bool,
) -> None:
    """Draw how a density comes about: photographs with their boxes, and over them what the estimator sees.

    Whole photographs are measured, as with `crowdgan label --region full`; images of crops are made by
    `crowdgan label --plot DIR`. An estimator that needs the dataset is fitted to all of the source.

    \b
    Examples:
      crowdgan plot density --source crowds --density grid --out figures
      crowdgan plot density --source crowds --density ground --set focal_mm35=28 --sample 4 --out figures
      crowdgan plot density --source crowds --density kde --ids 900000 --ids 900003 --out figures --format svg
    """
    plugins = installed_plugins()
    estimator = configure_estimator(plugins.density_estimators[density], parse_settings(settings))
    source, source_name = options.open_source(plugins)
    from crowdgan_plot.density.batch import DensityPlotSettings, plot_scenes
    from crowdgan_plot.density.estimate_figure import number

    read = options.read_settings()
    plot_settings = DensityPlotSettings(
        on_error=read.on_error,
        workers=read.workers,
        max_images=read.max_images,
        estimator=estimator,
        outdir=outdir,
        kind=kind,
        ids=ids,
        sample=sample,
        overwrite=overwrite,
    )
    with progress_bar() as progress:
        written, skipped = plot_scenes(source, source_name, plot_settings, progress)
    rows = []
    for item in written:
        value, index = item.density.value, item.density.class_index
        told = ["–", item.density.reason or ""] if value is None else [number(value), estimator.classes[index or 0]]
        rows.append([item.image, str(item.person_count), *told, str(item.path)])
    print_table(["image", "people", estimator.unit, "class", "file"], rows, left=("image", "class", "file"))
    print_skipped(skipped)
