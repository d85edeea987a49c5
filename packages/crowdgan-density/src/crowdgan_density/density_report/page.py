"""HTML page of a density report: maps, tables, method, assumptions and warnings, in one self-contained file."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files

import numpy as np
from PIL import Image

from crowdgan_core.hookspecs import ScenePlotter
from crowdgan_core.io.html_page import facts_table_html, image_html, notes_html, render_page
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.pipeline.image_job import load_scene
from crowdgan_core.sources.base import AnnotatedImage
from crowdgan_core.utils.parallel import Workers, parallel_list
from crowdgan_core.utils.plugin_calls import plugin_call
from crowdgan_core.utils.progress import Progress
from crowdgan_density.density_report.contents import (
    ASSUMPTIONS,
    METHOD,
    ZONE_COLUMNS,
    image_columns,
    image_remarks,
    image_row,
    level_rows,
    summary_facts,
    unknown_texts,
    zone_remarks,
    zone_row,
)
from crowdgan_density.density_report.values_table import HINT, Column, Remarks, values_table_html
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import CameraReport, ImageReport
from crowdgan_density.level_of_service_scales import LevelOfServiceScale, parse_scale
from crowdgan_density.zones.zone_report import ZoneReport

FIGURE_QUALITY = 85
"""Quality of figures in a page, on Pillow's scale for WebP."""

MAX_ROWS = 500
"""Maximum number of rows of a table in a page; tables of `crowdgan calibrate --out` have all."""


@dataclass(frozen=True, kw_only=True)
class DensityReport:
    """Contents of a density report."""

    title: str
    """Title of the page, for example the name of the source."""
    estimator: GroundPlaneEstimator
    """The fitted estimator."""
    reports: Sequence[ImageReport]
    """Report of each image."""
    zone_reports: Sequence[ZoneReport] = ()
    """Report of each zone in each image."""
    shared_camera: CameraReport | None = None
    """Camera of all images; None if each has its own."""
    warnings: Sequence[str] = ()
    """Reasons to distrust the cameras of all images."""
    settings: Sequence[tuple[str, str]] = ()
    """Names and values of the options."""
    figures: Sequence[tuple[str, bytes]] = ()
    """Name of the image and WebP file of each figure."""
    notes: Sequence[str] = ()
    """Notes at the end, for example on skipped images."""

    @property
    def has_density(self) -> bool:
        """Whether the density of an image or a zone is known."""
        densities = [item.density_per_m2 for item in self.reports] + [item.density_per_m2 for item in self.zone_reports]
        return any(density is not None for density in densities)


def render_density_report(report: DensityReport) -> str:
    """HTML of the page of a report."""
    scale = parse_scale(report.estimator.scale)
    notes = [*report.notes, f"written by crowdgan-density {version('crowdgan-density')}"]
    if len(report.reports) > MAX_ROWS:
        notes.insert(0, f"the table has the first {MAX_ROWS} of {len(report.reports)} images")
    if len(report.zone_reports) > MAX_ROWS:
        notes.insert(0, f"the table of zones has the first {MAX_ROWS} of {len(report.zone_reports)} rows")
    content = [
        _unknown_html(report),
        _warnings_html(report),
        *_levels_html(report.reports, scale),
        *_figures_html(report.figures),
        *_zones_html(report.zone_reports[:MAX_ROWS]),
        *_images_html(report.reports[:MAX_ROWS], scale),
        *_list_html("Method", METHOD),
        *_list_html("Assumptions", ASSUMPTIONS),
        "<h2>Camera and options</h2>",
        facts_table_html([*_camera_rows(report), *report.settings]),
        notes_html(notes),
    ]
    style = files("crowdgan_density.density_report").joinpath("page.css").read_text(encoding="utf-8")
    return render_page(report.title, summary_facts(report.reports, scale), "\n".join(content), style=style)


def densest_images(reports: Sequence[ImageReport], count: int) -> list[str]:
    """Names of the images with the highest densities, at most `count`, the densest first."""
    known = [report for report in reports if report.density_per_m2 is not None]
    return [report.image for report in sorted(known, key=lambda item: -(item.density_per_m2 or 0.0))[:count]]


def draw_figures(
    images: Sequence[AnnotatedImage],
    estimator: GroundPlaneEstimator,
    plotter: ScenePlotter,
    *,
    workers: Workers = 1,
    progress: Progress | None = None,
) -> list[tuple[str, bytes]]:
    """Name and WebP file of the density map of each image.

    Args:
        images: images of a source.
        estimator: fitted already.
        plotter: draws the maps.
        workers: number of worker processes, or another executor.
        progress: receives one step per image.

    Raises:
        DatasetError: an image cannot be read.
    """
    draw = partial(_draw, estimator, plotter)
    figures = parallel_list(draw, images, "drawing maps", workers=workers, progress=progress)
    return [(image.source_name, figure) for image, figure in zip(images, figures, strict=True)]


def _draw(estimator: GroundPlaneEstimator, plotter: ScenePlotter, image: AnnotatedImage) -> bytes:
    scene, stored = load_scene(image)
    pixels = np.asarray(to_upright_rgb(stored, image.image.where))
    with plugin_call("scene plotter", plotter, f"image {image.source_name}"):
        png = plotter.draw(pixels, scene, estimator, estimator.estimate(scene))
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "WEBP", quality=FIGURE_QUALITY)
    return file.getvalue()


def _unknown_html(report: DensityReport) -> str:
    """A box that says that no density is known, and the reasons; empty if one is known."""
    if report.has_density:
        return ""
    items = _items_html(unknown_texts(report.reports))
    title = "No density could be estimated, so this report has no densities and no levels of service."
    return f'<div class="unknown" role="alert"><p><strong>{title}</strong></p><ul>{items}</ul></div>'


def _warnings_html(report: DensityReport) -> str:
    warned = [item for item in report.reports if item.warnings]
    texts = [*report.warnings, *(unknown_texts(report.reports) if report.has_density else [])]
    if warned:
        texts.append(f"{len(warned)} of {len(report.reports)} images have warnings; see the remarks in the table")
    if any(item.camera is not None and not item.camera.focal_length_known for item in report.reports):
        texts.append("the focal length is unknown: intervals cover 35 mm equivalents of 24 to 50 mm")
    return f'<ul class="warnings">{_items_html(texts)}</ul>' if texts else ""


def _levels_html(reports: Sequence[ImageReport], scale: LevelOfServiceScale) -> list[str]:
    """The number of images per level; empty if no density is known."""
    if all(report.density_per_m2 is None for report in reports):
        return []
    columns = [
        Column(title="level", kind="text"),
        *(Column(title=title) for title in ("persons/m²", "images", "peaks")),
    ]
    return [
        "<h2>Levels of service</h2>",
        f"<p>Scale {html.escape(scale.name)}: {html.escape(scale.source)}. The number of images with this level of the "
        "mean density, and of the peak.</p>",
        f'<div class="levels">{values_table_html(columns, level_rows(reports, scale))}</div>',
    ]


def _images_html(reports: Sequence[ImageReport], scale: LevelOfServiceScale) -> list[str]:
    remarks = Remarks(map(image_remarks, reports))
    rows = (image_row(report, scale, remarks.cell(image_remarks(report))) for report in reports)
    return [
        "<h2>Images</h2>",
        "<p>Persons/m² on occupied ground; the peak is the 95th percentile of people's local densities. "
        "The last columns have the fraction of the people whose local density is above a level's boundary.</p>",
        f'<p class="hint">{HINT}</p>',
        values_table_html(image_columns(scale), rows),
        remarks.html(),
    ]


def _figures_html(figures: Sequence[tuple[str, bytes]]) -> list[str]:
    if not figures:
        return []
    elements = [f"<figure>{image_html(name, data, 'webp', ' loading=lazy')}</figure>" for name, data in figures]
    return ["<h2>Densest images</h2>", f'<div class="figures">{"".join(elements)}</div>']


def _zones_html(reports: Sequence[ZoneReport]) -> list[str]:
    if not reports:
        return []
    remarks = Remarks(map(zone_remarks, reports))
    rows = (zone_row(report, remarks.cell(zone_remarks(report))) for report in reports)
    return [
        "<h2>Zones</h2>",
        "<p>The density of a zone is the number of people with their feet in it over its visible area.</p>",
        f'<p class="hint">{HINT}</p>',
        values_table_html(ZONE_COLUMNS, rows),
        remarks.html(),
    ]


def _list_html(title: str, texts: Sequence[str]) -> list[str]:
    return [f"<h2>{title}</h2>", f"<ul>{_items_html(texts)}</ul>"]


def _items_html(texts: Sequence[str]) -> str:
    return "".join(f"<li>{html.escape(text)}</li>" for text in texts)


def _camera_rows(report: DensityReport) -> list[tuple[str, str]]:
    if report.estimator.homography is not None:
        return [("projection", f"homography {report.estimator.homography.name}")]
    if report.shared_camera is not None:
        return [("camera of all images", _describe_camera(report.shared_camera))]
    cameras = [item.camera for item in report.reports if item.camera is not None]
    if not cameras:
        return []
    heights = _range_text(f"{camera.height_m:.1f}" for camera in sorted(cameras, key=lambda item: item.height_m))
    pitches = _range_text(f"{camera.pitch_deg:.0f}°" for camera in sorted(cameras, key=lambda item: item.pitch_deg))
    return [
        ("cameras, one per image", str(len(cameras))),
        ("camera height", f"{heights} m"),
        ("camera pitch", f"{pitches} below the horizontal"),
    ]


def _range_text(increasing: Iterable[str]) -> str:
    """First and last of increasing values, or one value if these are equal."""
    first, *_, last = [*increasing] * 2
    return first if first == last else f"{first} to {last}"


def _describe_camera(camera: CameraReport) -> str:
    focal = f"focal length {camera.focal_length_px:.0f} px{'' if camera.focal_length_known else ' (most probable)'}"
    residual = "" if camera.residual is None else f", residual of people's heights {camera.residual:.1%}"
    return f"{camera.height_m:.1f} m high, {camera.pitch_deg:.1f}° below the horizontal, {focal}{residual}"
