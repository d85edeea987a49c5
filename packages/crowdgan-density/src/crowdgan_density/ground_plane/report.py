"""Report of each image: camera, persons/m², peak and level of service, or the reason why they are unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import Workers, parallel_list
from crowdgan_core.utils.progress import Progress
from crowdgan_density.ground_plane.calibration import height_residual, inlier_mask
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.people_heights import people_heights_m
from crowdgan_density.ground_plane.plausibility import (
    box_shape_warning,
    camera_height_warning,
    focal_length_warning,
    people_heights_warning,
    shared_camera_warning,
)
from crowdgan_density.ground_plane.view import MeasuredView, pool_views
from crowdgan_density.level_of_service_scales import level_of_service


@dataclass(frozen=True, kw_only=True)
class CameraReport:
    """A calibrated camera."""

    height_m: float
    """Height above the ground in metres."""
    pitch_deg: float
    """Angle of the viewing axis below the horizontal in degrees."""
    focal_length_px: float
    """Focal length in pixels of the full image."""
    focal_length_known: bool
    """False if the focal length is the most probable one between 24 and 50 mm."""
    residual: float | None
    """Relative standard deviation of people's heights for this camera; None if only heads are annotated."""


@dataclass(frozen=True, kw_only=True)
class ImageReport:
    """Camera, density and level of service of one image; None if unknown."""

    image: str
    """Name of the image in its source."""
    person_count: int
    """Number of people, without ignore regions."""
    camera: CameraReport | None = None
    """The most probable camera; also None with a homography."""
    density_per_m2: float | None = None
    """Density on occupied ground in persons/m²."""
    interval_per_m2: tuple[float, float] | None = None
    """95 % interval of the density."""
    peak_per_m2: float | None = None
    """95th percentile of people's local densities."""
    level: str | None = None
    """Level of service of the density, on the estimator's scale."""
    peak_level: str | None = None
    """Level of service of the peak."""
    fractions_above: tuple[float, ...] = ()
    """Fraction of the people whose local density is above each class boundary of the scale."""
    reason: str | None = None
    """Reason why the density is unknown; None if it is known."""
    warnings: tuple[str, ...] = ()
    """Reasons to distrust the density."""

    def __repr__(self) -> str:
        """For example `ImageReport('273271,c9db', 31 people, 0.84 persons/m², 0.66–1.07, level 'D')`."""
        return f"ImageReport({self.image!r}, {self.person_count} people, {self._describe()})"

    def _describe(self) -> str:
        if self.density_per_m2 is None:
            return f"unknown: {self.reason}"
        interval = ""
        if self.interval_per_m2 is not None:
            interval = f", {self.interval_per_m2[0]:.2f}–{self.interval_per_m2[1]:.2f}"
        return f"{self.density_per_m2:.2f} persons/m²{interval}, level {self.level!r}"


def report_scene(estimator: GroundPlaneEstimator, scene: Scene) -> ImageReport:
    """The report of one image, by a fitted estimator."""
    measurement = estimator.measure(scene)
    if isinstance(measurement, str):
        return ImageReport(image=scene.source_name, person_count=scene.person_count, reason=measurement)
    camera = measurement.projection
    return ImageReport(
        image=scene.source_name,
        person_count=scene.person_count,
        camera=_report_camera(estimator, measurement.view, camera, measurement.residual)
        if isinstance(camera, Camera)
        else None,
        density_per_m2=measurement.density_per_m2,
        interval_per_m2=measurement.interval_per_m2,
        peak_per_m2=measurement.peak_per_m2,
        level=level_of_service(measurement.density_per_m2, estimator.scale),
        peak_level=level_of_service(measurement.peak_per_m2, estimator.scale),
        fractions_above=tuple(map(measurement.fraction_above, estimator.class_bounds.values)),
        warnings=_image_warnings(estimator, measurement),
    )


def report_rows(reports: Sequence[ImageReport], bounds_per_m2: Sequence[float]) -> list[dict[str, Any]]:
    """One row per report with the columns of `crowdgan calibrate --out`; values that are unknown are None.

    Args:
        reports: reports of images.
        bounds_per_m2: class boundaries of the scale of the reports, in persons/m².
    """
    return [_report_row(report, bounds_per_m2) for report in reports]


def interval_columns(interval_per_m2: tuple[float, float] | None) -> dict[str, float | None]:
    """Columns of a table with the bounds of an interval; None if it is unknown."""
    low, high = (None, None) if interval_per_m2 is None else interval_per_m2
    return {"interval_low_per_m2": low, "interval_high_per_m2": high}


def fraction_columns(bounds_per_m2: Sequence[float], fractions: Sequence[float]) -> dict[str, float | None]:
    """Columns of a table with the fraction of people above each boundary; None without `fractions`.

    The names have as many digits as make them differ.
    """
    names: list[str] = []
    for digits in range(3, 18):
        names = [f"fraction_above_{bound:.{digits}g}_per_m2" for bound in bounds_per_m2]
        if len(set(names)) == len(names):
            break
    values: Sequence[float | None] = fractions or [None] * len(names)
    return dict(zip(names, values, strict=True))


def report_scenes(
    estimator: GroundPlaneEstimator, scenes: Sequence[Scene], *, workers: Workers = 1, progress: Progress | None = None
) -> list[ImageReport]:
    """The reports of images, by a fitted estimator.

    Args:
        estimator: fitted already.
        scenes: scenes of full images.
        workers: number of worker processes, or another executor.
        progress: receives one step per image.
    """
    return parallel_list(partial(report_scene, estimator), scenes, "estimating", workers=workers, progress=progress)


def report_shared_camera(estimator: GroundPlaneEstimator, scenes: Sequence[Scene]) -> CameraReport | None:
    """The camera that a fitted estimator uses for all images; None if each image has its own."""
    if not estimator.cameras:
        return None
    pooled = pool_views([MeasuredView.from_scene(scene) for scene in scenes])
    camera = estimator.shared_cameras(pooled.size)[0]
    inliers = inlier_mask(pooled.boxes_xywh, camera)
    residual = height_residual(pooled.boxes_xywh[inliers], camera) if inliers.any() else None
    return _report_camera(estimator, pooled, camera, residual)


def camera_warnings(estimator: GroundPlaneEstimator, scenes: Sequence[Scene]) -> list[str]:
    """Reasons to distrust the cameras or boxes of all images together.

    Args:
        estimator: fitted already.
        scenes: scenes of full images.
    """
    views = [MeasuredView.from_scene(scene) for scene in scenes]
    if not views:
        return []
    boxes = np.concatenate([view.boxes_xywh for view in views])
    warnings = [box_shape_warning(boxes), _heights_warning(estimator, views)]
    if estimator.homography is None:
        warnings.append(_focal_length_warning(estimator, views))
    if estimator.cameras:
        camera = estimator.shared_cameras(views[0].size)[0]
        names = [scene.source_name for scene in scenes]
        warnings += [camera_height_warning(camera), shared_camera_warning(names, views, camera)]
    return [warning for warning in warnings if warning is not None]


def _image_warnings(estimator: GroundPlaneEstimator, measurement: GroundMeasurement) -> tuple[str, ...]:
    """Reasons to distrust the boxes or the camera of one image; a shared camera is checked for all images together."""
    camera = measurement.projection
    views = [measurement.view] if measurement.view.heights_measured else []
    warnings = [*(box_shape_warning(view.boxes_xywh) for view in views), _heights_warning(estimator, views)]
    if isinstance(camera, Camera) and not estimator.cameras:
        warnings += [_focal_length_warning(estimator, views), camera_height_warning(camera)]
    return tuple(warning for warning in warnings if warning is not None)


def _heights_warning(estimator: GroundPlaneEstimator, views: Sequence[MeasuredView]) -> str | None:
    """Reason to distrust a given projection by the heights of the people of all images; None without one."""
    projections = [(view, projections[0]) for view in views if (projections := estimator.known_projections(view))]
    if not projections:
        return None
    heights_m = np.concatenate([people_heights_m(view, projection) for view, projection in projections])
    return people_heights_warning(heights_m, "homography" if estimator.homography is not None else "given camera")


def _focal_length_warning(estimator: GroundPlaneEstimator, views: Sequence[MeasuredView]) -> str | None:
    known = [(view, focal) for view in views if (focal := estimator.known_focal_length_px(view)) is not None]
    return focal_length_warning(known)


def _report_row(report: ImageReport, bounds_per_m2: Sequence[float]) -> dict[str, Any]:
    camera = report.camera
    return {
        "image": report.image,
        "person_count": report.person_count,
        "density_per_m2": report.density_per_m2,
        **interval_columns(report.interval_per_m2),
        "level": report.level,
        "peak_per_m2": report.peak_per_m2,
        "peak_level": report.peak_level,
        **fraction_columns(bounds_per_m2, report.fractions_above),
        "camera_height_m": None if camera is None else camera.height_m,
        "camera_pitch_deg": None if camera is None else camera.pitch_deg,
        "focal_length_px": None if camera is None else camera.focal_length_px,
        "focal_length_known": None if camera is None else camera.focal_length_known,
        "residual": None if camera is None else camera.residual,
        "reason": report.reason,
        "warnings": "; ".join(report.warnings) or None,
    }


def _report_camera(
    estimator: GroundPlaneEstimator, view: MeasuredView, camera: Camera, residual: float | None
) -> CameraReport:
    return CameraReport(
        height_m=camera.height_m,
        pitch_deg=math.degrees(camera.pitch_rad),
        focal_length_px=camera.focal_length_px,
        focal_length_known=estimator.known_focal_length_px(view) is not None or len(set(estimator.cameras[2::3])) == 1,
        residual=residual,
    )
