"""Map of the local density on occupied ground, smoothed so that single short distances do not dominate it.

Occupied ground is the convex hull of each group. Each person has a Voronoi cell, in which the density is the inverse of
its area. The outermost people are on the hull, and their cells extend beyond it: cells end at the hull widened by
`WIDENING` mean distances, so that the boundary of a crowd is about as dense as its inside. The map is the mean of this
density around each position, weighted by a Gaussian, over the widened hulls only: empty ground beyond does not lower
it.

Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
scatter", Physica A 2010, arXiv 0911.2165, for the density in cells and its mean over an area; Helbing, Johansson and
Al-Abideen, "Dynamics of crowd disasters: An empirical study", Physical Review E 2007, for the Gaussian weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points
from crowdgan_core.utils.clipping import inside_mask
from crowdgan_density.ground_plane.groups import convex_hull, group_hull, hull_density
from crowdgan_density.ground_plane.voronoi_cells import cell_areas

KERNEL_RADIUS_M = 1.0
"""R of the weight exp(-r²/R²) in metres (Helbing et al.); its standard deviation is R/√2."""

WIDENING = 0.35
"""Width of the ground of the outermost people beyond the hull, in units of 1/√density, ours: the boundary of synthetic
crowds is then at most 5 % less dense (people who keep distances) or denser (a disturbed lattice) than the inside. With
0 it is 14 to 55 % denser, and with 0.5 up to 15 % less dense."""

WIDENED_DIRECTIONS = 24
"""Corners of the polygon that approximates a disc for the widening."""

CELLS = 300
"""Cells along the longer side of a map, ours: more than a figure resolves, computed in milliseconds."""

MIN_CELL_M = 0.05
"""Minimum side of a cell in metres, ours: below the precision of people's positions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityMap:
    """Local density on the ground that groups occupy."""

    values_per_m2: FloatArray
    """Density of square cells in persons/m², `[rows, columns]`, the smallest y first; NaN beyond the kernel's reach."""
    corner_m: tuple[float, float]
    """Smallest x and y of the cells in metres."""
    cell_m: float
    """Side of a cell in metres."""
    hulls_m: tuple[Points, ...]
    """Convex outlines of the occupied ground, counterclockwise, `[num_corners, 2]` each."""

    def __repr__(self) -> str:
        """For example `DensityMap(120x80 cells of 0.05 m, 2 groups)`."""
        rows, columns = self.values_per_m2.shape
        return f"DensityMap({columns}x{rows} cells of {self.cell_m:.2g} m, {len(self.hulls_m)} groups)"

    @property
    def extent_m(self) -> tuple[float, float, float, float]:
        """Smallest x and y, and largest x and y, of the cells in metres."""
        rows, columns = self.values_per_m2.shape
        x, y = self.corner_m
        return x, y, x + columns * self.cell_m, y + rows * self.cell_m

    def occupied_values_per_m2(self) -> FloatArray:
        """Density of the cells in persons/m², `[rows, columns]`; NaN outside occupied ground."""
        centres = cell_centres(self.extent_m, self.values_per_m2.shape)
        is_occupied = _is_occupied(centres, self.hulls_m).reshape(self.values_per_m2.shape)
        return np.where(is_occupied, self.values_per_m2, np.nan)

    def density_per_m2(self, positions_m: Points) -> FloatArray:
        """Interpolated density at positions in persons/m², `[num_positions]`; NaN outside occupied ground."""
        from scipy.ndimage import map_coordinates  # imported late: `crowdgan --help` must not load scipy

        is_occupied = _is_occupied(positions_m, self.hulls_m)
        cells = (positions_m[is_occupied] - self.corner_m) / self.cell_m - 0.5
        densities = np.full(len(positions_m), np.nan)
        densities[is_occupied] = map_coordinates(self.values_per_m2, cells.T[::-1], order=1, mode="nearest")
        return densities


def density_map(
    groups_m: Sequence[Points], people_per_position: float = 1.0, kernel_radius_m: float = KERNEL_RADIUS_M
) -> DensityMap | None:
    """The local density on the ground that groups occupy; None if no group spans an area.

    Args:
        groups_m: positions of the people of each group, `[num_people, 2]`.
        people_per_position: factor of the density: people without a position per person with one, plus 1.
        kernel_radius_m: R of the weight exp(-r²/R²) in metres.
    """
    from scipy.ndimage import gaussian_filter

    groups = [(group, hull, _widen(hull, group)) for group in groups_m if (hull := group_hull(group)) is not None]
    if not groups:
        return None
    corners = np.concatenate([widened for _, _, widened in groups])
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    cell_m = max(float(extent.max()) / CELLS, MIN_CELL_M)
    columns, rows = np.ceil(extent / cell_m).astype(int).tolist()
    left, first = (low - (np.array([columns, rows]) * cell_m - extent) / 2).tolist()
    centres = cell_centres((left, first, left + columns * cell_m, first + rows * cell_m), (rows, columns))
    density, covered = np.zeros(rows * columns), np.zeros(rows * columns)
    for group, _, widened in groups:
        inside = np.flatnonzero(inside_mask(centres, widened))
        density[inside] += _cell_densities_per_m2(centres[inside], group, widened, cell_m)
        covered[inside] += 1
    sigma = kernel_radius_m / math.sqrt(2) / cell_m
    smooth_density, smooth_covered = (
        gaussian_filter(values.reshape(rows, columns), sigma, mode="constant") for values in (density, covered)
    )
    return DensityMap(
        values_per_m2=people_per_position * smooth_density / np.where(smooth_covered > 0, smooth_covered, np.nan),
        corner_m=(left, first),
        cell_m=cell_m,
        hulls_m=tuple(hull for _, hull, _ in groups),
    )


def cell_centres(area: tuple[float, float, float, float], shape: tuple[int, ...]) -> Points:
    """Centres of the cells of a grid, row by row, `[rows * columns, 2]`.

    Args:
        area: outer corners `(x, y, x, y)` of the first and the last cell.
        shape: `(rows, columns)`.
    """
    rows, columns = shape
    left, first, right, last = area
    x = left + (right - left) / columns * (np.arange(columns) + 0.5)
    y = first + (last - first) / rows * (np.arange(rows) + 0.5)
    return np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)


def _widen(hull_m: Points, group_m: Points) -> Points:
    """A group's hull, widened by `WIDENING` mean distances in all directions."""
    estimate = hull_density(group_m, [np.arange(len(group_m))])
    assert estimate is not None, "the group has a hull"
    angles = 2 * math.pi / WIDENED_DIRECTIONS * np.arange(WIDENED_DIRECTIONS)
    disc = WIDENING / math.sqrt(estimate[0]) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    widened = convex_hull((hull_m[:, None] + disc).reshape(-1, 2))
    assert widened is not None, "a hull with an area stays one"
    return widened


def _cell_densities_per_m2(centres_m: Points, group_m: Points, ground_m: Points, cell_m: float) -> FloatArray:
    """Density of the Voronoi cell around each position, `[num_positions]`, in persons/m².

    The area of a Voronoi cell is at least that of a cell of the map, so that each person counts at most once.
    """
    from scipy.spatial import cKDTree

    nearest = np.asarray(cKDTree(group_m).query(centres_m)[1])
    return np.asarray(1 / np.maximum(cell_areas(group_m, ground_m, None), cell_m**2)[nearest])


def _is_occupied(positions_m: Points, hulls_m: Sequence[Points]) -> BoolArray:
    """Whether each position is inside a hull, `[num_positions]`."""
    return np.asarray(np.any([inside_mask(positions_m, hull) for hull in hulls_m], axis=0))
