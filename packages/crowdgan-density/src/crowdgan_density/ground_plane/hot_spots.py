"""Hot spots: the places of the locally highest density on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_density.ground_plane.density_map import DensityMap, cell_centres

MAX_HOT_SPOTS = 3
"""Maximum number of hot spots, ours: labels of more would cover a figure."""

MIN_DISTANCE_M = 4.0
"""Minimum distance between hot spots in metres, ours: four radii of the kernel, so that hardly anyone counts twice."""

MIN_RATIO = 1.5
"""Minimum density of a further hot spot divided by the mean of the map, ours."""

MIN_PEOPLE = 5
"""Minimum number of people near a further hot spot, ours: as in a group whose density is estimated."""

NEAR_M = 2.0
"""Distance in metres up to which people are near a hot spot, ours: two radii of the kernel, 98 % of its weight."""


@dataclass(frozen=True, kw_only=True)
class HotSpot:
    """A place of locally highest density."""

    position_m: tuple[float, float]
    """Position on the ground in metres."""
    density_per_m2: float
    """Density of the map at the position in persons/m²."""
    people: int
    """Number of annotated people within 2 m."""


def find_hot_spots(density_map: DensityMap, positions_m: Points) -> list[HotSpot]:
    """The hot spots of a map, the densest one first.

    The first one is the maximum of the map, also in a uniform crowd. Further ones are local maxima that are at least
    4 m from denser ones, have at least 1.5 times the mean density of the map, and at least 5 people within 2 m.

    Args:
        density_map: local density on occupied ground.
        positions_m: `[num_people, 2]` positions of the annotated people.
    """
    values = density_map.occupied_values_per_m2()
    if not np.isfinite(values).any():
        return []
    min_density = MIN_RATIO * float(np.nanmean(values))
    hot_spots: list[HotSpot] = []
    for place, density in zip(*_local_maxima(density_map, values), strict=True):
        if any(np.hypot(*(place - spot.position_m)) < MIN_DISTANCE_M for spot in hot_spots):
            continue
        people = int(np.count_nonzero(np.hypot(*(positions_m - place).T) <= NEAR_M))
        if not hot_spots or (density >= min_density and people >= MIN_PEOPLE):
            x, y = place.tolist()
            hot_spots.append(HotSpot(position_m=(x, y), density_per_m2=float(density), people=people))
        if len(hot_spots) == MAX_HOT_SPOTS:
            break
    return hot_spots


def _local_maxima(density_map: DensityMap, values: FloatArray) -> tuple[Points, FloatArray]:
    """Centres in metres of the cells that no neighbour exceeds, `[num_maxima, 2]`, and their values, decreasing."""
    from scipy.ndimage import maximum_filter  # imported late: `crowdgan --help` must not load scipy

    occupied = np.where(np.isfinite(values), values, -np.inf)
    is_maximum = np.isfinite(values) & (occupied == maximum_filter(occupied, size=3, mode="nearest"))
    densities = values[is_maximum]
    order = np.argsort(-densities, kind="stable")
    return cell_centres(density_map.extent_m, values.shape)[is_maximum.ravel()][order], densities[order]
