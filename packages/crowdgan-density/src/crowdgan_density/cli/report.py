"""`crowdgan report`: HTML report of the densities of a source."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import print_skipped, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.html_page import check_html_path
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import count_and_list
from crowdgan_density.cli.ground_options import settings_option, zones_option
from crowdgan_density.density_report.contents import count_facts, unknown_texts
from crowdgan_density.density_report.page import DensityReport, densest_images, draw_figures, render_density_report
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import camera_warnings, report_scenes, report_shared_camera
from crowdgan_density.zones.zone_report import report_zones
from crowdgan_density.zones.zone_selection import parse_zones


@click.command("report")
@options_from(SourceOptions)
@options_from(ReadConfig)
@settings_option
@click.option(
    "--out", type=click.Path(path_type=Path), default="report.html", show_default=True, help="Output file (.html)."
)
@click.option(
    "--maps",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="Maximum number of density maps, of the densest images.",
)
@zones_option
@click.option("--title", help="Title of the page.  [default: name of the source]")
@click.option("--overwrite", is_flag=True, help="Overwrite the file if it exists.")
def command(
    options: SourceOptions,
    read: ReadConfig,
    settings: Sequence[str],
    out: Path,
    maps: int,
    zones: str | None,
    title: str | None,
    overwrite: bool,
) -> None:
    """Write a self-contained HTML report of the densities of a source.

    The report has levels of service, density maps of the densest images, a table with one row per image, the method,
    its assumptions, and warnings. Maps need crowdgan-plot.

    \b
    Examples:
      crowdgan report --source station
      crowdgan report --source station --set shared_camera=true --set scale=crowd-safety --out station.html
      crowdgan report --source station --zones gates.geojson --out gates.html
    """
    plugins = installed_plugins()
    estimator = configure_estimator(GroundPlaneEstimator, parse_settings(settings))
    assert isinstance(estimator, GroundPlaneEstimator)
    check_html_path(out, overwrite=overwrite)
    selection = None if zones is None else parse_zones(zones)
    source, source_name = options.open_source(plugins)
    plotters = list(plugins.scene_plotters.values())
    notes = [] if plotters or not maps else ["no density maps: they need crowdgan-plot (pip install crowdgan-plot)"]
    with progress_bar() as progress:
        result = read_scenes(source, source_name, read, progress)
        fitted = estimator.fit(result.scenes)
        reports = report_scenes(fitted, result.scenes, workers=read.executor, progress=progress)
        zone_reports = []
        if selection is not None:
            zone_reports = report_zones(fitted, result.scenes, selection, workers=read.executor, progress=progress)
        names = densest_images(reports, maps) if plotters else []
        images = [image for image in itertools.islice(source, read.max_images) if image.source_name in names]
        figures = draw_figures(images, fitted, plotters[0], workers=read.executor, progress=progress) if images else []
    notes += [count_and_list(reason, skipped) for reason, skipped in result.skipped.items() if skipped]
    report = DensityReport(
        title=title or ", ".join(path.resolve().name for path in options.paths),
        estimator=fitted,
        reports=reports,
        zone_reports=zone_reports,
        shared_camera=report_shared_camera(fitted, result.scenes),
        warnings=camera_warnings(fitted, result.scenes),
        settings=[("source", source_name), *parse_settings(settings).items()],
        figures=sorted(figures, key=lambda figure: names.index(figure[0])),
        notes=notes,
    )
    write_bytes(out, render_density_report(report).encode("utf-8"), overwrite=overwrite)
    click.echo(", ".join(f"{name}: {count:,}" for name, count in count_facts(reports).items()))
    for text in unknown_texts(reports):
        click.echo(printable(text))
    print_skipped(result.skipped)
    for warning in report.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    click.echo(printable(f"wrote {out}"), err=True)
