"""Estimator of persons/m² on the ground from people's Voronoi cells: `voronoi`.

The camera is calibrated as for `ground`. A person's cell is the ground nearer to that person than to any other, and
the inverse of its area is the local density. Cells at the boundary of a group or of the image extend into ground
without annotated people, so the scene's density is that of the other cells, or that of `ground` if they are too few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import FloatArray, IndexArray, Points
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.ground_layers import voronoi_cell_layers
from crowdgan_density.ground_plane.groups import MIN_GROUP_PEOPLE, find_groups, group_hull
from crowdgan_density.ground_plane.measurement import interval_of_part
from crowdgan_density.ground_plane.voronoi_cells import interior_cell_areas, interior_cells
from crowdgan_density.level_of_service_scales import parse_scale

RELATIVE_CELL_SD = 1.5
"""Relative standard deviation of a density computed from the cell of one person, ours; from n cells, it is this divided
by √n. Larger than that of hulls, since cells inside groups are those of few people."""


def inner_areas_m2(positions_m: Points) -> FloatArray:
    """Areas in m² of the cells inside the convex hull of their group, `[num_inner]`.

    The cells are not cut to discs: that would reduce only the largest cells, and bias sparse crowds upwards.

    Args:
        positions_m: `[num_people, 2]`.
    """
    by_group = [interior_cell_areas(positions_m, hull)[group] for group, hull in _groups_with_hulls(positions_m)]
    areas: FloatArray = np.concatenate([np.empty(0), *by_group])
    return np.asarray(areas[np.isfinite(areas)])


def inner_cells_m(positions_m: Points) -> list[Points]:
    """Corners in metres of the cells of `inner_areas_m2`, `[num_corners, 2]` each, in the same order."""
    inner: list[Points] = []
    for group, hull in _groups_with_hulls(positions_m):
        cells = interior_cells(positions_m, hull)
        inner += [cells[person] for person in group.tolist() if len(cells[person])]
    return inner


def _groups_with_hulls(positions_m: Points) -> Iterator[tuple[IndexArray, Points]]:
    """Indices of the people of each group that spans an area, and its convex hull."""
    for group in find_groups(positions_m):
        hull = group_hull(positions_m[group])
        if hull is not None:
            yield group, hull


@dataclass(frozen=True, kw_only=True)
class VoronoiEstimator(GroundPlaneEstimator):
    """Persons/m² on the ground, from Voronoi cells.

    Needs the same as `ground`. With fewer than 5 cells inside groups, the density is that of `ground`.

    Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
    scatter", Physica A 2010, arXiv 0911.2165.
    """

    name: ClassVar[str] = "voronoi"

    def estimate(self, scene: Scene) -> DensityEstimate:
        """People inside groups over the area of their cells, with interval, peak and class; or unknown with reason."""
        measurement = self.measure(scene)
        if isinstance(measurement, str):
            return DensityEstimate.unknown(self.unit, measurement)
        value, interval = measurement.density_per_m2, measurement.interval_per_m2
        areas = inner_areas_m2(measurement.positions_m)
        if len(areas) >= MIN_GROUP_PEOPLE:
            value = measurement.people_per_position * len(areas) / float(areas.sum())
            interval = interval_of_part(measurement, value, len(areas), RELATIVE_CELL_SD)
        return DensityEstimate(
            value=value,
            unit=self.unit,
            class_index=self.class_index(value),
            interval=interval,
            peak=max(measurement.peak_per_m2, value),
        )

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The cells inside groups with their local densities, and hot spots, in the image and from above."""
        measurement = self.measure(scene)
        areas = np.empty(0) if isinstance(measurement, str) else inner_areas_m2(measurement.positions_m)
        if isinstance(measurement, str) or len(areas) < MIN_GROUP_PEOPLE:
            return super().explain(scene)
        values = measurement.people_per_position / areas
        cells = inner_cells_m(measurement.positions_m)
        return voronoi_cell_layers(scene, measurement, cells, values, parse_scale(self.scale), self.unit)
