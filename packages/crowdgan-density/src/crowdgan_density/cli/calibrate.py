"""`crowdgan calibrate`: the cameras, densities and levels of images, to look at before labelling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from crowdgan_core.cli.common.output import print_skipped, print_table, printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.cli.common.source_options import SourceOptions, parse_settings, source_options
from crowdgan_core.density.options import configure_estimator
from crowdgan_core.pipeline.reading import read_scenes
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import CameraReport, ImageReport, report_scenes, shared_camera

CAMERA_HEADERS = ["height\nm", "pitch\n°", "focal\npx"]
HEADERS = ["resi-\ndual", "persons\nper m²", "interval", "peak"]
NOTHING = "–"


@click.command("calibrate")
@source_options()
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Option of the estimator `ground`; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(options: SourceOptions, settings: Sequence[str], as_json: bool) -> None:
    """Show what people's boxes tell of each image: the camera, persons/m², the peak, and the level of service.

    \b
    Examples:
      crowdgan calibrate --source crowds
      crowdgan calibrate --source crowds --set focal_mm35=28 --set scale=crowd-safety
      crowdgan calibrate --source station --set shared_camera=true --json

    It measures whole photographs as `--density ground` does; `crowdgan density ground` lists the options.
    """
    ground = configure_estimator(GroundPlaneEstimator, parse_settings(settings))
    assert isinstance(ground, GroundPlaneEstimator)
    source, source_name = options.open_source(installed_plugins())
    read_settings = options.read_settings()
    with progress_bar() as progress:
        reading = read_scenes(source, source_name, read_settings, progress)
        fitted = ground.fit(reading.scenes)
        shared = shared_camera(fitted, reading.scenes)
        reports = report_scenes(fitted, reading.scenes, workers=read_settings.workers, progress=progress)
    if as_json:
        click.echo(json.dumps(_as_json(fitted, shared, reports), indent=2))
    else:
        _print(fitted, shared, reports)
    print_skipped(reading.skipped)


def _as_json(
    ground: GroundPlaneEstimator, shared: CameraReport | None, reports: Sequence[ImageReport]
) -> dict[str, Any]:
    return {
        "scale": ground.scale,
        "classes": list(ground.classes),
        "shared_camera": asdict(shared) if shared is not None else None,
        "pictures": [asdict(report) for report in reports],
    }


def _print(ground: GroundPlaneEstimator, shared: CameraReport | None, reports: Sequence[ImageReport]) -> None:
    reasons = list(dict.fromkeys(report.reason for report in reports if report.reason is not None))
    own_cameras = shared is None
    headers = ["image", "people", *(CAMERA_HEADERS if own_cameras else []), *HEADERS, "level"]
    rows = [
        [
            report.image,
            str(report.person_count),
            *(_camera_cells(report.camera) if own_cameras else []),
            *_density_cells(report),
            f"({reasons.index(report.reason) + 1})" if report.reason is not None else report.level or "",
        ]
        for report in reports
    ]
    print_table(headers, rows, left=("image",))
    if shared is not None:
        height, pitch, focal = _camera_cells(shared)
        click.echo(f"one camera: {height} m high, pitched {pitch}° down, {focal} px, residual {shared.residual:.1%}")
    told = len(reports) - sum(report.reason is not None for report in reports)
    click.echo(printable(f"told: {told} of {len(reports)}; levels: {ground.scale} ({', '.join(ground.classes)})"))
    if any(camera is not None and not camera.focal_length_known for camera in (shared, *(r.camera for r in reports))):
        click.echo("~ nothing tells the focal length: the most probable from 24 to 50 mm, all of them in the interval")
    for number, reason in enumerate(reasons, 1):
        click.echo(printable(f"({number}) cannot tell: {reason}"))


def _camera_cells(camera: CameraReport | None) -> list[str]:
    if camera is None:
        return [NOTHING] * 3
    sign = "" if camera.focal_length_known else "~"
    return [f"{camera.height_m:.1f}", f"{camera.pitch_deg:.1f}", f"{sign}{camera.focal_length_px:.0f}"]


def _density_cells(report: ImageReport) -> list[str]:
    if report.density_per_m2 is None or report.interval_per_m2 is None or report.peak_per_m2 is None:
        return [NOTHING] * 4
    low, high = report.interval_per_m2
    residual = NOTHING if report.camera is None else f"{report.camera.residual:.1%}"
    return [residual, f"{report.density_per_m2:.2f}", f"{low:.2f}–{high:.2f}", f"{report.peak_per_m2:.2f}"]
