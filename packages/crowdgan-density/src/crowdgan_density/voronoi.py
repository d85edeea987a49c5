"""Persons per square metre of ground from people's Voronoi cells: `voronoi`.

The camera is told as for `ground`. A person's cell is the ground nearer to that person than to anybody else, cut to
what the picture shows and to a disc; its inverse area is the local density there. People at the border of the crowd or
of the view have cells that reach into ground where nobody was looked for: the scene's density is that of the others, or
where there are none that of `ground`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crowdgan_core.density import Density, option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scene import Scene
from crowdgan_density.cells import cell_areas, local_densities_per_m2
from crowdgan_density.frame import Frame, shown_ground
from crowdgan_density.ground import Ground, GroundMeasure
from crowdgan_density.level_of_service import scale_of
from crowdgan_density.occupied import Points

PEAK_QUANTILE = 0.95
"""Quantile of the local densities that counts as the peak: the crowding that one in twenty people is in."""

WHOLE = 1e-6
"""Relative difference of areas up to which a cell was not cut."""


@dataclass(frozen=True, kw_only=True)
class Voronoi(Ground):
    """Persons/m² of ground, from the Voronoi cells of people on it.

    It needs what `ground` needs. Where nobody stands inside the crowd, it is the density of `ground`.

    Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
    scatter", Physica A 2010, arXiv 0911.2165.
    """

    name: ClassVar[str] = "voronoi"

    cutoff_m: float = option(3.0, "radius in metres beyond which ground is nobody's")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cutoff_m > 0:
            raise ConfigError(f"{self.name}: cutoff_m is {self.cutoff_m}; it must be above 0")

    def estimate(self, scene: Scene) -> Density:
        """Persons inside the crowd over the area of their cells; the interval has the width of that of `ground`."""
        found = self.measured(scene)
        if isinstance(found, str):
            return Density.unknown(self.unit, found)
        areas = self.inner_areas(found)
        value = len(areas) / float(areas.sum()) if len(areas) else found.density_per_m2
        low, high = (bound / found.density_per_m2 * value for bound in found.interval_per_m2)
        index = scale_of(self.scale).class_index(value)
        return Density(value=value, unit=self.unit, class_index=index, interval=(low, high))

    def inner_areas(self, found: GroundMeasure) -> Points:
        """Areas in m² of the cells that neither the disc nor the border of crowd and picture cuts, `[num_inner]`."""
        from scipy.spatial import ConvexHull  # as in `shown_ground`

        crowd = found.positions_m[ConvexHull(found.positions_m).vertices]
        free = _free_areas(found.positions_m)
        inner = cell_areas(found.positions_m, crowd, self.cutoff_m)
        return inner[np.abs(inner - free) <= WHOLE * free]

    def peak_per_m2(self, scene: Scene, found: GroundMeasure) -> float:
        """95th percentile of people's local densities in persons/m², on the ground that the picture shows."""
        ground = shown_ground(Frame.of(scene), found.view, found.positions_m)
        local = local_densities_per_m2(found.positions_m, ground, self.cutoff_m)
        return float(np.quantile(local[np.isfinite(local)], PEAK_QUANTILE))


def _free_areas(positions_m: Points) -> Points:
    """Areas of the cells in a frame so large that only those of the outermost people reach it, `[num_people]` m²."""
    low, high = positions_m.min(axis=0), positions_m.max(axis=0)
    middle, half = (low + high) / 2, 10 * float((high - low).max())
    frame = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return cell_areas(positions_m, frame, None)
