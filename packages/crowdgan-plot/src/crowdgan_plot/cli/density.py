"""`crowdgan plot density`: overlays of density estimates on images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import print_skipped, print_table
from crowdgan_core.cli.common.param_types import EstimatorName
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.pipeline.reading import ReadConfig
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import NO_VALUE
from crowdgan_plot.cli.options import PATH
from crowdgan_plot.output import DEFAULT_SAMPLE, FIGURE_FORMATS, FigureFormat, import_matplotlib

if TYPE_CHECKING:
    from crowdgan_core.density.estimator import DensityEstimator
    from crowdgan_plot.density.batch import ScenePlot


@click.command("density")
@options_from(SourceOptions)
@options_from(ReadConfig)
@click.option("--density", type=EstimatorName(), required=True, help="Density estimator; see `crowdgan density`.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Estimator option (repeatable).")
@click.option("--ids", multiple=True, metavar="NAME", help="Image name or unique prefix (repeatable).")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=DEFAULT_SAMPLE,
    show_default=True,
    help="Number of images, evenly spaced over the source, without --ids.",
)
@click.option("--out", "outdir", type=PATH, required=True, help="Output folder.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FIGURE_FORMATS),
    default="png",
    show_default=True,
    help="Figure format.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite existing files.")
def command(
    options: SourceOptions,
    read: ReadConfig,
    density: str,
    settings: Sequence[str],
    ids: tuple[str, ...],
    sample: int,
    outdir: Path,
    file_format: FigureFormat,
    overwrite: bool,
) -> None:
    """Plot annotated images with the density estimate as an overlay.

    Each figure fills a 16:9 slide. `ground` and `voronoi` have the colours of the levels of service of their scale.

    Full images are measured, as with `crowdgan label --region full`; for the crops that a network is trained on, use
    `crowdgan label --plot DIR`. An estimator that depends on the dataset is fitted to all images of the source.

    \b
    Examples:
      crowdgan plot density --source crowds --density grid --out figures
      crowdgan plot density --source crowds --density ground --set scale=crowd-safety --out figures
      crowdgan plot density --source crowds --density ground --set focal_mm35=28 --sample 4 --out figures
      crowdgan plot density --source crowds --density kde --ids 900000 --ids 900003 --out figures --format svg
    """
    plugins = installed_plugins()
    estimator = configure_estimator(plugins.density_estimators[density], parse_settings(settings))
    source, source_name = options.open_source(plugins)
    import_matplotlib()
    from crowdgan_plot.density.batch import plot_scenes

    with progress_bar() as progress:
        plots = plot_scenes(
            source,
            estimator,
            outdir,
            sample,
            ids=ids,
            file_format=file_format,
            overwrite=overwrite,
            read=read,
            source_name=source_name,
            progress=progress,
        )
    rows = [_table_row(plot, estimator) for plot in plots.written]
    print_table(["image", "people", estimator.unit, "class", "file"], rows, left=("image", "class", "file"))
    print_skipped(plots.skipped)


def _table_row(plot: ScenePlot, estimator: DensityEstimator) -> list[str]:
    from crowdgan_plot.density.estimate_header import format_value

    estimate = plot.estimate
    if estimate.value is None or estimate.class_index is None:
        density = [NO_VALUE, f"unknown: {estimate.reason}"]
    else:
        density = [format_value(estimate.value, estimate.unit), estimator.classes[estimate.class_index]]
    return [plot.image, str(plot.person_count), *density, str(plot.path)]
