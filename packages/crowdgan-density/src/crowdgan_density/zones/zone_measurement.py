"""Density in zones of an image: the people whose feet are in a zone over its area.

This is the density of a moment, so the interval contains no sampling variation, but the uncertainty of the measurement:

- of the camera: area and people of the zone for equally probable projections;
- of the boxes: a person is in the zone with the probability Φ(d), where d is the distance of the feet to the outline in
  the image, negative outside, and the unit of each axis is the standard deviation of the feet along it;
- of people who are not annotated because nearer people occlude them: their fraction is that of the whole image, which
  differs from that of the zone. Given the number of annotated people in the zone, their number has a negative binomial
  distribution, which is not certain for a zone without annotated people either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points
from crowdgan_core.utils.clipping import intersect_convex
from crowdgan_density.ground_plane.calibration import BOX_SD
from crowdgan_density.ground_plane.groups import RELATIVE_SAMPLING_SD, group_hull, hull_density
from crowdgan_density.ground_plane.measurement import (
    INTERVAL_QUANTILES,
    GroundMeasurement,
    interval_of_part,
    people_per_annotation,
)
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView, visible_ground
from crowdgan_density.ground_plane.voronoi_cells import (
    CUTOFF_M,
    PEAK_QUANTILE,
    local_densities_per_m2,
    voronoi_cells,
)
from crowdgan_density.zones.simple_polygons import is_inside, outline_distances
from crowdgan_density.zones.zone_files import Zone
from crowdgan_density.zones.zone_placement import MIN_VISIBLE_FRACTION, PlacedZone, place_zone

FEET_SDS = (0.07, BOX_SD / math.sqrt(2))
"""Standard deviations of the feet by the box in x and y, as fractions of the height of the box. In y it is the error of
one edge. In x the feet are assumed below the middle of the box, ours: synthetic people, who stretch arms and legs, are
beside it by 0.03 at pitches below 14° and 0.07 at 20 to 28°."""

MAX_SDS = 5.0
"""Distance from the outline in standard deviations from which it is certain whether a person is in the zone."""

OCCLUSION_SD = 1.0
"""Relative standard deviation of the expected number of occluded people in a zone, ours: zones differ from the image,
whose mean is used."""

MIN_OCCLUDED_FRACTION = 0.03
"""Minimum number of occluded people per annotated person in the interval, ours: with a homography it is unknown; in 200
synthetic scenes it is 0.01 in sparse and 0.05 in dense zones."""

NORMAL_QUANTILES = np.array([NormalDist().inv_cdf((number + 0.5) / 101) for number in range(101)])
"""Values that represent equal fractions of a standard normal distribution."""

MAX_AREA_RATIO = 8.0
"""Ratio of the largest to the smallest area of a zone, over the projections, above which its density is unknown."""

SAME_POSITION_M = 1e-6
"""Distance up to which positions are those of the same person."""

TOO_LITTLE_VISIBLE = f"less than {MIN_VISIBLE_FRACTION:.0%} of the zone is visible in the image"

UNCERTAIN_AREA = "the boxes do not constrain the area of the zone"


@dataclass(frozen=True, kw_only=True, eq=False)
class ZoneMeasurement:
    """People, area and density of one zone in one image."""

    person_count: int
    """Annotated people with their feet in the zone."""
    corrected_count: float
    """People in the zone, including occluded people who are not annotated."""
    area_m2: float
    """Area of the visible part of the zone on the ground in m²."""
    visible_fraction: float
    """Area of the visible part over that of the whole zone."""
    density_per_m2: float
    """`corrected_count` over `area_m2` in persons/m² ("classic" density); of a group, the density on its ground."""
    interval_per_m2: tuple[float, float]
    """95 % interval of the density."""
    voronoi_density_per_m2: float | None
    """Mean over the zone of the local density by Voronoi cells in persons/m²; None if the image has no group."""
    local_densities_per_m2: FloatArray
    """Local densities of people in the zone in persons/m², by Voronoi cells; may be empty."""

    @property
    def peak_per_m2(self) -> float | None:
        """95th percentile of the local densities, at least the density; None without local densities."""
        if not len(self.local_densities_per_m2):
            return None
        return max(float(np.quantile(self.local_densities_per_m2, PEAK_QUANTILE)), self.density_per_m2)

    def fraction_above(self, density_per_m2: float) -> float | None:
        """Fraction of the people in the zone whose local density is above a density; None without local densities."""
        if not len(self.local_densities_per_m2):
            return None
        return float(np.mean(self.local_densities_per_m2 > density_per_m2))


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredGround:
    """The ground of an image with a known camera, on which zones are measured."""

    view: MeasuredView
    """People and measured region of the image."""
    projections: Sequence[GroundProjection]
    """Equally probable projections, the best one first."""
    measurement: GroundMeasurement | None
    """The measurement of the whole image; None if its density is unknown, for example because it has few people."""
    reason: str | None = None
    """Reason why the density of the whole image is unknown."""

    @cached_property
    def people_per_annotation(self) -> float:
        """Annotated and occluded people per annotated person."""
        return people_per_annotation(self.view, self.projections[0])

    @cached_property
    def positions_m(self) -> Points:
        """Ground positions of people, `[num_people, 2]`, by the best projection."""
        if self.measurement is not None:
            return self.measurement.positions_m
        positions = self.projections[0].ground_from_pixels(self.view.feet_px[self.view.in_region])
        return np.asarray(positions[np.isfinite(positions).all(axis=1)])

    @cached_property
    def ground_m(self) -> Points:
        """Visible ground up to the farthest person: a convex polygon in metres; needs a measurement."""
        assert self.measurement is not None
        return visible_ground(self.view, self.measurement.projection, self.measurement.positions_m)

    @cached_property
    def cells_m(self) -> list[Points]:
        """Voronoi cell of each position of the measurement, within discs of 3 m; empty without a measurement."""
        if self.measurement is None:
            return []
        return voronoi_cells(self.measurement.positions_m, self.ground_m, CUTOFF_M)

    @cached_property
    def cell_extents_m(self) -> FloatArray:
        """Lowest and highest coordinates of each cell in metres, `[num_positions, 2, 2]`; NaN without a cell."""
        nowhere = np.full((1, 2), np.nan)
        extents = [(cell.min(axis=0), cell.max(axis=0)) for cell in (c if len(c) else nowhere for c in self.cells_m)]
        return np.array(extents).reshape(-1, 2, 2)

    @cached_property
    def local_densities_per_m2(self) -> FloatArray:
        """Local density at each position of the measurement in persons/m²; NaN outside the visible ground."""
        assert self.measurement is not None
        densities = local_densities_per_m2(self.measurement.positions_m, self.ground_m, CUTOFF_M)
        return self.measurement.people_per_position * densities


def measure_zone(zone: Zone, ground: MeasuredGround) -> ZoneMeasurement | str:
    """People, area and density of a zone; or the reason why its density is unknown.

    The values are those of the projection with the median density, and local densities those of the best projection.

    Args:
        zone: the zone.
        ground: the ground of the image.
    """
    placed = [place_zone(zone, ground.view, projection) for projection in ground.projections]
    known = [item for item in placed if isinstance(item, PlacedZone)]
    if len(known) <= len(placed) / 2 or isinstance(placed[0], str):
        return next(item for item in placed if isinstance(item, str))
    if max(item.area_m2 for item in known) > MAX_AREA_RATIO * min(item.area_m2 for item in known):
        return UNCERTAIN_AREA
    counts = [_count_people(ground.view, item.corners_px) for item in known]
    factor = ground.people_per_annotation
    densities = [factor * count / item.area_m2 for (count, _), item in zip(counts, known, strict=True)]
    order = sorted(range(len(known)), key=lambda index: (densities[index], known[index].area_m2))
    middle = order[(len(order) - 1) // 2]
    if known[middle].visible_fraction < MIN_VISIBLE_FRACTION:
        return TOO_LITTLE_VISIBLE
    samples = [
        (factor * count + math.hypot(factor * sd, _occluded_sd(count, factor)) * NORMAL_QUANTILES) / item.area_m2
        for (count, sd), item in zip(counts, known, strict=True)
    ]
    low, high = np.quantile(np.maximum(samples, 0), INTERVAL_QUANTILES)
    best_m = placed[0].corners_m
    return ZoneMeasurement(
        person_count=counts[middle][0],
        corrected_count=factor * counts[middle][0],
        area_m2=known[middle].area_m2,
        visible_fraction=known[middle].visible_fraction,
        density_per_m2=densities[middle],
        interval_per_m2=(min(float(low), densities[middle]), max(float(high), densities[middle])),
        voronoi_density_per_m2=_voronoi_density(best_m, ground),
        local_densities_per_m2=_local_densities(best_m, ground),
    )


def measure_groups(ground: MeasuredGround) -> list[ZoneMeasurement]:
    """People, area and density of each group of an image, the largest first; needs a measurement.

    The density is that of `groups.hull_density`, since the people at the boundary of a group are only partly inside.
    """
    assert ground.measurement is not None
    measured = [_measure_group(positions, ground.measurement, ground) for positions in ground.measurement.groups_m]
    return [item for item in measured if item is not None]


def _measure_group(
    positions_m: Points, measurement: GroundMeasurement, ground: MeasuredGround
) -> ZoneMeasurement | None:
    """Measures the people at these positions; None if they span no area."""
    feet = measurement.projection.pixels_from_ground(positions_m)
    hull = group_hull(positions_m)
    by_projection = [item.ground_from_pixels(feet) for item in measurement.projections]
    defined = [positions for positions in by_projection if np.isfinite(positions).all()]
    estimates = [hull_density(positions, [np.arange(len(positions))]) for positions in defined]
    densities = [measurement.people_per_position * item[0] for item in estimates if item is not None]
    if hull is None or not densities:
        return None
    density = float(np.median(densities))
    distances = np.abs(measurement.positions_m[:, None] - positions_m).max(axis=2).min(axis=1)
    local = ground.local_densities_per_m2[distances < SAME_POSITION_M]
    return ZoneMeasurement(
        person_count=len(positions_m),
        corrected_count=measurement.people_per_position * len(positions_m),
        area_m2=polygon_area_m2(hull),
        visible_fraction=1.0,
        density_per_m2=density,
        interval_per_m2=interval_of_part(measurement, density, len(positions_m), RELATIVE_SAMPLING_SD),
        voronoi_density_per_m2=_voronoi_density(hull, ground),
        local_densities_per_m2=local[np.isfinite(local)],
    )


def _count_people(view: MeasuredView, corners_px: Points) -> tuple[int, float]:
    """Number of people with their feet in a polygon of the image, and its standard deviation by errors of the boxes."""
    feet, heights = view.feet_px[view.in_region], view.boxes_xywh[view.in_region, 3]
    if not len(feet):
        return 0, 0.0
    margins = MAX_SDS * heights[:, None] * FEET_SDS
    near_rows = ((feet > corners_px.min(axis=0) - margins) & (feet < corners_px.max(axis=0) + margins)).all(axis=1)
    feet, heights = feet[near_rows], heights[near_rows]
    inside: BoolArray = is_inside(feet, corners_px)
    sds = outline_distances(feet / FEET_SDS, corners_px / FEET_SDS) / heights
    near = sds[sds < MAX_SDS].tolist()
    outside = np.array([NormalDist().cdf(-value) for value in near])  # probability of the other side of the outline
    return int(inside.sum()), math.sqrt(float((outside * (1 - outside)).sum()))


def _occluded_sd(count: int, people_per_annotation: float) -> float:
    """Standard deviation of the number of occluded people in a zone with `count` annotated people.

    If each of an unknown number of people is annotated with probability p, the number of the others, given the
    annotated ones, is negative binomial with count + 1 successes: its variance is (count + 1) (1 - p) / p².
    """
    fraction = max(people_per_annotation - 1, MIN_OCCLUDED_FRACTION)
    expected = fraction * (count + 1)
    return math.hypot(math.sqrt(expected * (1 + fraction)), OCCLUSION_SD * expected)


def _voronoi_density(polygon_m: Points, ground: MeasuredGround) -> float | None:
    """Mean of the local density over a polygon on the ground in persons/m²; None without a measurement.

    Each cell contributes the fraction of its area that is in the polygon.

    Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
    scatter", Physica A 2010, arXiv 0911.2165.
    """
    if ground.measurement is None:
        return None
    low, high = polygon_m.min(axis=0), polygon_m.max(axis=0)
    extents = ground.cell_extents_m
    near = np.flatnonzero((extents[:, 0] < high).all(axis=1) & (extents[:, 1] > low).all(axis=1))
    positions = 0.0
    for cell in (ground.cells_m[index] for index in near):
        positions += polygon_area_m2(intersect_convex(polygon_m, cell)) / polygon_area_m2(cell)
    return ground.measurement.people_per_position * positions / polygon_area_m2(polygon_m)


def _local_densities(polygon_m: Points, ground: MeasuredGround) -> FloatArray:
    """Local densities of the people in a polygon on the ground in persons/m²; empty without a measurement."""
    if ground.measurement is None:
        return np.empty(0)
    densities = ground.local_densities_per_m2[is_inside(ground.measurement.positions_m, polygon_m)]
    return np.asarray(densities[np.isfinite(densities)])
