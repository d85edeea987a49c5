"""What `ground` tells of pictures, to be looked at before they are labelled: cameras, densities, levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from crowdgan_core.camera import Camera
from crowdgan_core.parallel import ordered_map
from crowdgan_core.progress import NoProgress, Progress
from crowdgan_core.scene import Scene
from crowdgan_density.calibration import fitting, residual
from crowdgan_density.frame import Frame, pooled
from crowdgan_density.ground import Ground


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
class PictureReport:
    """What is told of one picture; None where it is not."""

    picture: str
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


def report_on(ground: Ground, scene: Scene) -> PictureReport:
    """What a fitted estimator tells of one picture."""
    found = ground.measured(scene)
    if isinstance(found, str):
        return PictureReport(picture=scene.source_name, person_count=scene.person_count, reason=found)
    return PictureReport(
        picture=scene.source_name,
        person_count=scene.person_count,
        camera=_camera_report(ground, found.frame, found.view) if isinstance(found.view, Camera) else None,
        density_per_m2=found.density_per_m2,
        interval_per_m2=found.interval_per_m2,
        peak_per_m2=found.peak_per_m2,
        level=ground.classes[ground.class_index(found.density_per_m2)],
    )


def report_on_all(
    ground: Ground, scenes: Sequence[Scene], *, workers: int = 1, progress: Progress | None = None
) -> list[PictureReport]:
    """What a fitted estimator tells of each picture.

    Args:
        ground: fitted already.
        scenes: whole photographs.
        workers: processes that share the work.
        progress: told of each picture.
    """
    progress = progress or NoProgress()
    progress.start("measuring", len(scenes))
    reports = []
    with closing(ordered_map(partial(report_on, ground), scenes, workers=workers)) as found:
        for report in found:
            progress.advance()
            reports.append(report)
    return reports


def shared_camera(ground: Ground, scenes: Sequence[Scene]) -> CameraReport | None:
    """The camera that a fitted estimator takes for all pictures; None where each has its own."""
    if not ground.cameras:
        return None
    everybody = pooled([Frame.of(scene) for scene in scenes])
    return _camera_report(ground, everybody, ground.given_cameras(everybody.size)[0])


def _camera_report(ground: Ground, frame: Frame, camera: Camera) -> CameraReport:
    return CameraReport(
        height_m=camera.height_m,
        pitch_deg=math.degrees(camera.pitch_rad),
        focal_length_px=camera.focal_length_px,
        focal_length_known=ground.known_focal_px(frame) is not None,
        residual=residual(frame.boxes_xywh[fitting(frame.boxes_xywh, camera)], camera),
    )
