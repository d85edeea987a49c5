"""What `ground` tells of images, to be looked at before they are labelled: cameras, densities, levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import parallel_map
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_density.ground_plane.calibration import height_residual, inlier_mask
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.view import MeasuredView, pool_views


@dataclass(frozen=True, kw_only=True)
class CameraReport:
    """A camera as it was told."""

    height_m: float
    pitch_deg: float
    """Angle of the view axis below the horizontal in degrees."""
    focal_length_px: float
    """In pixels of the whole photograph."""
    focal_length_known: bool
    """False where it is the most probable one between 24 and 50 mm."""
    residual: float
    """Standard deviation of people's heights by this camera, relative."""


@dataclass(frozen=True, kw_only=True)
class ImageReport:
    """What is told of one image; None where it is not."""

    image: str
    person_count: int
    camera: CameraReport | None = None
    """None with a homography, too."""
    density_per_m2: float | None = None
    interval_per_m2: tuple[float, float] | None = None
    peak_per_m2: float | None = None
    """95th percentile of people's local densities."""
    level: str | None = None
    """Class of the density on the estimator's scale."""
    reason: str | None = None
    """Why it cannot be told; None when it can."""


def report_scene(ground: GroundPlaneEstimator, scene: Scene) -> ImageReport:
    """What a fitted estimator tells of one image."""
    found = ground.measured(scene)
    if isinstance(found, str):
        return ImageReport(image=scene.source_name, person_count=scene.person_count, reason=found)
    return ImageReport(
        image=scene.source_name,
        person_count=scene.person_count,
        camera=_camera_report(ground, found.frame, found.view) if isinstance(found.view, Camera) else None,
        density_per_m2=found.density_per_m2,
        interval_per_m2=found.interval_per_m2,
        peak_per_m2=found.peak_per_m2,
        level=ground.classes[ground.class_index(found.density_per_m2)],
    )


def report_scenes(
    ground: GroundPlaneEstimator, scenes: Sequence[Scene], *, workers: int = 1, progress: Progress | None = None
) -> list[ImageReport]:
    """What a fitted estimator tells of each image.

    Args:
        ground: fitted already.
        scenes: whole photographs.
        workers: processes that share the work.
        progress: told of each image.
    """
    progress = progress or NullProgress()
    progress.start("measuring", len(scenes))
    reports = []
    with closing(parallel_map(partial(report_scene, ground), scenes, workers=workers)) as found:
        for report in found:
            progress.advance()
            reports.append(report)
    return reports


def shared_camera(ground: GroundPlaneEstimator, scenes: Sequence[Scene]) -> CameraReport | None:
    """The camera that a fitted estimator takes for all images; None where each has its own."""
    if not ground.cameras:
        return None
    everybody = pool_views([MeasuredView.of(scene) for scene in scenes])
    return _camera_report(ground, everybody, ground.given_cameras(everybody.size)[0])


def _camera_report(ground: GroundPlaneEstimator, frame: MeasuredView, camera: Camera) -> CameraReport:
    return CameraReport(
        height_m=camera.height_m,
        pitch_deg=math.degrees(camera.pitch_rad),
        focal_length_px=camera.focal_length_px,
        focal_length_known=ground.known_focal_px(frame) is not None,
        residual=height_residual(frame.boxes_xywh[inlier_mask(frame.boxes_xywh, camera)], camera),
    )
