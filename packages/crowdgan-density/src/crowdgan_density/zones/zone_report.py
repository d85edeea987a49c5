"""Reports of zones: people, area, density and level of service of each zone in each image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.parallel import Workers, parallel_list
from crowdgan_core.utils.progress import Progress
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.people_heights import projection_problem
from crowdgan_density.ground_plane.report import fraction_columns, interval_columns
from crowdgan_density.level_of_service_scales import level_of_service
from crowdgan_density.zones.zone_files import Zone
from crowdgan_density.zones.zone_measurement import MeasuredGround, ZoneMeasurement
from crowdgan_density.zones.zone_placement import place_zone
from crowdgan_density.zones.zone_selection import Grid, ZoneSelection, grid_zones, measure_selection

METRES_HINT = (
    "; without a homography, metres count from the ground below the camera, x to the right and y forward; for "
    "coordinates of a plan, add --set homography=FILE"
)
"""End of the message of a zone in metres that is not visible."""


@dataclass(frozen=True, kw_only=True)
class ZoneReport:
    """People, area, density and level of service of one zone in one image; None if unknown."""

    image: str
    """Name of the image in its source."""
    zone: str | None
    """Name of the zone; None if the image has no zones, because its camera or its groups are unknown."""
    person_count: int | None = None
    """Annotated people with their feet in the zone."""
    corrected_count: float | None = None
    """People in the zone, including occluded people who are not annotated."""
    area_m2: float | None = None
    """Area of the visible part of the zone on the ground in m²."""
    visible_fraction: float | None = None
    """Area of the visible part over that of the whole zone."""
    density_per_m2: float | None = None
    """Corrected count over area in persons/m²."""
    interval_per_m2: tuple[float, float] | None = None
    """95 % interval of the density."""
    level: str | None = None
    """Level of service of the density, on the estimator's scale."""
    voronoi_density_per_m2: float | None = None
    """Mean over the zone of the local density by Voronoi cells in persons/m²."""
    peak_per_m2: float | None = None
    """95th percentile of the local densities of people in the zone."""
    peak_level: str | None = None
    """Level of service of the peak."""
    fractions_above: tuple[float, ...] = ()
    """Fraction of the people in the zone whose local density is above each class boundary of the scale."""
    reason: str | None = None
    """Reason why the density is unknown; None if it is known."""

    def __repr__(self) -> str:
        """For example `ZoneReport('frame_0011', 'gate', 5 people, 0.84 persons/m², level 'D')`."""
        if self.density_per_m2 is None:
            return f"ZoneReport({self.image!r}, {self.zone!r}, unknown: {self.reason})"
        density = f"{self.density_per_m2:.2f} persons/m², level {self.level!r}"
        return f"ZoneReport({self.image!r}, {self.zone!r}, {self.person_count} people, {density})"


def report_zones(
    estimator: GroundPlaneEstimator,
    scenes: Sequence[Scene],
    zones: ZoneSelection,
    *,
    workers: Workers = 1,
    progress: Progress | None = None,
) -> list[ZoneReport]:
    """The reports of the zones in each image, by a fitted estimator, in the order of images and zones.

    Args:
        estimator: fitted already.
        scenes: scenes of full images.
        zones: zones of `read_zones`, `Grid(side_m=…)`, or `"groups"`.
        workers: number of worker processes, or another executor.
        progress: receives one step per image.

    Raises:
        ConfigError: a zone is on visible ground in no image.
    """
    if isinstance(zones, Grid):
        zones = fix_grid(estimator, scenes, zones)
    else:
        check_placement(estimator, scenes, zones)
    measure = partial(report_scene_zones, estimator, zones)
    by_scene = parallel_list(measure, scenes, "measuring zones", workers=workers, progress=progress)
    return list(itertools.chain.from_iterable(by_scene))


def fix_grid(estimator: GroundPlaneEstimator, scenes: Sequence[Scene], grid: Grid) -> tuple[Zone, ...] | Grid:
    """The squares of a grid around the people of all images, if the images have one camera; otherwise the grid.

    Raises:
        ConfigError: the grid has too many squares.
    """
    if not estimator.has_one_camera:
        return grid
    located = [item for item in map(estimator.locate, scenes) if not isinstance(item, str)]
    grounds = [MeasuredGround(view=view, projections=maps, measurement=None) for view, maps in located]
    if not any(len(ground.positions_m) for ground in grounds):
        return grid
    positions_m = np.concatenate([ground.positions_m for ground in grounds])
    squares = grid_zones(grid, grounds[0].view, grounds[0].projections[0], positions_m)
    if isinstance(squares, str):
        raise ConfigError(f"grid:{grid.side_m:g}: {squares}; choose larger ones")
    return squares


def report_scene_zones(estimator: GroundPlaneEstimator, zones: ZoneSelection, scene: Scene) -> list[ZoneReport]:
    """The reports of the zones in one image, by a fitted estimator."""
    ground = measured_ground(estimator, scene)
    measured = ground if isinstance(ground, str) else measure_selection(zones, ground)
    if isinstance(measured, str):
        names = [zone.name for zone in zones] if isinstance(zones, tuple) else [None]
        return [ZoneReport(image=scene.source_name, zone=name, reason=measured) for name in names]
    return [_report_zone(estimator, scene, name, item) for name, item in measured]


def zone_rows(reports: Sequence[ZoneReport], bounds_per_m2: Sequence[float]) -> list[dict[str, Any]]:
    """One row per report with the columns of `crowdgan calibrate --zones --out`; values that are unknown are None.

    A pandas table of them: `pandas.DataFrame(zone_rows(reports, estimator.class_bounds.values))`.

    Args:
        reports: reports of zones.
        bounds_per_m2: class boundaries of the scale of the reports, in persons/m².
    """
    return [_zone_row(report, bounds_per_m2) for report in reports]


def measured_ground(estimator: GroundPlaneEstimator, scene: Scene) -> MeasuredGround | str:
    """The ground of an image on which zones can be measured; or the reason why its camera or people are unknown.

    With a known camera, an image with few people, or none, has a ground, too.
    """
    measurement = estimator.measure(scene)
    if not isinstance(measurement, str):
        return MeasuredGround(view=measurement.view, projections=measurement.projections, measurement=measurement)
    located = estimator.locate(scene)
    if isinstance(located, str):
        return located
    view, projections = located
    if problem := projection_problem(view, projections[0]):
        return problem
    return MeasuredGround(view=view, projections=projections, measurement=None, reason=measurement)


def check_placement(estimator: GroundPlaneEstimator, scenes: Sequence[Scene], zones: ZoneSelection) -> None:
    """Checks that each zone of a file is on visible ground in one of the images whose camera is known.

    Raises:
        ConfigError: it is in none; the message names file, feature and reason.
    """
    if not isinstance(zones, tuple):
        return
    unplaced = {zone.name: zone for zone in zones}
    reasons: dict[str, str] = {}
    for scene in scenes:
        if not unplaced:
            return
        located = estimator.locate(scene)
        if isinstance(located, str):
            continue
        view, projections = located
        for name, zone in list(unplaced.items()):
            placed = place_zone(zone, view, projections[0])
            if isinstance(placed, str):
                reasons.setdefault(name, f"{placed} (image {scene.source_name}, {view.size[1]}x{view.size[0]} px)")
            else:
                del unplaced[name]
    for name, zone in unplaced.items():
        if name in reasons:
            hint = METRES_HINT if zone.unit == "metres" and estimator.homography is None else ""
            raise ConfigError(f"{zone.where}: {reasons[name]}{hint}")


def _report_zone(
    estimator: GroundPlaneEstimator, scene: Scene, name: str, measured: ZoneMeasurement | str
) -> ZoneReport:
    if isinstance(measured, str):
        return ZoneReport(image=scene.source_name, zone=name, reason=measured)
    peak = measured.peak_per_m2
    fractions = [measured.fraction_above(bound) for bound in estimator.class_bounds.values]
    return ZoneReport(
        image=scene.source_name,
        zone=name,
        person_count=measured.person_count,
        corrected_count=measured.corrected_count,
        area_m2=measured.area_m2,
        visible_fraction=measured.visible_fraction,
        density_per_m2=measured.density_per_m2,
        interval_per_m2=measured.interval_per_m2,
        level=level_of_service(measured.density_per_m2, estimator.scale),
        voronoi_density_per_m2=measured.voronoi_density_per_m2,
        peak_per_m2=peak,
        peak_level=None if peak is None else level_of_service(peak, estimator.scale),
        fractions_above=tuple(fraction for fraction in fractions if fraction is not None),
    )


def _zone_row(report: ZoneReport, bounds_per_m2: Sequence[float]) -> dict[str, Any]:
    return {
        "image": report.image,
        "zone": report.zone,
        "person_count": report.person_count,
        "corrected_count": report.corrected_count,
        "area_m2": report.area_m2,
        "visible_fraction": report.visible_fraction,
        "density_per_m2": report.density_per_m2,
        **interval_columns(report.interval_per_m2),
        "level": report.level,
        "voronoi_density_per_m2": report.voronoi_density_per_m2,
        "peak_per_m2": report.peak_per_m2,
        "peak_level": report.peak_level,
        **fraction_columns(bounds_per_m2, report.fractions_above),
        "reason": report.reason,
    }
