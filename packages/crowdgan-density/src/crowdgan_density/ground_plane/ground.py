"""Persons per square metre of ground, from one photograph: `ground`.

The camera is told from the people (`calibration`), or given; their feet give positions on the ground in metres; the
density is that on the ground which they occupy and the image shows (`occupied`), raised by the people
whom nearer ones hide (`occlusion`). Cameras that explain the boxes
equally well are all carried along: their densities, and the chance in where people stand, make the interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera, focal_length_px
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.boxes import missing_boxes_reason, valid_full_boxes
from crowdgan_density.ground_plane.homography import read_homography
from crowdgan_density.ground_plane.measurement import GroundMeasurement, calibrate_views, measure
from crowdgan_density.ground_plane.view import MeasuredView, View, pool_views
from crowdgan_density.level_of_service import LEVEL_OF_SERVICE_SCALES, parse_scale


@dataclass(frozen=True, kw_only=True)
class GroundPlaneEstimator(DensityEstimator):
    """Persons/m² of ground, by a camera that is told from the people's heights.

    It needs at least 5 people with full boxes who stand on flat ground before a camera held upright. The focal length
    is taken from the option, else from the image's EXIF data; without either the answer is an interval over 24 to
    50 mm and its middle.
    """

    name: ClassVar[str] = "ground"
    unit: ClassVar[str] = "persons/m²"

    scale: str = option(
        "fruin-walkway", f"classes: {', '.join(LEVEL_OF_SERVICE_SCALES)}, or bounds in persons/m² such as 0.5,1,2"
    )
    focal_mm35: float | None = option(None, "focal length on 35 mm film in mm; none takes the image's EXIF data")
    shared_camera: bool = option(False, "whether one fixed camera took all scenes: it is then told from all of them")
    homography: Path | None = option(None, "JSON file with image_to_ground_m, used instead of people's heights")
    cameras: tuple[float, ...] = option((), "the shared camera: height in m, pitch in degrees, focal length in px, …")

    def __post_init__(self) -> None:
        parse_scale(self.scale)
        if self.focal_mm35 is not None and not self.focal_mm35 > 0:
            raise ConfigError(f"{self.name}: focal_mm35 is {self.focal_mm35}; it must be above 0")
        if len(self.cameras) % 3:
            raise ConfigError(f"{self.name}: cameras has {len(self.cameras)} numbers; it must have three per camera")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the scale."""
        return parse_scale(self.scale).classes

    def class_index(self, density_per_m2: float) -> int:
        """Index of the class of a density in persons/m²."""
        return parse_scale(self.scale).class_index(density_per_m2)

    def fit(self, scenes: Iterable[Scene]) -> GroundPlaneEstimator:
        """With `shared_camera`, the estimator with the camera that explains the people of all scenes."""
        if not self.shared_camera or self.cameras or self.homography is not None:
            return self
        frames = [MeasuredView.of(scene) for scene in scenes]
        sizes = {frame.size for frame in frames}
        if len(sizes) != 1:
            raise ConfigError(f"{self.name}: shared_camera needs images of one size; there are {len(sizes)}")
        everybody = pool_views(frames)
        views = calibrate_views(everybody, self.known_focal_px(everybody))
        if isinstance(views, str):
            raise ConfigError(f"{self.name}: no shared camera: {views}")
        numbers = [(v.height_m, math.degrees(v.pitch_rad), v.focal_length_px) for v in views if isinstance(v, Camera)]
        return replace(self, cameras=tuple(number for camera in numbers for number in camera))

    def estimate(self, scene: Scene) -> DensityEstimate:
        """Persons/m² on the ground that people occupy, its interval and level; or why it cannot be told."""
        found = self.measured(scene)
        if isinstance(found, str):
            return DensityEstimate.unknown(self.unit, found)
        return DensityEstimate(
            value=found.density_per_m2,
            unit=self.unit,
            class_index=self.class_index(found.density_per_m2),
            interval=found.interval_per_m2,
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The ground that groups of people occupy, in the image and from above, with a grid of metres."""
        from crowdgan_density.ground_plane.ground_layers import (
            occupied_ground,  # here, since it uses what this module measures
        )

        found = self.measured(scene)
        return () if isinstance(found, str) else occupied_ground(scene, found, found.density_per_m2, self.unit)

    def measured(self, scene: Scene) -> GroundMeasurement | str:
        """All that is told of the ground under a scene; or why it cannot be told."""
        frame = MeasuredView.of(scene)
        if reason := missing_boxes_reason(scene, valid_full_boxes(scene)):
            return reason
        views = self._views(frame)
        return views if isinstance(views, str) else measure(frame, views)

    def _views(self, frame: MeasuredView) -> Sequence[View] | str:
        if self.homography is not None:
            return [read_homography(self.homography, frame.size)]
        if self.cameras:
            return self.given_cameras(frame.size)
        return calibrate_views(frame, self.known_focal_px(frame))

    def given_cameras(self, size: tuple[int, int]) -> list[Camera]:
        """The cameras of the option, for images of `size` (height, width), the most probable one first."""
        triples = np.array(self.cameras).reshape(-1, 3).tolist()
        return [
            Camera(height_m=height, pitch_rad=math.radians(pitch), focal_length_px=focal, size=size)
            for height, pitch, focal in triples
        ]

    def known_focal_px(self, frame: MeasuredView) -> float | None:
        """Focal length in pixels that the option or the image tells; None where nothing does."""
        if self.focal_mm35 is not None:
            return focal_length_px(self.focal_mm35, frame.size)
        return frame.focal_length_px
