"""Persons per square metre of ground, from one photograph: `ground`.

The camera is told from the people (`calibration`), or given; their feet give positions on the ground in metres; the
density is that on the ground which they occupy and the image shows (`occupied`), raised by the people
whom nearer ones hide (`occlusion`). Cameras that explain the boxes
equally well are all carried along: their densities, and the chance in where people stand, make the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.ground_plane.calibration import (
    LOG_HEIGHT_SD,
    calibrate_camera,
    height_residual,
    inlier_mask,
    relative_heights,
)
from crowdgan_density.ground_plane.groups import MIN_GROUP, Indices, Points, find_groups, hull_density
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.occlusion import occluded_fraction
from crowdgan_density.ground_plane.view import MeasuredView, View, visible_ground
from crowdgan_density.ground_plane.voronoi_cells import peak_per_m2

MIN_PEOPLE = 5
"""People with boxes from which a camera can be told."""


CAMERAS = 12
"""Cameras, equally probable, that stand for all that may have taken the image."""


MIN_FITTING_SHARE = 0.6
"""Share of the boxes that must fit one camera over one flat ground."""


MAX_INTERVAL_RATIO = 8.0
"""Upper over lower bound of the interval beyond which the density is not told."""


RESIDUAL_RANGE = (0.02, 0.088)
"""Least and largest relative standard deviation of people's heights under the camera. Made-up crowds show 0.05 to
0.077; two levels of ground 2 m apart show 0.09, and boxes that are all equal less than 0.01."""


MAX_TILT = 0.2
"""Largest change of people's heights from one side of the image to the other, as a share. Made-up crowds show 0.16 at
most, a camera rolled by 3 degrees 0.15, and one rolled by 6 degrees 0.28."""


TILT_ERRORS = 4.0
"""Standard errors from 0 from which such a change is no chance."""


RELATIVE_SAMPLING_SD = 1.0
"""Relative standard deviation of the density of one person's share of ground; people keep distances, so the density of
n people varies by less than this over √n."""


NORMAL_NINTHS = (-1.593, -0.967, -0.589, -0.282, 0.0, 0.282, 0.589, 0.967, 1.593)
"""Nine values that stand for equal shares of a standard normal distribution."""


INTERVAL = (0.025, 0.975)
"""Quantiles between which the density is expected."""


NO_FLAT_GROUND = "too few people fit one flat ground before an upright camera (stairs, stands, sitting people, posters)"


TILTED = "people's heights change from left to right (a rolled camera, or ground that slopes sideways)"


NO_PERSPECTIVE = "the people tell too little of the camera (they stand in one row, or are equally tall in the image)"


NO_GROUP = f"no {MIN_GROUP} people with their feet in the image stand together over an area"


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundMeasurement:
    """What is told of the ground under a scene."""

    frame: MeasuredView
    """What was measured."""
    density_per_m2: float
    interval_per_m2: tuple[float, float]
    view: View
    """The most probable camera, or the given homography."""
    positions_m: Points
    """`[num_positions, 2]` of those whose feet are seen and whose boxes fit, by the most probable camera."""
    groups_m: tuple[Points, ...]
    """Of each group that occupies ground, its people's positions, `[num_people, 2]`, by the most probable camera."""
    people_per_position: float
    """At least 1: people whose boxes do not fit, and whom nearer ones hide, are somewhere among the others."""
    residual: float | None
    """Standard deviation of people's heights by that camera, relative; None with a homography."""

    @property
    def peak_per_m2(self) -> float:
        """95th percentile of people's local densities in persons/m², on the ground that the image shows.

        At least the scene's density: of a few people most stand at the border, where cells reach into empty ground.
        """
        ground = visible_ground(self.frame, self.view, self.positions_m)
        return max(self.people_per_position * peak_per_m2(self.positions_m, ground), self.density_per_m2)


def measure(frame: MeasuredView, views: Sequence[View]) -> GroundMeasurement | str:
    """Density on the ground, over views that are equally probable, the best one first; or why it cannot be told."""
    best = views[0]
    fits = _fits(frame, best)
    among = _groups(frame, best, fits)
    densities, people = [], []
    for view in views:
        found = _density_under(frame, view, among)
        if found is not None:
            densities.append(found[0])
            people.append(found[1])
    if len(densities) <= len(views) / 2:
        return NO_GROUP
    positions = best.ground_from_pixels(frame.feet_px[frame.shown & fits])
    positions = positions[np.isfinite(positions).all(axis=1)]
    seen_share = _seen_share(frame.boxes_xywh[fits], best, positions)
    log_densities = np.log(densities) - math.log(seen_share)
    low, high = _interval(log_densities, float(np.mean(people)))
    if high > MAX_INTERVAL_RATIO * low:
        return NO_PERSPECTIVE
    return GroundMeasurement(
        frame=frame,
        density_per_m2=float(np.exp(np.median(log_densities))),
        interval_per_m2=(low, high),
        view=best,
        positions_m=positions,
        groups_m=tuple(best.ground_from_pixels(frame.feet_px[group]) for group in among),
        people_per_position=float(_people_per_fitting(frame, fits) / seen_share),
        residual=None if isinstance(best, Homography) else height_residual(frame.boxes_xywh[fits], best),
    )


def calibrate_views(frame: MeasuredView, focal: float | None) -> list[View] | str:
    """Cameras that explain the people, the best one first; or why there are none."""
    if len(frame.boxes_xywh) < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} people with a full-body box"
    calibration = calibrate_camera(frame.boxes_xywh, frame.size, focal)
    best = calibration.best()
    fits = inlier_mask(frame.boxes_xywh, best)
    if fits.mean() < MIN_FITTING_SHARE or fits.sum() < MIN_PEOPLE:
        return NO_FLAT_GROUND
    if _is_tilted(frame.boxes_xywh[fits], best):
        return TILTED
    spread = height_residual(frame.boxes_xywh[fits], best)
    if not RESIDUAL_RANGE[0] <= spread <= RESIDUAL_RANGE[1]:
        return NO_FLAT_GROUND if spread > RESIDUAL_RANGE[1] else NO_PERSPECTIVE
    return [best, *calibration.quantile_cameras(CAMERAS)]


def _groups(frame: MeasuredView, view: View, fits: npt.NDArray[np.bool_]) -> list[Indices]:
    """Who stands near whom, as indices into the frame's people, by a view."""
    shown = np.flatnonzero(frame.shown & fits)
    positions = view.ground_from_pixels(frame.feet_px[shown])
    on_ground = np.isfinite(positions).all(axis=1)
    return [shown[on_ground][group] for group in find_groups(positions[on_ground])]


def _density_under(frame: MeasuredView, view: View, among: Sequence[Indices]) -> tuple[float, int] | None:
    """Density in persons/m² under one view, and the number of people that tell it."""
    fits = _fits(frame, view)
    positions = view.ground_from_pixels(frame.feet_px)
    usable = frame.shown & fits & np.isfinite(positions).all(axis=1)
    found = hull_density(positions, [group[usable[group]] for group in among])
    return None if found is None else (found[0] * _people_per_fitting(frame, fits), found[1])


def _people_per_fitting(frame: MeasuredView, fits: npt.NDArray[np.bool_]) -> float:
    """People in the measured part per person whose box fits: those with wrong boxes are people, too."""
    return np.count_nonzero(frame.shown) / np.count_nonzero(frame.shown & fits)


def _seen_share(boxes_xywh: Boxes, view: View, positions_m: Points) -> float:
    """Share of the people who are annotated, as far as nearer ones hide the others; 1 with a homography."""
    if isinstance(view, Homography) or len(positions_m) < MIN_GROUP:
        return 1.0
    return 1.0 - occluded_fraction(positions_m, boxes_xywh, view)


def _fits(frame: MeasuredView, view: View) -> npt.NDArray[np.bool_]:
    if isinstance(view, Homography):
        return np.ones(len(frame.boxes_xywh), bool)
    return inlier_mask(frame.boxes_xywh, view)


def _interval(log_densities: npt.NDArray[np.float64], people: float) -> tuple[float, float]:
    """Bounds of the density over the views, with the chance in where people stand added."""
    chance = RELATIVE_SAMPLING_SD / math.sqrt(people) * np.array(NORMAL_NINTHS)
    low, high = np.exp(np.quantile(log_densities[:, None] + chance, INTERVAL))
    return float(low), float(high)


def _is_tilted(boxes_xywh: Boxes, camera: Camera) -> bool:
    """Whether people's heights rise from one side of the image to the other by more than chance."""
    across = (boxes_xywh[:, 0] + boxes_xywh[:, 2] / 2) / camera.size[1] - 0.5
    spread = across - across.mean()
    logs = np.log(relative_heights(boxes_xywh, camera))
    squares = float((spread**2).sum())
    if squares == 0:
        return False
    slope = float((spread * logs).sum()) / squares
    return abs(slope) > max(MAX_TILT, TILT_ERRORS * LOG_HEIGHT_SD / math.sqrt(squares))
