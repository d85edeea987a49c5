"""`crowdgan calibrate`: camera, density and level of service of each image, to check before labelling."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.dataclass_options import options_from
from crowdgan_core.cli.common.output import describe_bounds, print_skipped, print_table, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.io.atomic import check_file_overwrite
from crowdgan_core.io.table_files import check_table_path, write_table
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import NO_VALUE, format_density, merge_numbers
from crowdgan_density.cli.ground_options import settings_option, zones_option
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import (
    CameraReport,
    ImageReport,
    camera_warnings,
    report_rows,
    report_scenes,
    report_shared_camera,
)
from crowdgan_density.table_columns import column_types
from crowdgan_density.zones.zone_report import ZoneReport, report_zones, zone_rows
from crowdgan_density.zones.zone_selection import Grid, parse_zones

CAMERA_HEADERS = ["height\nm", "pitch\n°", "focal\npx"]
DENSITY_HEADERS = ["resi-\ndual", "persons\nper m²", "interval", "peak"]
LEVEL_HEADERS = ["level", "level of\npeak"]
ZONE_HEADERS = ["image", "zone", "people", "area\nm²", "visible", "persons\nper m²", "interval", "Voronoi", "peak"]
ZONE_HEADERS += ["level /\nof peak"]


@click.command("calibrate")
@options_from(SourceOptions)
@options_from(ReadConfig)
@settings_option
@zones_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Also write a table, one row per image (and zone): .csv, .json, .xlsx or .parquet.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite the table if it exists.")
def command(
    options: SourceOptions,
    read: ReadConfig,
    settings: Sequence[str],
    zones: str | None,
    as_json: bool,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Estimate camera, persons/m², peak and level of service of each image.

    \b
    Examples:
      crowdgan calibrate --source crowds
      crowdgan calibrate --source crowds --set focal_mm35=28 --set scale=crowd-safety
      crowdgan calibrate --source station --set shared_camera=true --json
      crowdgan calibrate --source station --out densities.csv
      crowdgan calibrate --source station --zones gates.geojson --out gates.csv
      crowdgan calibrate --source station --zones grid:5 --out grid.csv

    Full images are measured, as with `--density ground`; `crowdgan density ground` lists the options. The peak is the
    95th percentile of people's local densities; its level can be higher than that of the mean. The table also has the
    fraction of the people whose local density is above each class boundary.

    Zones are polygons with the property "name" in a GeoJSON file, in pixels of the image, or in metres on the ground
    with "unit": "metres"; or the groups of people of each image; or squares of this side on the visible ground. The
    density of a zone is the number of people with their feet in it over its visible area.
    """
    estimator = configure_estimator(GroundPlaneEstimator, parse_settings(settings))
    assert isinstance(estimator, GroundPlaneEstimator)
    if out is not None:
        check_table_path(out)
        check_file_overwrite(out, overwrite=overwrite)
    selection = parse_zones(zones) if zones is not None else None
    source, source_name = options.open_source(installed_plugins())
    with progress_bar() as progress:
        result = read_scenes(source, source_name, read, progress)
        fitted = estimator.fit(result.scenes)
        shared = report_shared_camera(fitted, result.scenes)
        reports = report_scenes(fitted, result.scenes, workers=read.executor, progress=progress)
        zone_reports = None
        if selection is not None:
            zone_reports = report_zones(fitted, result.scenes, selection, workers=read.executor, progress=progress)
    warnings = camera_warnings(fitted, result.scenes)
    if as_json:
        click.echo(json.dumps(_to_json(fitted, shared, reports, warnings, zone_reports), indent=2))
    else:
        _print(fitted, shared, reports, warnings)
        if zone_reports is not None:
            _print_zones(zone_reports, hide_empty=isinstance(selection, Grid))
    print_skipped(result.skipped)
    if out is not None:
        bounds = fitted.class_bounds.values
        rows = report_rows(reports, bounds) if zone_reports is None else zone_rows(zone_reports, bounds)
        write_table(rows, out, types=column_types(rows[0] if rows else ()), overwrite=overwrite)
        click.echo(printable(f"wrote {out}"), err=True)


def _to_json(
    estimator: GroundPlaneEstimator,
    shared: CameraReport | None,
    reports: Sequence[ImageReport],
    warnings: Sequence[str],
    zone_reports: Sequence[ZoneReport] | None,
) -> dict[str, Any]:
    zones = {} if zone_reports is None else {"zones": [asdict(report) for report in zone_reports]}
    return {
        "scale": estimator.scale,
        "classes": list(estimator.classes),
        "shared_camera": asdict(shared) if shared is not None else None,
        "pictures": [asdict(report) for report in reports],
        "warnings": list(warnings),
        **zones,
    }


def _print(
    estimator: GroundPlaneEstimator,
    shared: CameraReport | None,
    reports: Sequence[ImageReport],
    warnings: Sequence[str],
) -> None:
    merged = merge_numbers(note for report in reports for note in _notes(report))
    notes = list(dict.fromkeys(merged.values()))
    has_camera_columns = shared is None
    headers = ["image", "people", *(CAMERA_HEADERS if has_camera_columns else []), *DENSITY_HEADERS, *LEVEL_HEADERS]
    rows = [
        [
            report.image,
            str(report.person_count),
            *(_camera_cells(report.camera) if has_camera_columns else []),
            *_density_cells(report),
            *_level_cells(report, [notes.index(merged[note]) + 1 for note in _notes(report)]),
        ]
        for report in reports
    ]
    print_table(headers, rows, left=("image",))
    if shared is not None:
        height, pitch, focal = _camera_cells(shared)
        click.echo(f"shared camera: {height} m high, {pitch}° down, {focal} px, residual {_residual_cell(shared)}")
    num_estimated = sum(report.reason is None for report in reports)
    bounds = describe_bounds(estimator.class_bounds, estimator.classes, estimator.unit)
    click.echo(printable(f"estimated: {num_estimated} of {len(reports)}; {bounds}"))
    if any(camera is not None and not camera.focal_length_known for camera in (shared, *(r.camera for r in reports))):
        click.echo("~ focal length unknown: the most probable from 24 to 50 mm; the interval covers this range")
    for number, note in enumerate(notes, 1):
        click.echo(printable(f"({number}) {note}"))
    for warning in warnings:
        click.echo(printable(f"warning: {warning}"), err=True)


def _print_zones(reports: Sequence[ZoneReport], *, hide_empty: bool) -> None:
    """Prints one row per zone and image.

    Args:
        reports: reports of the zones.
        hide_empty: whether zones without people are only counted.
    """
    merged = merge_numbers(report.reason for report in reports if report.reason is not None)
    reasons = list(dict.fromkeys(merged.values()))
    shown = [report for report in reports if not (hide_empty and report.person_count == 0)]
    print_table(ZONE_HEADERS, [_zone_cells(report, reasons, merged) for report in shown], left=("image", "zone"))
    if len(shown) < len(reports):
        click.echo(f"{len(reports) - len(shown)} squares without people are not shown; --out writes all")
    for number, reason in enumerate(reasons, 1):
        click.echo(printable(f"({number}) unknown: {reason}"))


def _zone_cells(report: ZoneReport, reasons: Sequence[str], merged: Mapping[str, str]) -> list[str]:
    name = report.zone or NO_VALUE
    if report.reason is not None:
        return [report.image, name, *[NO_VALUE] * 7, f"({reasons.index(merged[report.reason]) + 1})"]
    assert report.density_per_m2 is not None
    assert report.interval_per_m2 is not None
    low, high = report.interval_per_m2
    return [
        *(report.image, name, str(report.person_count), f"{report.area_m2:.1f}", f"{report.visible_fraction:.0%}"),
        *(format_density(report.density_per_m2), f"{format_density(low)}–{format_density(high)}"),
        *(_number(report.voronoi_density_per_m2), _number(report.peak_per_m2)),
        f"{report.level}{f' / {report.peak_level}' if report.peak_level else ''}",
    ]


def _number(value: float | None) -> str:
    return NO_VALUE if value is None else format_density(value)


def _camera_cells(camera: CameraReport | None) -> list[str]:
    if camera is None:
        return [NO_VALUE] * 3
    sign = "" if camera.focal_length_known else "~"
    return [f"{camera.height_m:.1f}", f"{camera.pitch_deg:.1f}", f"{sign}{camera.focal_length_px:.0f}"]


def _residual_cell(camera: CameraReport | None) -> str:
    return NO_VALUE if camera is None or camera.residual is None else f"{camera.residual:.1%}"


def _notes(report: ImageReport) -> list[str]:
    """Reason why the density is unknown, and warnings, as printed below the table."""
    reason = [] if report.reason is None else [f"unknown: {report.reason}"]
    return reason + [f"warning: {warning}" for warning in report.warnings]


def _level_cells(report: ImageReport, note_numbers: Sequence[int]) -> list[str]:
    """Levels of the density and of the peak, and the numbers of notes."""
    numbers = "".join(f" ({number})" for number in note_numbers)
    return [report.level or "", f"{report.peak_level or ''}{numbers}".strip()]


def _density_cells(report: ImageReport) -> list[str]:
    if report.density_per_m2 is None or report.interval_per_m2 is None or report.peak_per_m2 is None:
        return [NO_VALUE] * 4
    low, high = report.interval_per_m2
    return [
        _residual_cell(report.camera),
        format_density(report.density_per_m2),
        f"{format_density(low)}–{format_density(high)}",
        format_density(report.peak_per_m2),
    ]
