"""Estimator of persons/m² on the ground, from one image: `ground`.

The camera is calibrated from people's boxes (`calibration`) or given; the feet give positions on the ground in metres;
`measurement` computes the density and its 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera, focal_length_px
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.boxes import missing_boxes_reason, valid_full_boxes
from crowdgan_density.ground_plane.ground_layers import density_map_layers
from crowdgan_density.ground_plane.head_points import CAMERA_NEEDED, boxes_of_heads, correct_for_heights, has_only_heads
from crowdgan_density.ground_plane.homography import read_homography
from crowdgan_density.ground_plane.measurement import GroundMeasurement, calibrate_cameras, measure_ground
from crowdgan_density.ground_plane.perspective import cameras_of_perspective, check_perspective
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView, pool_views
from crowdgan_density.level_of_service_estimator import LevelOfServiceEstimator
from crowdgan_density.level_of_service_scales import parse_scale


@dataclass(frozen=True, kw_only=True)
class GroundPlaneEstimator(LevelOfServiceEstimator):
    """Persons/m² on the ground, camera calibrated from people's heights.

    Needs at least 5 people with full boxes who stand on flat ground, and an upright camera. The focal length is that
    of the option, else that of the EXIF data; if both are missing, the interval covers 24 to 50 mm. People of whom only
    the head is annotated need a given homography, camera or perspective.
    """

    name: ClassVar[str] = "ground"

    focal_mm35: float | None = option(None, "35 mm equivalent focal length in mm; none: EXIF")
    shared_camera: bool = option(False, "calibrate one camera from all images")
    homography: Path | None = option(None, "JSON file with image_to_ground_m; replaces calibration")
    cameras: tuple[float, ...] = option((), "shared cameras: height in m, pitch in degrees, focal length in px, …")
    perspective: tuple[float, ...] = option(
        (), "row in px, px per metre there, and the same for a second row, on the ground; replaces calibration"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.focal_mm35 is not None and not self.focal_mm35 > 0:
            raise ConfigError(f"{self.name}: focal_mm35 is {self.focal_mm35}; it must be above 0")
        if len(self.cameras) % 3:
            raise ConfigError(f"{self.name}: cameras has {len(self.cameras)} numbers; it must have three per camera")
        given = [name for name in ("homography", "cameras", "perspective") if getattr(self, name)]
        if len(given) > 1:
            raise ConfigError(f"{self.name}: {' and '.join(given)} are set; set only one of them")
        if self.perspective:
            check_perspective(self.perspective, self.name)

    def fit(self, scenes: Iterable[Scene]) -> GroundPlaneEstimator:
        """With `shared_camera`, the estimator with cameras calibrated from the people of all scenes; else itself.

        Raises:
            ConfigError: `shared_camera` with images of several sizes, or the camera is unknown.
        """
        if not self.shared_camera or self.cameras or self.perspective or self.homography is not None:
            return self
        views = [MeasuredView.from_scene(scene) for scene in scenes]
        sizes = {view.size for view in views}
        if len(sizes) != 1:
            raise ConfigError(f"{self.name}: shared_camera needs images of one size; there are {len(sizes)} sizes")
        pooled = pool_views(views)
        cameras = calibrate_cameras(pooled, self.known_focal_length_px(pooled))
        if isinstance(cameras, str):
            raise ConfigError(
                f"{self.name}: the shared camera cannot be calibrated: {cameras}; are all images of one fixed camera?"
            )
        triples = [(item.height_m, math.degrees(item.pitch_rad), item.focal_length_px) for item in cameras]
        return replace(self, cameras=tuple(number for triple in triples for number in triple))

    def estimate(self, scene: Scene) -> DensityEstimate:
        """Persons/m² on occupied ground, with interval, peak and class; or unknown with the reason."""
        measurement = self.measure(scene)
        if isinstance(measurement, str):
            return DensityEstimate.unknown(self.unit, measurement)
        return DensityEstimate(
            value=measurement.density_per_m2,
            unit=self.unit,
            class_index=self.class_index(measurement.density_per_m2),
            interval=measurement.interval_per_m2,
            peak=measurement.peak_per_m2,
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The local density on the ground that groups occupy, and hot spots, in the image and from above."""
        measurement = self.measure(scene)
        if isinstance(measurement, str):
            return ()
        return density_map_layers(scene, measurement, parse_scale(self.scale), self.unit)

    def measure(self, scene: Scene) -> GroundMeasurement | str:
        """Positions and density of a scene's people on the ground; or the reason why the density is unknown."""
        located = self.locate(scene)
        if isinstance(located, str):
            return located
        view, projections = located
        measurement = measure_ground(view, projections)
        if isinstance(measurement, str) or view.heights_measured:
            return measurement
        return correct_for_heights(measurement, self.known_focal_length_px(view))

    def locate(self, scene: Scene) -> tuple[MeasuredView, Sequence[GroundProjection]] | str:
        """People and equally probable projections of a scene, the best one first; or the reason if they are unknown."""
        view = MeasuredView.from_scene(scene)
        if has_only_heads(scene):
            return self._locate_heads(scene, view)
        if reason := missing_boxes_reason(scene, valid_full_boxes(scene)):
            return reason
        projections = self.known_projections(view) or calibrate_cameras(view, self.known_focal_length_px(view))
        return projections if isinstance(projections, str) else (view, projections)

    def _locate_heads(self, scene: Scene, view: MeasuredView) -> tuple[MeasuredView, Sequence[GroundProjection]] | str:
        """As `locate`, for a scene in which only heads are annotated: people are standing and of mean height."""
        projections = self.known_projections(view)
        if not projections:
            return CAMERA_NEEDED
        boxes = boxes_of_heads(scene, projections[0], self.known_focal_length_px(view))
        if isinstance(boxes, str):
            return boxes
        return MeasuredView.from_boxes(scene, boxes, heights_measured=False), projections

    def known_projections(self, view: MeasuredView) -> Sequence[GroundProjection]:
        """The given projections, the most probable one first; empty if the camera must be calibrated."""
        if self.homography is not None:
            return [read_homography(self.homography, view.size)]
        if self.cameras:
            return self.shared_cameras(view.size)
        if self.perspective:
            return cameras_of_perspective(self.perspective, view.size, self.known_focal_length_px(view))
        return []

    @property
    def has_one_camera(self) -> bool:
        """Whether one camera or homography is given for all images, or has been calibrated from all."""
        return self.homography is not None or bool(self.cameras) or bool(self.perspective)

    def shared_cameras(self, size: tuple[int, int]) -> list[Camera]:
        """The cameras of the option `cameras` for images of `size` (height, width), the most probable one first."""
        triples = np.array(self.cameras).reshape(-1, 3).tolist()
        return [
            Camera(height_m=height, pitch_rad=math.radians(pitch), focal_length_px=focal, size=size)
            for height, pitch, focal in triples
        ]

    def known_focal_length_px(self, view: MeasuredView) -> float | None:
        """Focal length in pixels, from the option or the image; None if unknown."""
        if self.focal_mm35 is not None:
            return focal_length_px(self.focal_mm35, view.size)
        return view.focal_length_px
