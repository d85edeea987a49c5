"""Density over time in frames of a fixed camera, on the occupied ground or in zones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.names import natural_key
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import Workers
from crowdgan_core.utils.progress import Progress
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import calibrate_cameras
from crowdgan_density.ground_plane.report import ImageReport, interval_columns, report_scenes
from crowdgan_density.ground_plane.view import MeasuredView, pool_views
from crowdgan_density.series.camera_check import find_camera_change
from crowdgan_density.zones.zone_files import Zone
from crowdgan_density.zones.zone_report import ZoneReport, report_zones
from crowdgan_density.zones.zone_selection import Grid

ROUNDING = 1e-9
"""Relative tolerance of times for rounding."""

OCCUPIED_GROUND = "occupied ground"
"""Name of the ground that is measured without zones."""


@dataclass(frozen=True, kw_only=True)
class SeriesPoint:
    """Density of one zone in one frame; None if unknown."""

    time_s: float
    """Time since the first frame in seconds."""
    image: str
    """Name of the frame in its source."""
    zone: str
    """Name of the zone, or `occupied ground`."""
    person_count: int | None
    """Annotated people in the zone, or in the image."""
    density_per_m2: float | None
    """Density in persons/m²."""
    interval_per_m2: tuple[float, float] | None
    """95 % interval of the density."""
    level: str | None
    """Level of service of the density."""
    peak_per_m2: float | None
    """95th percentile of people's local densities."""
    smoothed_per_m2: float | None = None
    """Moving median of the density; None without smoothing, or if the density is unknown."""
    reason: str | None = None
    """Reason why the density is unknown; None if it is known."""
    warning: str | None = None
    """Warning that the camera may have moved; of all frames if it was calibrated from all of them."""

    @property
    def shown_per_m2(self) -> float | None:
        """The smoothed density, or the density without smoothing; None if it is unknown."""
        return self.density_per_m2 if self.smoothed_per_m2 is None else self.smoothed_per_m2


def sort_frames(scenes: Sequence[Scene]) -> list[Scene]:
    """Frames in the natural order of their names: `frame 9` before `frame 10`."""
    return sorted(scenes, key=lambda scene: natural_key(scene.source_name))


def frame_times(scenes: Sequence[Scene], interval_s: float, *, numbered: bool = False) -> list[float]:
    """Time of each frame since the first one in seconds.

    Args:
        scenes: frames in the order of time.
        interval_s: time between two frames in seconds.
        numbered: whether the last number in a frame's name is its number in the video, for example 22 in `frame_0022`;
            otherwise frames are consecutive.

    Raises:
        ConfigError: the interval is not positive; or numbers are missing, or not increasing.
    """
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise ConfigError(f"the time between two frames is {interval_s} s; it must be above 0")
    numbers = [_frame_number(scene.source_name) for scene in scenes] if numbered else list(range(len(scenes)))
    for number, following, scene in zip(numbers, numbers[1:], scenes[1:], strict=False):
        if following <= number:
            raise ConfigError(f"{scene.source_name}: its number {following} follows {number}; numbers must increase")
    return [(number - numbers[0]) * interval_s for number in numbers]


def fit_fixed_camera(estimator: GroundPlaneEstimator, scenes: Sequence[Scene]) -> GroundPlaneEstimator:
    """The estimator with one camera for all frames: the given homography or cameras, else calibrated from all people.

    Raises:
        ConfigError: the frames differ in size, or the camera is unknown; if a change of the camera is the likely cause,
            the message names the frame.
    """
    sizes = {scene.size for scene in scenes}
    if len(sizes) > 1:
        raise ConfigError(f"{estimator.name}: frames of a fixed camera have one size; there are {len(sizes)} sizes")
    try:
        return replace(estimator, shared_camera=True).fit(scenes)
    except ConfigError as error:
        warning = _change_in_first_camera(estimator, scenes)
        if warning is None:
            raise
        raise ConfigError(f"{error}; {warning}") from error


def density_series(
    estimator: GroundPlaneEstimator,
    scenes: Sequence[Scene],
    times_s: Sequence[float],
    zones: tuple[Zone, ...] | Grid | None = None,
    *,
    smooth_s: float = 0.0,
    workers: Workers = 1,
    progress: Progress | None = None,
) -> list[SeriesPoint]:
    """Density over time, one point per frame and zone.

    Args:
        estimator: with one camera for all frames, see `fit_fixed_camera`.
        scenes: frames in the order of time.
        times_s: time of each frame in seconds.
        zones: zones to measure, or a grid of squares; None for the occupied ground.
        smooth_s: width of the moving median in seconds; 0 for no smoothing.
        workers: number of worker processes, or another executor.
        progress: receives one step per frame.

    Raises:
        ConfigError: a zone is on visible ground in no frame, or a grid has too many squares.
    """
    points: list[SeriesPoint] = []
    times = dict(zip((scene.source_name for scene in scenes), times_s, strict=True))
    warnings = _camera_warnings(estimator, scenes)
    named: Sequence[tuple[str, ImageReport | ZoneReport]]
    if zones is None:
        reports = report_scenes(estimator, scenes, workers=workers, progress=progress)
        named = [(OCCUPIED_GROUND, report) for report in reports]
    else:
        zone_reports = report_zones(estimator, scenes, zones, workers=workers, progress=progress)
        named = [(report.zone or "", report) for report in zone_reports]
    for zone, report in named:
        points.append(
            SeriesPoint(
                time_s=times[report.image],
                image=report.image,
                zone=zone,
                person_count=report.person_count,
                density_per_m2=report.density_per_m2,
                interval_per_m2=report.interval_per_m2,
                level=report.level,
                peak_per_m2=report.peak_per_m2,
                reason=report.reason,
                warning=warnings.get(report.image),
            )
        )
    return _smooth(points, smooth_s) if smooth_s > 0 else points


def series_rows(points: Sequence[SeriesPoint], estimator: GroundPlaneEstimator) -> list[dict[str, Any]]:
    """One row per point with the columns of `crowdgan density series --out`; values that are unknown are None.

    A pandas table of them: `pandas.DataFrame(series_rows(points, estimator))`. The columns `estimator` and `scale`,
    equal in all rows, let `crowdgan plot series` draw the levels.
    """
    return [
        {
            "time_s": point.time_s,
            "image": point.image,
            "zone": point.zone,
            "person_count": point.person_count,
            "density_per_m2": point.density_per_m2,
            **interval_columns(point.interval_per_m2),
            "smoothed_density_per_m2": point.smoothed_per_m2,
            "level": point.level,
            "peak_per_m2": point.peak_per_m2,
            "reason": point.reason,
            "warning": point.warning,
            "estimator": estimator.name,
            "scale": estimator.scale,
        }
        for point in points
    ]


def _frame_number(name: str) -> int:
    numbers = re.findall(r"[0-9]+", name)
    if not numbers:
        raise ConfigError(f"{name}: the name contains no frame number")
    return int(numbers[-1])


def _camera_warnings(estimator: GroundPlaneEstimator, scenes: Sequence[Scene]) -> dict[str, str]:
    """Warnings by image of a camera that moves: of the frames after it, or of all if it was calibrated from all."""
    located = (estimator.locate(scene) for scene in scenes)
    first_view, projections = next((found for found in located if not isinstance(found, str)), (None, ()))
    if first_view is None or not first_view.heights_measured:
        return {}
    views = [MeasuredView.from_scene(scene) for scene in scenes]
    change = find_camera_change(views, projections[0])
    if change is None:
        return {}
    warning = change.describe(scenes[change.frame].source_name)
    if estimator.homography is not None:
        return dict.fromkeys((scene.source_name for scene in scenes[change.frame :]), warning)
    warning = f"{warning}; frames before it are affected, too: divide the series there"
    return dict.fromkeys((scene.source_name for scene in scenes), warning)


def _change_in_first_camera(estimator: GroundPlaneEstimator, scenes: Sequence[Scene]) -> str | None:
    """The warning of a camera that is calibrated from the first frames; None without a change."""
    views = [MeasuredView.from_scene(scene) for scene in scenes]
    if len({view.size for view in views}) != 1:
        return None
    for count in range(1, len(views)):
        pooled = pool_views(views[:count])
        cameras = calibrate_cameras(pooled, estimator.known_focal_length_px(pooled))
        if not isinstance(cameras, str):
            change = find_camera_change(views, cameras[0])
            return None if change is None else change.describe(scenes[change.frame].source_name)
    return None


def _smooth(points: Sequence[SeriesPoint], width_s: float) -> list[SeriesPoint]:
    """Points with the moving median of their zone's known densities, in a window around each point."""
    known: dict[str, tuple[list[float], list[float]]] = {}
    for point in points:
        times, values = known.setdefault(point.zone, ([], []))
        if point.density_per_m2 is not None:
            times.append(point.time_s)
            values.append(point.density_per_m2)
    smoothed = []
    for point in points:
        times, values = known[point.zone]
        near = np.abs(np.array(times) - point.time_s) <= width_s / 2 * (1 + ROUNDING)
        median = None if point.density_per_m2 is None else float(np.median(np.array(values)[near]))
        smoothed.append(replace(point, smoothed_per_m2=median))
    return smoothed
