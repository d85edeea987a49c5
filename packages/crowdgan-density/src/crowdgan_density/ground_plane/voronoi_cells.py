"""Voronoi cells of people on the ground, and their local densities.

A person's cell is the ground nearer to that person than to any other, intersected with the visible ground and with a
disc around the person. The local density at the person is the inverse of the cell's area.

- The disc is a regular polygon with corners on the circle, one of them in the direction of x, as in PedPy.
- People outside the visible ground have no cell, but bound the cells of people inside: the ground next to them is
  theirs. Positions that are not finite count as outside and bound nothing.
- People at the same position have a common cell: each has the full polygon, and an equal fraction of its area.

Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
scatter", Physica A 2010, arXiv 0911.2165. The areas agree with PedPy's `compute_individual_voronoi_polygons`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import DensityError
from crowdgan_core.utils.arrays import BoolArray, FloatArray, IndexArray, Points
from crowdgan_density.ground_plane.groups import connected_labels

QUAD_SEGMENTS = 3
"""Edges per quarter of the polygon that approximates the disc; PedPy's default."""

CUTOFF_M = 3.0
"""Default radius of the disc in metres, ours: ground farther from all people belongs to no cell."""

PEAK_QUANTILE = 0.95
"""Quantile of the local densities that defines the peak: one in twenty people has a higher local density."""

SAME_POSITION_FRACTION = 1e-6
"""Distance up to which positions count as equal, as a fraction of the ground's extent, ours: micrometres in a street.
Qhull drops points that are ten times closer to each other."""

UNBOUNDED_EXTENT_FACTOR = 10.0
"""Half the side of a square that contains all cells except the outermost ones, in extents of the crowd; ours."""

EDGE_TOLERANCE_M = 1e-9
"""Distance in metres up to which a position outside the visible ground counts as on its edge: above rounding errors."""


def voronoi_cells(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> list[Points]:
    """Corners of each person's cell in metres, counterclockwise; `[0, 2]` for a person outside the ground.

    Args:
        positions_m: `[num_people, 2]`.
        ground_m: `[num_corners, 2]` convex polygon of visible ground, in either direction.
        cutoff_m: radius of the disc; None for no disc.
        quad_segments: edges per quarter of the disc, at least 1.

    Raises:
        DensityError: the ground is not a convex polygon, or the disc has no area.
    """
    cells = _cells(positions_m, ground_m, cutoff_m, quad_segments)
    polygons = _corners(cells)
    return [polygons[cell] if cell >= 0 else np.empty((0, 2)) for cell in cells.cell_of_person.tolist()]


def cell_areas(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> FloatArray:
    """Area of each person's cell in m², `[num_people]`; 0 outside the visible ground.

    People at the same position have equal fractions of their cell. If all people are inside and there is no disc, the
    sum is the area of the visible ground. Arguments and errors are those of `voronoi_cells`.
    """
    return _areas_per_person(_cells(positions_m, ground_m, cutoff_m, quad_segments), missing=0.0)


def interior_cell_areas(positions_m: Points, ground_m: Points) -> FloatArray:
    """Area of each person's cell in m², `[num_people]`; NaN if the cell extends outside the ground.

    Args:
        positions_m: `[num_people, 2]`, at least one.
        ground_m: `[num_corners, 2]` convex polygon.
    """
    cells, is_interior = _unclipped_cells(positions_m, ground_m)
    return np.where(is_interior[cells.cell_of_person], _areas_per_person(cells, missing=np.nan), np.nan)


def interior_cells(positions_m: Points, ground_m: Points) -> list[Points]:
    """Corners of each person's cell in metres; `[0, 2]` where `interior_cell_areas`, with these arguments, is NaN."""
    cells, is_interior = _unclipped_cells(positions_m, ground_m)
    polygons = _corners(cells)
    return [polygons[cell] if is_interior[cell] else np.empty((0, 2)) for cell in cells.cell_of_person.tolist()]


def local_densities_per_m2(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> FloatArray:
    """Local density at each person in persons/m², `[num_people]`: the inverse of `cell_areas`.

    NaN for people outside the visible ground, so that means over all people are not silently wrong.
    """
    areas = cell_areas(positions_m, ground_m, cutoff_m, quad_segments=quad_segments)
    return 1 / np.where(areas > 0, areas, np.nan)


def peak_per_m2(positions_m: Points, ground_m: Points) -> float:
    """95th percentile of people's local densities in persons/m², with discs of 3 m.

    Arguments and errors are those of `voronoi_cells`; at least one person must be on the ground.
    """
    return float(np.nanquantile(local_densities_per_m2(positions_m, ground_m, CUTOFF_M), PEAK_QUANTILE))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Cells:
    polygons_m: FloatArray
    """`[num_cells, num_corners, 2]` counterclockwise; cells with fewer corners repeat the last one."""
    cell_of_person: IndexArray
    """`[num_people]`; -1 outside the visible ground."""


def _unclipped_cells(positions_m: Points, ground_m: Points) -> tuple[_Cells, BoolArray]:
    """Cells bounded by other people only, and whether each lies within the ground."""
    ground = _counterclockwise(ground_m)
    low, high = positions_m.min(axis=0), positions_m.max(axis=0)
    centre, half = (low + high) / 2, UNBOUNDED_EXTENT_FACTOR * float((high - low).max())
    cells = _cells(positions_m, centre + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]), None, QUAD_SEGMENTS)
    corners = cells.polygons_m
    is_inside = _is_inside(corners.reshape(-1, 2), ground).reshape(corners.shape[:2])
    return cells, np.asarray(is_inside.all(axis=1))


def _corners(cells: _Cells) -> list[Points]:
    """Corners of each cell without repetitions, `[num_corners, 2]` each."""
    is_corner = (cells.polygons_m != np.roll(cells.polygons_m, 1, axis=1)).any(axis=2)
    return [polygon[corners] for polygon, corners in zip(cells.polygons_m, is_corner, strict=True)]


def _areas_per_person(cells: _Cells, *, missing: float) -> FloatArray:
    """Area of each person in m², `[num_people]`; people at the same position have equal fractions of their cell."""
    has_cell = cells.cell_of_person >= 0
    cell_of_person = cells.cell_of_person[has_cell]
    fractions = _areas(cells.polygons_m) / np.bincount(cell_of_person, minlength=len(cells.polygons_m))
    areas = np.full(len(has_cell), missing)
    areas[has_cell] = fractions[cell_of_person]
    return areas


def _cells(positions_m: Points, ground_m: Points, cutoff_m: float | None, quad_segments: int) -> _Cells:
    if cutoff_m is not None and not (cutoff_m > 0 and quad_segments >= 1):
        raise DensityError(
            f"the disc has radius {cutoff_m} m and {quad_segments} edges per quarter; both must be above 0"
        )
    ground = _counterclockwise(ground_m)
    cell_of_person = np.full(len(positions_m), -1, np.intp)
    is_finite = np.isfinite(positions_m).all(axis=1)
    extent_m = float(np.hypot(*np.ptp(ground, axis=0)))
    sites, site_of_person = _sites(positions_m[is_finite], SAME_POSITION_FRACTION * extent_m)
    is_inside = _is_inside(sites, ground)
    if not is_inside.any():
        return _Cells(polygons_m=np.empty((0, len(ground), 2)), cell_of_person=cell_of_person)
    cell_of_site = np.where(is_inside, np.cumsum(is_inside) - 1, -1)
    cell_of_person[is_finite] = cell_of_site[site_of_person]
    reach_m = extent_m if cutoff_m is None else min(cutoff_m, extent_m)
    polygons = _cut_to_neighbours(np.tile(ground, (int(is_inside.sum()), 1, 1)), sites, is_inside, reach_m)
    if cutoff_m is not None:
        polygons = _cut_to_disc(polygons, sites[is_inside], cutoff_m, quad_segments)
    return _Cells(polygons_m=polygons, cell_of_person=cell_of_person)


def _sites(positions_m: Points, tolerance_m: float) -> tuple[Points, IndexArray]:
    """Distinct positions, `[num_sites, 2]`, and the site of each person, `[num_people]`.

    People within `tolerance_m` of one another have one site, their mean position.
    """
    site_of_person = connected_labels(positions_m, tolerance_m)
    num_sites = int(site_of_person.max(initial=-1)) + 1
    if num_sites == len(positions_m):
        return positions_m, site_of_person
    people = np.bincount(site_of_person, minlength=num_sites)
    sums = [np.bincount(site_of_person, values, num_sites) for values in positions_m.T]
    return np.stack(sums, axis=1) / people[:, None], site_of_person


def _counterclockwise(ground_m: Points) -> Points:
    """The polygon with its corners in counterclockwise order.

    Raises:
        DensityError: the polygon has no area, or is not convex.
    """
    area_m2 = float(_areas(ground_m[None])[0]) if len(ground_m) else 0.0
    if not (np.isfinite(area_m2) and area_m2):
        raise DensityError(f"the ground has {len(ground_m)} corners and an area of {area_m2} m²; it must have an area")
    ground = ground_m if area_m2 > 0 else ground_m[::-1]
    if not _is_inside(ground, ground).all():
        raise DensityError("the ground is not convex; give the corners of a convex polygon")
    return ground


def _is_inside(positions_m: Points, ground: Points) -> BoolArray:
    """Whether each position is in a counterclockwise convex polygon or on its edge, `[num_positions]`."""
    edges = np.roll(ground, -1, axis=0) - ground
    offsets = positions_m[:, None] - ground
    left = edges[:, 0] * offsets[:, :, 1] - edges[:, 1] * offsets[:, :, 0]
    return np.asarray((left >= -EDGE_TOLERANCE_M * np.hypot(*edges.T)).all(axis=1))


def _cut_to_neighbours(polygons: FloatArray, sites: Points, is_inside: BoolArray, reach_m: float) -> FloatArray:
    """Polygons of the sites inside, cut to the region nearer to their site than to any other."""
    own_sites = np.flatnonzero(is_inside)
    neighbours, starts = _neighbours(sites, is_inside, reach_m)
    first, counts = starts[own_sites], np.diff(starts)[own_sites]
    for number in range(int(counts.max())):
        rows = np.flatnonzero(number < counts)
        other_sites = neighbours[first[rows] + number]
        rows, other_sites = rows[other_sites >= 0], other_sites[other_sites >= 0]
        own, others = sites[own_sites[rows]], sites[other_sites]
        polygons = _cut(polygons, rows, (own + others) / 2, others - own)
    return polygons


def _neighbours(sites: Points, is_inside: BoolArray, reach_m: float) -> tuple[IndexArray, IndexArray]:
    """Delaunay neighbours of each site: those that may bound the cell of an inside site within `reach_m` of it.

    Four points, too far away to bound such a cell, surround all sites, so that a single site and collinear sites have
    a triangulation too.

    Returns:
        The neighbours of all sites in sequence, -1 for the four points; `[num_sites + 1]` start of each site's.
    """
    from scipy.spatial import Delaunay  # imported late: `crowdgan --help` must not load scipy

    low, high = sites[is_inside].min(axis=0), sites[is_inside].max(axis=0)
    margin_m = 2 * reach_m + float((high - low).max())  # twice the reach, and a margin for rounding
    low, high = low - margin_m, high + margin_m
    near = np.flatnonzero(((sites > low) & (sites < high)).all(axis=1))
    frame = np.array([low, [low[0], high[1]], high, [high[0], low[1]]])
    pointers, indices = Delaunay(np.vstack([sites[near], frame]) - (low + high) / 2).vertex_neighbor_vertices
    counts = np.zeros(len(sites), np.intp)
    counts[near] = np.diff(pointers)[: len(near)]
    return np.append(near, [-1] * len(frame))[indices], np.append(0, np.cumsum(counts))


def _cut_to_disc(polygons: FloatArray, centres: Points, radius_m: float, quad_segments: int) -> FloatArray:
    """Polygons cut to regular polygons with `4 * quad_segments` corners on circles around the centres."""
    rows = np.arange(len(polygons))
    half_angle = np.pi / (4 * quad_segments)
    for number in range(4 * quad_segments):
        angle = (2 * number + 1) * half_angle
        outward = np.array([np.cos(angle), np.sin(angle)])
        on_edge = centres + radius_m * np.cos(half_angle) * outward
        polygons = _cut(polygons, rows, on_edge, np.tile(outward, (len(rows), 1)))
    return polygons


def _cut(polygons: FloatArray, rows: IndexArray, on_line: Points, outward: Points) -> FloatArray:
    """Polygons of which those in `rows` are each clipped by a half-plane; the number of corners may increase.

    Source: Sutherland and Hodgman, "Reentrant polygon clipping", Communications of the ACM 1974, vectorised.
    """
    beyond = ((polygons[rows] - on_line[:, None]) * outward[:, None]).sum(axis=2)
    crossed = (beyond > 0).any(axis=1)
    if not crossed.any():
        return polygons
    rows, beyond = rows[crossed], beyond[crossed]
    corners, beyond_next = polygons[rows], np.roll(beyond, -1, axis=1)
    stays = beyond <= 0
    crosses = stays != (beyond_next <= 0)
    fraction = beyond / np.where(crosses, beyond - beyond_next, 1.0)
    crossings = corners + fraction[:, :, None] * (np.roll(corners, -1, axis=1) - corners)
    candidates = np.stack([corners, crossings], axis=2).reshape(len(rows), -1, 2)
    return _with_rows(polygons, rows, candidates, np.stack([stays, crosses], axis=2).reshape(len(rows), -1))


def _with_rows(polygons: FloatArray, rows: IndexArray, candidates: FloatArray, kept: BoolArray) -> FloatArray:
    """Polygons of which those in `rows` are replaced by the kept candidates, padded with the last one."""
    counts = kept.sum(axis=1)
    width = max(polygons.shape[1], int(counts.max()))
    order = np.argsort(~kept, axis=1, kind="stable")
    column = np.minimum(np.arange(width), np.maximum(counts, 1)[:, None] - 1)
    result = np.concatenate([polygons, np.repeat(polygons[:, -1:], width - polygons.shape[1], axis=1)], axis=1)
    result[rows] = np.take_along_axis(candidates, np.take_along_axis(order, column, axis=1)[:, :, None], axis=1)
    return result


def _areas(polygons: FloatArray) -> FloatArray:
    """Areas in m², `[num_polygons]`; negative if the corners are in clockwise order."""
    x, y = np.moveaxis(polygons - polygons[:, :1], 2, 0)
    return np.asarray((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) / 2)
