"""Persons per square metre of ground, from one photograph: `ground`.

The camera is told from the people (`calibration`), or given; their feet give positions on the ground in metres; the
density is that on the ground which they occupy and the picture shows (`occupied`), raised by the people
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
import numpy.typing as npt

from crowdgan_core.camera import Camera, focal_length_px
from crowdgan_core.density import Density, DensityEstimator, option
from crowdgan_core.errors import ConfigError
from crowdgan_core.layers import Layer
from crowdgan_core.scene import Boxes, Scene
from crowdgan_density.boxes import lack_of_boxes, usable_full_boxes
from crowdgan_density.calibration import LOG_HEIGHT_SD, calibrate, fitting, relative_heights, residual
from crowdgan_density.cells import peak_per_m2
from crowdgan_density.frame import Frame, View, pooled, shown_ground
from crowdgan_density.homography import Homography, read_homography
from crowdgan_density.level_of_service import SCALES, scale_of
from crowdgan_density.occlusion import missing_share
from crowdgan_density.occupied import MIN_GROUP, Indices, Points, groups, occupied_density

MIN_PEOPLE = 5
"""People with boxes from which a camera can be told."""

CAMERAS = 12
"""Cameras, equally probable, that stand for all that may have taken the picture."""

MIN_FITTING_SHARE = 0.6
"""Share of the boxes that must fit one camera over one flat ground."""

MAX_INTERVAL_RATIO = 8.0
"""Upper over lower bound of the interval beyond which the density is not told."""

RESIDUALS = (0.02, 0.088)
"""Least and largest relative standard deviation of people's heights under the camera. Made-up crowds show 0.05 to
0.077; two levels of ground 2 m apart show 0.09, and boxes that are all equal less than 0.01."""

MAX_TILT = 0.2
"""Largest change of people's heights from one side of the picture to the other, as a share. Made-up crowds show 0.16 at
most, a camera rolled by 3 degrees 0.15, and one rolled by 6 degrees 0.28."""

TILT_ERRORS = 4.0
"""Standard errors from 0 from which such a change is no chance."""

CHANCE = 1.0
"""Relative standard deviation of the density of one person's share of ground; people keep distances, so the density of
n people varies by less than this over √n."""

NORMAL_NINTHS = (-1.593, -0.967, -0.589, -0.282, 0.0, 0.282, 0.589, 0.967, 1.593)
"""Nine values that stand for equal shares of a standard normal distribution."""

INTERVAL = (0.025, 0.975)
"""Quantiles between which the density is expected."""

NO_FLAT_GROUND = "too few people fit one flat ground before an upright camera (stairs, stands, sitting people, posters)"
TILTED = "people's heights change from left to right (a rolled camera, or ground that slopes sideways)"
NO_PERSPECTIVE = "the people tell too little of the camera (they stand in one row, or are equally tall in the picture)"
NO_GROUP = f"no {MIN_GROUP} people with their feet in the picture stand together over an area"


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundMeasure:
    """What is told of the ground under a scene."""

    frame: Frame
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
        """95th percentile of people's local densities in persons/m², on the ground that the picture shows.

        At least the scene's density: of a few people most stand at the border, where cells reach into empty ground.
        """
        ground = shown_ground(self.frame, self.view, self.positions_m)
        return max(self.people_per_position * peak_per_m2(self.positions_m, ground), self.density_per_m2)


def measure(frame: Frame, views: Sequence[View]) -> GroundMeasure | str:
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
    return GroundMeasure(
        frame=frame,
        density_per_m2=float(np.exp(np.median(log_densities))),
        interval_per_m2=(low, high),
        view=best,
        positions_m=positions,
        groups_m=tuple(best.ground_from_pixels(frame.feet_px[group]) for group in among),
        people_per_position=float(_people_per_fitting(frame, fits) / seen_share),
        residual=None if isinstance(best, Homography) else residual(frame.boxes_xywh[fits], best),
    )


def calibrated_views(frame: Frame, focal: float | None) -> list[View] | str:
    """Cameras that explain the people, the best one first; or why there are none."""
    if len(frame.boxes_xywh) < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} people with a full-body box"
    calibration = calibrate(frame.boxes_xywh, frame.size, focal)
    best = calibration.best()
    fits = fitting(frame.boxes_xywh, best)
    if fits.mean() < MIN_FITTING_SHARE or fits.sum() < MIN_PEOPLE:
        return NO_FLAT_GROUND
    if _is_tilted(frame.boxes_xywh[fits], best):
        return TILTED
    spread = residual(frame.boxes_xywh[fits], best)
    if not RESIDUALS[0] <= spread <= RESIDUALS[1]:
        return NO_FLAT_GROUND if spread > RESIDUALS[1] else NO_PERSPECTIVE
    return [best, *calibration.quantile_cameras(CAMERAS)]


def _groups(frame: Frame, view: View, fits: npt.NDArray[np.bool_]) -> list[Indices]:
    """Who stands near whom, as indices into the frame's people, by a view."""
    shown = np.flatnonzero(frame.shown & fits)
    positions = view.ground_from_pixels(frame.feet_px[shown])
    on_ground = np.isfinite(positions).all(axis=1)
    return [shown[on_ground][group] for group in groups(positions[on_ground])]


def _density_under(frame: Frame, view: View, among: Sequence[Indices]) -> tuple[float, int] | None:
    """Density in persons/m² under one view, and the number of people that tell it."""
    fits = _fits(frame, view)
    positions = view.ground_from_pixels(frame.feet_px)
    usable = frame.shown & fits & np.isfinite(positions).all(axis=1)
    found = occupied_density(positions, [group[usable[group]] for group in among])
    return None if found is None else (found[0] * _people_per_fitting(frame, fits), found[1])


def _people_per_fitting(frame: Frame, fits: npt.NDArray[np.bool_]) -> float:
    """People in the measured part per person whose box fits: those with wrong boxes are people, too."""
    return np.count_nonzero(frame.shown) / np.count_nonzero(frame.shown & fits)


def _seen_share(boxes_xywh: Boxes, view: View, positions_m: Points) -> float:
    """Share of the people who are annotated, as far as nearer ones hide the others; 1 with a homography."""
    if isinstance(view, Homography) or len(positions_m) < MIN_GROUP:
        return 1.0
    return 1.0 - missing_share(positions_m, boxes_xywh, view)


def _fits(frame: Frame, view: View) -> npt.NDArray[np.bool_]:
    if isinstance(view, Homography):
        return np.ones(len(frame.boxes_xywh), bool)
    return fitting(frame.boxes_xywh, view)


def _interval(log_densities: npt.NDArray[np.float64], people: float) -> tuple[float, float]:
    """Bounds of the density over the views, with the chance in where people stand added."""
    chance = CHANCE / math.sqrt(people) * np.array(NORMAL_NINTHS)
    low, high = np.exp(np.quantile(log_densities[:, None] + chance, INTERVAL))
    return float(low), float(high)


def _is_tilted(boxes_xywh: Boxes, camera: Camera) -> bool:
    """Whether people's heights rise from one side of the picture to the other by more than chance."""
    across = (boxes_xywh[:, 0] + boxes_xywh[:, 2] / 2) / camera.size[1] - 0.5
    spread = across - across.mean()
    logs = np.log(relative_heights(boxes_xywh, camera))
    squares = float((spread**2).sum())
    if squares == 0:
        return False
    slope = float((spread * logs).sum()) / squares
    return abs(slope) > max(MAX_TILT, TILT_ERRORS * LOG_HEIGHT_SD / math.sqrt(squares))


@dataclass(frozen=True, kw_only=True)
class Ground(DensityEstimator):
    """Persons/m² of ground, by a camera that is told from the people's heights.

    It needs at least 5 people with full boxes who stand on flat ground before a camera held upright. The focal length
    is taken from the option, else from the picture's EXIF data; without either the answer is an interval over 24 to
    50 mm and its middle.
    """

    name: ClassVar[str] = "ground"
    unit: ClassVar[str] = "persons/m²"

    scale: str = option("fruin-walkway", f"classes: {', '.join(SCALES)}, or bounds in persons/m² such as 0.5,1,2")
    focal_mm35: float | None = option(None, "focal length on 35 mm film in mm; none takes the picture's EXIF data")
    shared_camera: bool = option(False, "whether one fixed camera took all scenes: it is then told from all of them")
    homography: Path | None = option(None, "JSON file with image_to_ground_m, used instead of people's heights")
    cameras: tuple[float, ...] = option((), "the shared camera: height in m, pitch in degrees, focal length in px, …")

    def __post_init__(self) -> None:
        scale_of(self.scale)
        if self.focal_mm35 is not None and not self.focal_mm35 > 0:
            raise ConfigError(f"{self.name}: focal_mm35 is {self.focal_mm35}; it must be above 0")
        if len(self.cameras) % 3:
            raise ConfigError(f"{self.name}: cameras has {len(self.cameras)} numbers; it must have three per camera")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the scale."""
        return scale_of(self.scale).classes

    def class_index(self, density_per_m2: float) -> int:
        """Index of the class of a density in persons/m²."""
        return scale_of(self.scale).class_index(density_per_m2)

    def fit(self, scenes: Iterable[Scene]) -> Ground:
        """With `shared_camera`, the estimator with the camera that explains the people of all scenes."""
        if not self.shared_camera or self.cameras or self.homography is not None:
            return self
        frames = [Frame.of(scene) for scene in scenes]
        sizes = {frame.size for frame in frames}
        if len(sizes) != 1:
            raise ConfigError(f"{self.name}: shared_camera needs pictures of one size; there are {len(sizes)}")
        everybody = pooled(frames)
        views = calibrated_views(everybody, self.known_focal_px(everybody))
        if isinstance(views, str):
            raise ConfigError(f"{self.name}: no shared camera: {views}")
        numbers = [(v.height_m, math.degrees(v.pitch_rad), v.focal_length_px) for v in views if isinstance(v, Camera)]
        return replace(self, cameras=tuple(number for camera in numbers for number in camera))

    def estimate(self, scene: Scene) -> Density:
        """Persons/m² on the ground that people occupy, its interval and level; or why it cannot be told."""
        found = self.measured(scene)
        if isinstance(found, str):
            return Density.unknown(self.unit, found)
        return Density(
            value=found.density_per_m2,
            unit=self.unit,
            class_index=self.class_index(found.density_per_m2),
            interval=found.interval_per_m2,
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The ground that groups of people occupy, in the picture and from above, with a grid of metres."""
        from crowdgan_density.ground_layers import occupied_ground  # here, since it uses what this module measures

        found = self.measured(scene)
        return () if isinstance(found, str) else occupied_ground(scene, found, found.density_per_m2, self.unit)

    def measured(self, scene: Scene) -> GroundMeasure | str:
        """All that is told of the ground under a scene; or why it cannot be told."""
        frame = Frame.of(scene)
        if reason := lack_of_boxes(scene, usable_full_boxes(scene)):
            return reason
        views = self._views(frame)
        return views if isinstance(views, str) else measure(frame, views)

    def _views(self, frame: Frame) -> Sequence[View] | str:
        if self.homography is not None:
            return [read_homography(self.homography, frame.size)]
        if self.cameras:
            return self.given_cameras(frame.size)
        return calibrated_views(frame, self.known_focal_px(frame))

    def given_cameras(self, size: tuple[int, int]) -> list[Camera]:
        """The cameras of the option, for pictures of `size` (height, width), the most probable one first."""
        triples = np.array(self.cameras).reshape(-1, 3).tolist()
        return [
            Camera(height_m=height, pitch_rad=math.radians(pitch), focal_length_px=focal, size=size)
            for height, pitch, focal in triples
        ]

    def known_focal_px(self, frame: Frame) -> float | None:
        """Focal length in pixels that the option or the picture tells; None where nothing does."""
        if self.focal_mm35 is not None:
            return focal_length_px(self.focal_mm35, frame.size)
        return frame.focal_length_px
