"""`crowdgan density series`: density over time in frames of a fixed camera."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import describe_bounds, print_skipped, print_table, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_file_overwrite
from crowdgan_core.io.table_files import check_table_path, write_table
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import NO_VALUE, format_density, format_duration, merge_numbers
from crowdgan_density.cli.ground_options import settings_option
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import camera_warnings
from crowdgan_density.series.exceedance import SeriesSummary, summarise_series
from crowdgan_density.series.time_series import (
    SeriesPoint,
    density_series,
    fit_fixed_camera,
    frame_times,
    series_rows,
    sort_frames,
)
from crowdgan_density.table_columns import column_types
from crowdgan_density.zones.zone_selection import GROUPS, Grid, parse_zones

TIME_ABOVE = "time above,\npersons/m²"
"""Header of the column left of the times above class boundaries."""


@click.command("series")
@options_from(SourceOptions)
@options_from(ReadConfig)
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), help="Frames per second.")
@click.option(
    "--interval-s", type=click.FloatRange(min=0, min_open=True), help="Seconds between two frames, in place of --fps."
)
@click.option("--frame-numbers", is_flag=True, help="Compute times from the frame numbers at the end of image names.")
@settings_option
@click.option(
    "--zones",
    metavar="FILE|grid:METRES",
    help="GeoJSON file of zones, or grid on the ground; without it the occupied ground is measured.",
)
@click.option(
    "--smooth",
    "smooth_s",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Width of a moving median in seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Also write a table, one row per frame and zone: .csv, .json, .xlsx or .parquet.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite the table if it exists.")
def command(
    options: SourceOptions,
    read: ReadConfig,
    fps: float | None,
    interval_s: float | None,
    frame_numbers: bool,
    settings: Sequence[str],
    zones: str | None,
    smooth_s: float,
    as_json: bool,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Estimate persons/m² over time, in frames of a fixed camera.

    \b
    Examples:
      crowdgan density series --source station --fps 2 --out station.csv
      crowdgan density series --source station --interval-s 60 --zones gates.geojson
      crowdgan density series --source station --interval-s 60 --zones grid:5
      crowdgan density series --source video --fps 25 --frame-numbers --set homography=plan.json
      crowdgan plot series station.csv

    The camera is calibrated from the people of all frames, or given by `--set homography=FILE`. Frames are in the
    natural order of their names (`frame_9` before `frame_10`). Frames with unknown density are gaps, with the reason in
    the table. A warning names the first frame at which people's heights change as if the camera had moved. Zones are
    those of `crowdgan calibrate --zones`.
    """
    interval = _frame_interval_s(fps, interval_s)
    estimator = configure_estimator(GroundPlaneEstimator, parse_settings(settings))
    assert isinstance(estimator, GroundPlaneEstimator)
    if out is not None:
        check_table_path(out)
        check_file_overwrite(out, overwrite=overwrite)
    selection = None if zones is None else parse_zones(zones)
    if selection == GROUPS:
        raise ConfigError("--zones groups: groups change from frame to frame; use a file, or a grid such as grid:5")
    source, source_name = options.open_source(installed_plugins())
    with progress_bar() as progress:
        result = read_scenes(source, source_name, read, progress)
        scenes = sort_frames(result.scenes)
        times = frame_times(scenes, interval, numbered=frame_numbers)
        fitted = fit_fixed_camera(estimator, scenes)
        points = density_series(
            fitted, scenes, times, selection, smooth_s=smooth_s, workers=read.executor, progress=progress
        )
    summaries = summarise_series(points, fitted.class_bounds)
    if as_json:
        click.echo(json.dumps(_to_json(fitted, points, summaries), indent=2))
    else:
        _print(fitted, points, summaries, hide_empty=isinstance(selection, Grid))
    print_skipped(result.skipped)
    if result.skipped and not frame_numbers:
        click.echo("warning: later times are too early by the skipped frames; use --frame-numbers", err=True)
    moves = [point.warning for point in points if point.warning is not None]
    for warning in dict.fromkeys([*camera_warnings(fitted, scenes), *moves]):
        click.echo(printable(f"warning: {warning}"), err=True)
    if out is not None:
        rows = series_rows(points, fitted)
        write_table(rows, out, types=column_types(rows[0] if rows else ()), overwrite=overwrite)
        click.echo(printable(f"wrote {out}"), err=True)


def _frame_interval_s(fps: float | None, interval_s: float | None) -> float:
    """Time between two frames in seconds.

    Raises:
        ConfigError: neither or both options are given.
    """
    if fps is not None and interval_s is not None:
        raise ConfigError("--fps and --interval-s both give the time between two frames; remove one of them")
    if interval_s is not None:
        return interval_s
    if fps is None:
        raise ConfigError("the time between two frames is required: add --fps or --interval-s")
    return 1 / fps


def _to_json(
    estimator: GroundPlaneEstimator, points: Sequence[SeriesPoint], summaries: Sequence[SeriesSummary]
) -> dict[str, Any]:
    return {
        "scale": estimator.scale,
        "classes": list(estimator.classes),
        "class_bounds": list(estimator.class_bounds.values),
        "summary": [asdict(summary) for summary in summaries],
        "series": [asdict(point) for point in points],
    }


def _print(
    estimator: GroundPlaneEstimator,
    points: Sequence[SeriesPoint],
    summaries: Sequence[SeriesSummary],
    *,
    hide_empty: bool,
) -> None:
    """Prints the densities of each zone, the times above class boundaries, and the reasons of unknown densities.

    Args:
        estimator: the fitted estimator.
        points: points of the series.
        summaries: their summaries.
        hide_empty: whether zones without people in any frame are only counted.
    """
    bounds = estimator.class_bounds
    shown = [summary for summary in summaries if not hide_empty or summary.max_per_m2 != 0]
    print_table(
        ["zone", "frames", "mean", "max", "level of\nmax", "time of\nmax", "image of max"],
        [_density_cells(estimator, summary) for summary in shown],
        left=("zone", "image of max"),
    )
    if len(shown) < len(summaries):
        click.echo(f"not shown: {len(summaries) - len(shown)} squares without people in any frame")
    reached = [index for index, _ in enumerate(bounds.values) if any(s.seconds_above[index] for s in summaries)]
    if reached:
        headers = ["zone", TIME_ABOVE, *(f"{bounds.values[index]:.3g}" for index in reached)]
        crowded = [summary for summary in shown if any(summary.seconds_above)]
        rows = [cells for summary in crowded for cells in _time_cells(summary, reached)]
        print_table(headers, rows, left=("zone", TIME_ABOVE))
    click.echo(printable(describe_bounds(bounds, estimator.classes, estimator.unit)))
    if len(reached) < len(bounds.values) and any(summary.known_s for summary in summaries):
        click.echo(f"never above {bounds.values[len(reached)]:.3g} {estimator.unit}")
    merged = merge_numbers(point.reason for point in points if point.reason is not None)
    reasons = Counter(merged[point.reason] for point in points if point.reason is not None)
    for reason, count in reasons.items():
        click.echo(printable(f"unknown for {count} of {len(points)} rows: {reason}"))


def _density_cells(estimator: GroundPlaneEstimator, summary: SeriesSummary) -> list[str]:
    frames = f"{summary.num_known}/{summary.num_frames}"
    if summary.mean_per_m2 is None or summary.max_per_m2 is None:
        return [summary.zone, frames, *[NO_VALUE] * 5]
    return [
        *(summary.zone, frames, format_density(summary.mean_per_m2), format_density(summary.max_per_m2)),
        estimator.classes[estimator.class_index(summary.max_per_m2)],
        NO_VALUE if summary.max_time_s is None else format_duration(summary.max_time_s),
        summary.max_image or NO_VALUE,
    ]


def _time_cells(summary: SeriesSummary, reached: Sequence[int]) -> list[list[str]]:
    """Two rows of a zone: the total time, and the longest uninterrupted time, above each of some class boundaries."""
    times = {"total": summary.seconds_above, "longest": summary.longest_above_s}
    return [
        [
            summary.zone if name == "total" else "",
            name,
            *(format_duration(seconds[index]) if seconds[index] else NO_VALUE for index in reached),
        ]
        for name, seconds in times.items()
    ]
