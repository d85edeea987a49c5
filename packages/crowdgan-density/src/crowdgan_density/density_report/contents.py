"""Texts and tables of a density report."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from crowdgan_core.utils.formatting import NO_VALUE
from crowdgan_density.ground_plane.report import ImageReport
from crowdgan_density.level_of_service_scales import LevelOfServiceScale
from crowdgan_density.zones.zone_report import ZoneReport

METHOD = (
    "The camera is calibrated from the boxes of people, who are assumed to be 1.685 m tall on average, or it is given "
    "as a homography, as camera parameters, or as pixels per metre in two rows.",
    "The centre of the lower edge of a box is a position on the ground. People are in one group if they are linked by "
    "distances of up to 2.7 to 7 typical distances between neighbours; the density is the number of people over the "
    "area of the convex hulls of groups, corrected for people on the hull, averaged over these link distances.",
    "Local densities are inverse areas of Voronoi cells within 3 m (Steffen and Seyfried 2010); the peak is their 95th "
    "percentile over people.",
    "People occluded by nearer people are estimated from the fraction of ground that is occluded, and added; with a "
    "homography they are not.",
    "The 95 % interval includes the uncertainty of the camera, of the grouping, and of small numbers of people.",
)
"""Paragraphs on the method."""

ASSUMPTIONS = (
    "The ground is flat, and the camera is upright.",
    "Most people stand or walk; if all are seated, or all are children, densities are about half of the actual ones.",
    "Every person who is not occluded is annotated, with a box from the top of the head to the feet.",
    "The density of an image is a mean over occupied ground; single places can be much denser (peak and map).",
    "The result describes the moments of the images. It is not a safety assessment.",
)
"""Assumptions on which the densities depend."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    kind: str = ""
    """CSS class of the cells: empty for numbers, `text`, or `wide` for long text."""


def values_table_html(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls sideways on small screens."""
    classes = [f' class="{column.kind}"' if column.kind else "" for column in columns]
    head = "".join(f"<th{kind}>{html.escape(column.title)}</th>" for column, kind in zip(columns, classes, strict=True))
    lines = (
        "<tr>"
        + "".join(f"<td{kind}>{html.escape(cell)}</td>" for cell, kind in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    body = "\n".join(lines)
    return f'<div class="scroll"><table class="values">\n<tr>{head}</tr>\n{body}\n</table></div>'


def image_columns(scale: LevelOfServiceScale) -> list[Column]:
    """Columns of the table of images."""
    titles = ["people", "persons/m²", "95 % interval", "level", "peak, persons/m²", "level of peak"]
    above = [f"people above {bound:.3g}" for bound in scale.bounds_per_m2]
    return [
        Column(title="image", kind="text"),
        *(Column(title=title) for title in (*titles, *above)),
        Column(title="remarks", kind="wide"),
    ]


def image_row(report: ImageReport, scale: LevelOfServiceScale) -> list[str]:
    """Cells of an image."""
    remarks = "; ".join([*([f"unknown: {report.reason}"] if report.reason else []), *report.warnings])
    if report.density_per_m2 is None or report.interval_per_m2 is None or report.peak_per_m2 is None:
        return [report.image, str(report.person_count), *[NO_VALUE] * (5 + len(scale.bounds_per_m2)), remarks]
    low, high = report.interval_per_m2
    return [
        report.image,
        str(report.person_count),
        f"{report.density_per_m2:.2f}",
        f"{low:.2f} to {high:.2f}",
        report.level or "",
        f"{report.peak_per_m2:.2f}",
        report.peak_level or "",
        *(f"{fraction:.0%}" for fraction in report.fractions_above),
        remarks,
    ]


ZONE_COLUMNS = (
    Column(title="image", kind="text"),
    Column(title="zone", kind="text"),
    *(Column(title=title) for title in ("people", "area, m²", "visible", "persons/m²", "95 % interval", "level")),
    *(Column(title=title) for title in ("peak, persons/m²", "level of peak")),
    Column(title="remarks", kind="wide"),
)
"""Columns of the table of zones."""


def zone_row(report: ZoneReport) -> list[str]:
    """Cells of a zone in an image."""
    name, low_high = report.zone or NO_VALUE, report.interval_per_m2
    if report.density_per_m2 is None or low_high is None:
        return [report.image, name, *[NO_VALUE] * 8, f"unknown: {report.reason}"]
    has_peak = report.peak_per_m2 is not None
    return [
        *(report.image, name, str(report.person_count), f"{report.area_m2:.1f}", f"{report.visible_fraction:.0%}"),
        *(f"{report.density_per_m2:.2f}", f"{low_high[0]:.2f} to {low_high[1]:.2f}", report.level or ""),
        *(f"{report.peak_per_m2:.2f}" if has_peak else NO_VALUE, report.peak_level or "", ""),
    ]


def level_rows(reports: Sequence[ImageReport], scale: LevelOfServiceScale) -> list[list[str]]:
    """Cells of each level: name, persons/m², number of images with this level, and with a peak of this level."""
    edges = ["0", *(f"{bound:.3g}" for bound in scale.bounds_per_m2)]
    ranges = [f"{low} to {high}" for low, high in itertools.pairwise(edges)] + [f"above {edges[-1]}"]
    return [
        [
            name,
            text,
            str(sum(report.level == name for report in reports)),
            str(sum(report.peak_level == name for report in reports)),
        ]
        for name, text in zip(scale.classes, ranges, strict=True)
    ]


def summary_facts(reports: Sequence[ImageReport], scale: LevelOfServiceScale) -> list[tuple[str, str]]:
    """Name and value of the facts at the top: images, densities, highest peak and level."""
    known = [report for report in reports if report.density_per_m2 is not None and report.peak_per_m2 is not None]
    facts = [("images with a density", f"{len(known)} of {len(reports)}")]
    if known:
        densities = [report.density_per_m2 or 0.0 for report in known]
        highest = max(known, key=lambda report: report.peak_per_m2 or 0.0)
        facts += [
            ("persons/m², median over images", f"{median(densities):.2f}"),
            ("persons/m², densest image", f"{max(densities):.2f}"),
            (f"highest peak, level {highest.peak_level}: {highest.image}", f"{highest.peak_per_m2:.2f} persons/m²"),
        ]
    return [*facts, ("scale", scale.name)]
