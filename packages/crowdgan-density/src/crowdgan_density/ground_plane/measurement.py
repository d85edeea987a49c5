"""Density on the ground of one image, from a projection of its people onto the ground.

The positions of people's feet on the ground form groups; the density is that of the people in the groups' hulls
(`groups`), corrected for people occluded by nearer ones (`occlusion`). Uncertainty is propagated: the densities for
equally probable cameras and for the possible groupings, with sampling variation added, give the 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.utils.arrays import BoolArray, Boxes, FloatArray, Points
from crowdgan_density.ground_plane.calibration import (
    LOG_HEIGHT_SD,
    calibrate_camera,
    height_residual,
    inlier_mask,
    log_relative_heights,
)
from crowdgan_density.ground_plane.groups import MIN_GROUP_PEOPLE, GroupDensities, find_groups, group_densities
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.occlusion import occluded_fraction
from crowdgan_density.ground_plane.people_heights import MIN_INLIER_FRACTION, MIN_PEOPLE, projection_problem
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView, visible_ground
from crowdgan_density.ground_plane.voronoi_cells import CUTOFF_M, PEAK_QUANTILE, local_densities_per_m2

NUM_CAMERAS = 12
"""Number of equally probable cameras that represent the posterior."""

MAX_CAMERA_RATIO = 8.0
"""Ratio of upper to lower 95 % bound over cameras and groupings, without sampling variation, above which the density
is unknown."""

RESIDUAL_RANGE = (0.02, 0.088)
"""Minimum and maximum relative standard deviation of people's heights for the camera. Synthetic crowds have 0.05 to
0.077; two levels of ground 2 m apart have 0.09, and boxes of equal size less than 0.01."""

MAX_TILT = 0.2
"""Maximum relative change of people's heights from one side of the image to the other. Synthetic crowds have at most
0.16, a camera rolled by 3 degrees 0.15, and one rolled by 6 degrees 0.28."""

TILT_SDS = 4.0
"""Number of standard errors from which such a change is significant."""

NORMAL_NINTHS = (-1.593, -0.967, -0.589, -0.282, 0.0, 0.282, 0.589, 0.967, 1.593)
"""Nine values that represent equal fractions of a standard normal distribution."""

INTERVAL_SDS = 1.96
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""

INTERVAL_QUANTILES = (0.025, 0.975)
"""Quantiles at the bounds of the 95 % interval."""

NO_FLAT_GROUND = (
    "too few boxes are consistent with flat ground and an upright camera (stairs, stands, seated people, posters)"
)

TILTED = "people's heights change from left to right (a rolled camera, or ground that slopes sideways)"

NO_PERSPECTIVE = "the boxes do not constrain the camera (people in one row, or of equal height in the image)"

NO_GROUP = f"no {MIN_GROUP_PEOPLE} people with their feet in the image form a group that spans an area"


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundMeasurement:
    """Positions and density of the people of a scene on the ground."""

    view: MeasuredView
    """People and measured region of the image."""
    density_per_m2: float
    """Density on occupied ground in persons/m²."""
    interval_per_m2: tuple[float, float]
    """95 % interval of the density in persons/m²."""
    projections: tuple[GroundProjection, ...]
    """Equally probable projections, the best one first."""
    positions_m: Points
    """`[num_positions, 2]` of the people with feet in the measured region and inlier boxes."""
    groups_m: tuple[Points, ...]
    """Positions of the people of each group that occupies ground, `[num_people, 2]` each."""
    people_per_position: float
    """At least 1: accounts for people with outlier boxes, for occluded people, and for the scatter of head points."""
    residual: float | None
    """Relative standard deviation of people's heights for the camera; None with a homography, or for heads only."""

    def __repr__(self) -> str:
        """For example `GroundMeasurement(0.84 persons/m², 0.66–1.07, 31 positions, 2 groups)`."""
        low, high = self.interval_per_m2
        counts = f"{len(self.positions_m)} positions, {len(self.groups_m)} groups"
        return f"GroundMeasurement({self.density_per_m2:.2f} persons/m², {low:.2f}–{high:.2f}, {counts})"

    @property
    def projection(self) -> GroundProjection:
        """The most probable camera, or the given homography."""
        return self.projections[0]

    @cached_property
    def local_densities_per_m2(self) -> FloatArray:
        """Local density at each person on visible ground in persons/m², `[num_people]`, by Voronoi cells."""
        ground = visible_ground(self.view, self.projection, self.positions_m)
        densities = self.people_per_position * local_densities_per_m2(self.positions_m, ground, CUTOFF_M)
        return densities[np.isfinite(densities)]

    @property
    def peak_per_m2(self) -> float:
        """95th percentile of people's local densities in persons/m², on visible ground.

        At least the scene's density: in small groups most people are at the boundary, where cells extend into empty
        ground.
        """
        return max(float(np.quantile(self.local_densities_per_m2, PEAK_QUANTILE)), self.density_per_m2)

    def fraction_above(self, density_per_m2: float) -> float:
        """Fraction of the people on visible ground whose local density is above a density in persons/m²."""
        return float(np.mean(self.local_densities_per_m2 > density_per_m2))


def measure_ground(view: MeasuredView, projections: Sequence[GroundProjection]) -> GroundMeasurement | str:
    """Positions and density on the ground; or the reason why the density is unknown.

    Args:
        view: people and measured region of the image.
        projections: equally probable projections, the best one first.
    """
    best = projections[0]
    if problem := projection_problem(view, best):
        return problem
    inliers = _inliers(view, best)
    by_projection = {item: _estimate_densities(view, item) for item in set(projections)}  # many are equal
    densities = [found for item in projections if (found := by_projection[item]) is not None]
    if len(densities) <= len(projections) / 2:
        return NO_GROUP
    low, high = _interval(densities, sampled=False)
    if high > MAX_CAMERA_RATIO * low:
        return NO_PERSPECTIVE
    positions = _positions_m(view, best, inliers)
    visible = _visible_fraction(view.boxes_xywh[inliers], best, positions)
    low, high = _interval(densities, sampled=True)
    return GroundMeasurement(
        view=view,
        density_per_m2=float(np.median([item.mean_per_m2 for item in densities]) / visible),
        interval_per_m2=(low / visible, high / visible),
        projections=tuple(projections),
        positions_m=positions,
        groups_m=tuple(positions[group] for group in find_groups(positions)),
        people_per_position=float(_people_per_inlier(view, inliers) / visible),
        residual=_residual(view, best, inliers),
    )


def calibrate_cameras(view: MeasuredView, focal_length_px: float | None) -> list[Camera] | str:
    """The most probable camera followed by equally probable ones; or the reason why the camera is unknown.

    Args:
        view: the people of an image.
        focal_length_px: focal length in pixels; None if unknown.
    """
    if len(view.boxes_xywh) < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} people with a full-body box"
    posterior = calibrate_camera(view.boxes_xywh, view.size, focal_length_px)
    best = posterior.best()
    inliers = inlier_mask(view.boxes_xywh, best)
    if inliers.mean() < MIN_INLIER_FRACTION or inliers.sum() < MIN_PEOPLE:
        return NO_FLAT_GROUND
    if _is_tilted(view.boxes_xywh[inliers], best):
        return TILTED
    residual = height_residual(view.boxes_xywh[inliers], best)
    if not RESIDUAL_RANGE[0] <= residual <= RESIDUAL_RANGE[1]:
        return NO_FLAT_GROUND if residual > RESIDUAL_RANGE[1] else NO_PERSPECTIVE
    return [best, *posterior.quantile_cameras(NUM_CAMERAS)]


def _estimate_densities(view: MeasuredView, projection: GroundProjection) -> GroupDensities | None:
    """Densities on the ground that groups occupy, for one projection; None if no group spans an area."""
    inliers = _inliers(view, projection)
    densities = group_densities(_positions_m(view, projection, inliers))
    num_people = int(np.count_nonzero(view.in_region))
    num_inliers = int(np.count_nonzero(view.in_region & inliers))
    return None if densities is None else densities.including_outliers(num_inliers, num_people)


def people_per_annotation(view: MeasuredView, projection: GroundProjection) -> float:
    """Annotated and occluded people per annotated person, at least 1; 1 with a homography."""
    inliers = _inliers(view, projection)
    return 1 / _visible_fraction(view.boxes_xywh[inliers], projection, _positions_m(view, projection, inliers))


def interval_of_part(
    measurement: GroundMeasurement, density_per_m2: float, people: int, relative_sd: float
) -> tuple[float, float]:
    """The 95 % interval of a density of a part of the people in persons/m²: wider, since they are fewer.

    Args:
        measurement: of all people.
        density_per_m2: density of the part in persons/m².
        people: number of people of the part.
        relative_sd: relative standard deviation of such a density computed from one person.
    """
    fewer = max(1 / people - 1 / len(measurement.positions_m), 0.0)
    variance = INTERVAL_SDS**2 * relative_sd**2 * fewer
    low, high = (math.log(bound / measurement.density_per_m2) for bound in measurement.interval_per_m2)
    return (
        density_per_m2 * math.exp(-math.sqrt(low**2 + variance)),
        density_per_m2 * math.exp(math.sqrt(high**2 + variance)),
    )


def _positions_m(view: MeasuredView, projection: GroundProjection, inliers: BoolArray) -> Points:
    """Positions on the ground of the people in the measured region with inlier boxes, `[num_positions, 2]` metres."""
    positions = projection.ground_from_pixels(view.feet_px[view.in_region & inliers])
    return positions[np.isfinite(positions).all(axis=1)]


def _people_per_inlier(view: MeasuredView, inliers: BoolArray) -> float:
    """People in the measured region per person with an inlier box: outliers are people, too."""
    return np.count_nonzero(view.in_region) / np.count_nonzero(view.in_region & inliers)


def _visible_fraction(boxes_xywh: Boxes, projection: GroundProjection, positions_m: Points) -> float:
    """Fraction of the people that is annotated in spite of occlusion; 1 with a homography."""
    if isinstance(projection, Homography) or len(positions_m) < MIN_GROUP_PEOPLE:
        return 1.0
    return 1.0 - occluded_fraction(positions_m, boxes_xywh, projection)


def _residual(view: MeasuredView, projection: GroundProjection, inliers: BoolArray) -> float | None:
    if isinstance(projection, Homography) or not view.heights_measured:
        return None
    return height_residual(view.boxes_xywh[inliers], projection)


def _inliers(view: MeasuredView, projection: GroundProjection) -> BoolArray:
    if isinstance(projection, Homography):
        return np.ones(len(view.boxes_xywh), bool)
    return inlier_mask(view.boxes_xywh, projection)


def _interval(densities: Sequence[GroupDensities], *, sampled: bool) -> tuple[float, float]:
    """Bounds of the density in persons/m² over projections and groupings, and over sampling variation if `sampled`."""
    logs = np.concatenate([item.log_densities for item in densities])
    weights = np.concatenate([item.weights for item in densities])
    if sampled:
        sds = np.sqrt(np.concatenate([item.sampling_variances for item in densities]))
        logs = (logs[:, None] + sds[:, None] * np.array(NORMAL_NINTHS)).ravel()
        weights = np.repeat(weights, len(NORMAL_NINTHS))
    order = np.argsort(logs)
    probabilities = np.cumsum(weights[order])
    low, high = np.exp(np.interp(np.multiply(INTERVAL_QUANTILES, probabilities[-1]), probabilities, logs[order]))
    return float(low), float(high)


def _is_tilted(boxes_xywh: Boxes, camera: Camera) -> bool:
    """Whether people's heights change significantly from one side of the image to the other."""
    across = (boxes_xywh[:, 0] + boxes_xywh[:, 2] / 2) / camera.size[1] - 0.5
    offsets = across - across.mean()
    logs = log_relative_heights(boxes_xywh, camera)
    squares = float((offsets**2).sum())
    if squares == 0:
        return False
    slope = float((offsets * logs).sum()) / squares
    return abs(slope) > max(MAX_TILT, TILT_SDS * LOG_HEIGHT_SD / math.sqrt(squares))
