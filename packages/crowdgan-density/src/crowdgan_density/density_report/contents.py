"""Texts and tables of a density report."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from statistics import median

from crowdgan_core.utils.formatting import NO_VALUE, format_density
from crowdgan_density.density_report.values_table import Column
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


MAX_REASONS = 3
"""Maximum number of reasons of unknown densities at the top; the table has all."""


INTERVAL_COLUMN = Column(title="95 % interval", kind="range")


def image_columns(scale: LevelOfServiceScale) -> list[Column]:
    """Columns of the table of images, the most important ones first."""
    above = [f"people above {bound:.3g}" for bound in scale.bounds_per_m2]
    return [
        Column(title="image", kind="text"),
        *(Column(title="people"), Column(title="persons/m²"), INTERVAL_COLUMN),
        *(Column(title=title) for title in ("level", "remarks", "peak, persons/m²", "level of peak", *above)),
    ]


def image_row(report: ImageReport, scale: LevelOfServiceScale, remarks: str) -> list[str]:
    """Cells of an image.

    Args:
        report: report of the image.
        scale: scale of the levels.
        remarks: numbers of its remarks.
    """
    start = [report.image, f"{report.person_count:,}"]
    if report.density_per_m2 is None or report.interval_per_m2 is None or report.peak_per_m2 is None:
        return [*start, *[NO_VALUE] * 3, remarks, *[NO_VALUE] * (2 + len(scale.bounds_per_m2))]
    return [
        *(*start, format_density(report.density_per_m2), _interval_text(report.interval_per_m2), report.level or ""),
        *(remarks, format_density(report.peak_per_m2), report.peak_level or ""),
        *(f"{fraction:.0%}" for fraction in report.fractions_above),
    ]


def image_remarks(report: ImageReport) -> list[str]:
    """The reason why the density of an image is unknown, and its warnings."""
    return [*([f"unknown: {report.reason}"] if report.reason else []), *report.warnings]


ZONE_COLUMNS = (
    *(Column(title="image", kind="text"), Column(title="zone", kind="text")),
    *(Column(title="persons/m²"), INTERVAL_COLUMN),
    *(Column(title=title) for title in ("level", "people", "remarks", "area, m²", "visible")),
    *(Column(title=title) for title in ("peak, persons/m²", "level of peak")),
)
"""Columns of the table of zones, the most important ones first."""


def zone_row(report: ZoneReport, remarks: str) -> list[str]:
    """Cells of a zone in an image.

    Args:
        report: report of the zone.
        remarks: numbers of its remarks.
    """
    name, interval = report.zone or NO_VALUE, report.interval_per_m2
    if report.density_per_m2 is None or interval is None:
        return [report.image, name, *[NO_VALUE] * 4, remarks, *[NO_VALUE] * 4]
    peak = NO_VALUE if report.peak_per_m2 is None else format_density(report.peak_per_m2)
    return [
        *(report.image, name, format_density(report.density_per_m2), _interval_text(interval)),
        *(report.level or "", str(report.person_count), remarks),
        *(f"{report.area_m2:.1f}", f"{report.visible_fraction:.0%}", peak, report.peak_level or ""),
    ]


def zone_remarks(report: ZoneReport) -> list[str]:
    """The reason why the density of a zone is unknown."""
    return [f"unknown: {report.reason}"] if report.reason else []


def unknown_texts(reports: Sequence[ImageReport]) -> list[str]:
    """Number of images with unknown density for each reason, the most frequent first."""
    reasons = Counter(report.reason for report in reports if report.reason is not None).most_common()
    texts = [f"density unknown for {count:,} of {len(reports):,} images: {reason}" for reason, count in reasons]
    further = sum(count for _, count in reasons[MAX_REASONS:])
    return texts[:MAX_REASONS] + ([f"density unknown for {further:,} more images: see the table"] if further else [])


def _interval_text(interval_per_m2: tuple[float, float]) -> str:
    low, high = interval_per_m2
    return f"{format_density(low)} to {format_density(high)}"


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


def count_facts(reports: Sequence[ImageReport]) -> dict[str, int]:
    """Number of images, of images with a density and with unknown density, and of people."""
    num_known = sum(report.density_per_m2 is not None for report in reports)
    return {
        "images": len(reports),
        "images with a density": num_known,
        "images with unknown density": len(reports) - num_known,
        "people": sum(report.person_count for report in reports),
    }


def summary_facts(reports: Sequence[ImageReport], scale: LevelOfServiceScale) -> list[tuple[str, str]]:
    """Name and value of the facts at the top: counts, densities, highest peak and level."""
    facts = [(name, f"{count:,}") for name, count in count_facts(reports).items()]
    known = [report for report in reports if report.density_per_m2 is not None and report.peak_per_m2 is not None]
    if known:
        densities = [report.density_per_m2 or 0.0 for report in known]
        highest = max(known, key=lambda report: report.peak_per_m2 or 0.0)
        facts += [
            ("persons/m², median over images", format_density(median(densities))),
            ("persons/m², densest image", format_density(max(densities))),
            (f"persons/m², highest peak, level {highest.peak_level}", format_density(highest.peak_per_m2 or 0.0)),
        ]
    return [*facts, ("scale", scale.name)]
