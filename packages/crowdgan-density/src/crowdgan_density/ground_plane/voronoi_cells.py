"""Voronoi cells of people on the ground, and the local densities that they tell.

A person's cell is the ground that is nearer to that person than to anybody else, cut to the ground that the camera sees
and to a disc around the person. The local density at the person is the inverse of the cell's area.

- The disc is a polygon with its corners on the circle, one of them in the direction of x, as PedPy draws it.
- People outside the visible ground have no cell; those near its border still bound the cells inside, since the ground
  beside them is theirs. Positions that are not finite count as outside and bound nothing.
- People at the same place share their cell: each has all of it as polygon, and an equal share of its area.

Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
scatter", Physica A 2010, arXiv 0911.2165. The numbers agree with PedPy's `compute_individual_voronoi_polygons`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import DensityError
from crowdgan_density.ground_plane.groups import connected_labels

Points = npt.NDArray[np.float64]
"""`[num_points, 2]` positions on the ground in metres."""

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

QUAD_SEGMENTS = 3
"""Edges of the polygon that stands for a quarter of the disc; PedPy's default."""

CUTOFF_M = 3.0
"""Radius of the disc around a person beyond which ground counts as nobody's, ours: people this far apart are alone."""

PEAK_QUANTILE = 0.95
"""Quantile of the local densities that counts as the peak: the crowding that one in twenty people is in."""

SAME_PLACE = 1e-6
"""People nearer than this share of the ground's extent stand at the same place, ours: micrometres in a street. Qhull
loses points that are ten times nearer to one another."""

FAR = 10.0
"""Half the side of a square that reaches all cells but those of the outermost people, in extents of the crowd; ours."""

BORDER_M = 1e-9
"""People this little outside the visible ground stand on its border: more than rounding does, less than matters."""


def voronoi_cells(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> list[Points]:
    """The cell of each person as corners in metres, anticlockwise; `[0, 2]` for a person outside the ground.

    Args:
        positions_m: `[num_people, 2]`.
        ground_m: `[num_corners, 2]` convex polygon that the camera sees, clockwise or anticlockwise.
        cutoff_m: radius of the disc that cells are cut to; None for no disc.
        quad_segments: edges of a quarter of the disc, at least 1.

    Raises:
        DensityError: the ground is no convex polygon, or the disc is none.
    """
    cells = _cells(positions_m, ground_m, cutoff_m, quad_segments)
    polygons = _corners(cells)
    return [polygons[cell] if cell >= 0 else np.empty((0, 2)) for cell in cells.cell_of_person.tolist()]


def cell_areas(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> Floats:
    """Ground of each person in m², `[num_people]`; 0 outside the visible ground.

    People at the same place have equal shares of their cell. Where nobody stands outside and there is no disc, the sum
    is the area of the visible ground. Arguments and errors are those of `voronoi_cells`.
    """
    return _areas_per_person(_cells(positions_m, ground_m, cutoff_m, quad_segments), missing=0.0)


def whole_cell_areas(positions_m: Points, ground_m: Points) -> Floats:
    """Ground of each person in m², `[num_people]`; NaN where the cell reaches beyond the ground.

    Args:
        positions_m: `[num_people, 2]`, at least one.
        ground_m: `[num_corners, 2]` convex polygon.
    """
    cells, whole = _uncut_cells(positions_m, ground_m)
    return np.where(whole[cells.cell_of_person], _areas_per_person(cells, missing=np.nan), np.nan)


def interior_cells(positions_m: Points, ground_m: Points) -> list[Points]:
    """The cell of each person as corners in metres; `[0, 2]` where `whole_cell_areas`, with these arguments, is NaN."""
    cells, whole = _uncut_cells(positions_m, ground_m)
    polygons = _corners(cells)
    return [polygons[cell] if whole[cell] else np.empty((0, 2)) for cell in cells.cell_of_person.tolist()]


def _uncut_cells(positions_m: Points, ground_m: Points) -> tuple[_Cells, npt.NDArray[np.bool_]]:
    """Cells that nothing but other people bounds, and which of them lie within the ground."""
    ground = _anticlockwise(ground_m)
    low, high = positions_m.min(axis=0), positions_m.max(axis=0)
    middle, half = (low + high) / 2, FAR * float((high - low).max())
    cells = _cells(positions_m, middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]), None, QUAD_SEGMENTS)
    corners = cells.polygons_m
    inside = _inside(corners.reshape(-1, 2), ground).reshape(corners.shape[:2])
    return cells, np.asarray(inside.all(axis=1))


def local_densities_per_m2(
    positions_m: Points, ground_m: Points, cutoff_m: float | None, *, quad_segments: int = QUAD_SEGMENTS
) -> Floats:
    """Density at each person in persons/m², `[num_people]`: the inverse of `cell_areas`.

    NaN for people outside the visible ground, so that they cannot slip into a mean.
    """
    areas = cell_areas(positions_m, ground_m, cutoff_m, quad_segments=quad_segments)
    return 1 / np.where(areas > 0, areas, np.nan)


def peak_per_m2(positions_m: Points, ground_m: Points) -> float:
    """95th percentile of the densities at people in persons/m², their cells cut to discs of 3 m.

    Arguments and errors are those of `voronoi_cells`; at least one person must stand on the ground.
    """
    return float(np.nanquantile(local_densities_per_m2(positions_m, ground_m, CUTOFF_M), PEAK_QUANTILE))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cells:
    polygons_m: Floats
    """`[num_cells, num_corners, 2]` anticlockwise; those with fewer corners repeat the last one."""
    cell_of_person: Indices
    """`[num_people]`; -1 outside the visible ground."""


def _corners(cells: _Cells) -> list[Points]:
    """Corners of each cell without the repeated ones, `[num_corners, 2]` each."""
    real = (cells.polygons_m != np.roll(cells.polygons_m, 1, axis=1)).any(axis=2)
    return [polygon[corners] for polygon, corners in zip(cells.polygons_m, real, strict=True)]


def _areas_per_person(cells: _Cells, *, missing: float) -> Floats:
    """Ground of each person in m², `[num_people]`; people at the same place have equal shares of their cell."""
    inside = cells.cell_of_person >= 0
    owners = cells.cell_of_person[inside]
    shares = _areas(cells.polygons_m) / np.bincount(owners, minlength=len(cells.polygons_m))
    areas = np.full(len(inside), missing)
    areas[inside] = shares[owners]
    return areas


def _cells(positions_m: Points, ground_m: Points, cutoff_m: float | None, quad_segments: int) -> _Cells:
    if cutoff_m is not None and not (cutoff_m > 0 and quad_segments >= 1):
        raise DensityError(f"the disc has radius {cutoff_m} m and {quad_segments} edges a quarter; must be above 0")
    ground = _anticlockwise(ground_m)
    cell_of_person = np.full(len(positions_m), -1, np.intp)
    finite = np.isfinite(positions_m).all(axis=1)
    extent_m = float(np.hypot(*np.ptp(ground, axis=0)))
    places, place_of_person = _places(positions_m[finite], SAME_PLACE * extent_m)
    inside = _inside(places, ground)
    if not inside.any():
        return _Cells(polygons_m=np.empty((0, len(ground), 2)), cell_of_person=cell_of_person)
    cell_of_place = np.where(inside, np.cumsum(inside) - 1, -1)
    cell_of_person[finite] = cell_of_place[place_of_person]
    reach_m = extent_m if cutoff_m is None else min(cutoff_m, extent_m)
    polygons = _cut_to_neighbours(np.tile(ground, (int(inside.sum()), 1, 1)), places, inside, reach_m)
    if cutoff_m is not None:
        polygons = _cut_to_disc(polygons, places[inside], cutoff_m, quad_segments)
    return _Cells(polygons_m=polygons, cell_of_person=cell_of_person)


def _places(positions_m: Points, same_m: float) -> tuple[Points, Indices]:
    """Where people stand, `[num_places, 2]`, and the place of each person, `[num_people]`.

    People within `same_m` of one another stand at one place, their middle.
    """
    place_of_person = connected_labels(positions_m, same_m)
    num_places = int(place_of_person.max(initial=-1)) + 1
    if num_places == len(positions_m):
        return positions_m, place_of_person
    people = np.bincount(place_of_person, minlength=num_places)
    sums = [np.bincount(place_of_person, values, num_places) for values in positions_m.T]
    return np.stack(sums, axis=1) / people[:, None], place_of_person


def _anticlockwise(ground_m: Points) -> Points:
    """The polygon with its corners in anticlockwise order.

    Raises:
        DensityError: it has no area, or is not convex.
    """
    area_m2 = float(_areas(ground_m[None])[0]) if len(ground_m) else 0.0
    if not (np.isfinite(area_m2) and area_m2):
        raise DensityError(f"the ground has {len(ground_m)} corners and an area of {area_m2} m²; it must have an area")
    ground = ground_m if area_m2 > 0 else ground_m[::-1]
    if not _inside(ground, ground).all():
        raise DensityError("the ground is not convex")
    return ground


def _inside(positions_m: Points, ground: Points) -> npt.NDArray[np.bool_]:
    """Which points are in an anticlockwise convex polygon or on its border, `[num_points]`."""
    edges = np.roll(ground, -1, axis=0) - ground
    offsets = positions_m[:, None] - ground
    left = edges[:, 0] * offsets[:, :, 1] - edges[:, 1] * offsets[:, :, 0]
    return np.asarray((left >= -BORDER_M * np.hypot(*edges.T)).all(axis=1))


def _cut_to_neighbours(polygons: Floats, places: Points, inside: npt.NDArray[np.bool_], reach_m: float) -> Floats:
    """Polygons of the places inside, cut to what is nearer to them than to any other place."""
    own_places = np.flatnonzero(inside)
    neighbours, starts = _neighbours(places, inside, reach_m)
    first, counts = starts[own_places], np.diff(starts)[own_places]
    for turn in range(int(counts.max())):
        rows = np.flatnonzero(turn < counts)
        other_places = neighbours[first[rows] + turn]
        rows, other_places = rows[other_places >= 0], other_places[other_places >= 0]
        own, others = places[own_places[rows]], places[other_places]
        polygons = _cut(polygons, rows, (own + others) / 2, others - own)
    return polygons


def _neighbours(places: Points, inside: npt.NDArray[np.bool_], reach_m: float) -> tuple[Indices, Indices]:
    """Delaunay neighbours: those who may bound a cell of a place inside that lies within `reach_m` of it.

    Four points that are too far away to bound such a cell stand around all places, so that a single place and places
    in a row have a triangulation too.

    Returns:
        The neighbours of one place after another, -1 for the four points; `[num_places + 1]` where each place's begin.
    """
    from scipy.spatial import Delaunay  # here, because `crowdgan --help` shall not load scipy

    low, high = places[inside].min(axis=0), places[inside].max(axis=0)
    margin_m = 2 * reach_m + float((high - low).max())  # twice the reach would do but for rounding
    low, high = low - margin_m, high + margin_m
    near = np.flatnonzero(((places > low) & (places < high)).all(axis=1))
    frame = np.array([low, [low[0], high[1]], high, [high[0], low[1]]])
    pointers, found = Delaunay(np.vstack([places[near], frame]) - (low + high) / 2).vertex_neighbor_vertices
    counts = np.zeros(len(places), np.intp)
    counts[near] = np.diff(pointers)[: len(near)]
    return np.append(near, [-1] * len(frame))[found], np.append(0, np.cumsum(counts))


def _cut_to_disc(polygons: Floats, centres: Points, radius_m: float, quad_segments: int) -> Floats:
    """Polygons cut to regular polygons with `4 * quad_segments` corners on circles around the centres."""
    rows = np.arange(len(polygons))
    half_angle = np.pi / (4 * quad_segments)
    for turn in range(4 * quad_segments):
        angle = (2 * turn + 1) * half_angle
        outward = np.array([np.cos(angle), np.sin(angle)])
        on_edge = centres + radius_m * np.cos(half_angle) * outward
        polygons = _cut(polygons, rows, on_edge, np.tile(outward, (len(rows), 1)))
    return polygons


def _cut(polygons: Floats, rows: Indices, on_line: Points, outward: Points) -> Floats:
    """Polygons of which those in `rows` have lost what lies beyond a line each; there may be more corners after.

    Source: Sutherland and Hodgman, "Reentrant polygon clipping", Communications of the ACM 1974, for all at once.
    """
    beyond = ((polygons[rows] - on_line[:, None]) * outward[:, None]).sum(axis=2)
    crossed = (beyond > 0).any(axis=1)
    if not crossed.any():
        return polygons
    rows, beyond = rows[crossed], beyond[crossed]
    corners, beyond_next = polygons[rows], np.roll(beyond, -1, axis=1)
    stays = beyond <= 0
    crosses = stays != (beyond_next <= 0)
    share = beyond / np.where(crosses, beyond - beyond_next, 1.0)
    crossings = corners + share[:, :, None] * (np.roll(corners, -1, axis=1) - corners)
    candidates = np.stack([corners, crossings], axis=2).reshape(len(rows), -1, 2)
    return _with_rows(polygons, rows, candidates, np.stack([stays, crosses], axis=2).reshape(len(rows), -1))


def _with_rows(polygons: Floats, rows: Indices, candidates: Floats, kept: npt.NDArray[np.bool_]) -> Floats:
    """Polygons of which those in `rows` have the candidates that are kept as corners; the last one fills the row."""
    counts = kept.sum(axis=1)
    width = max(polygons.shape[1], int(counts.max()))
    order = np.argsort(~kept, axis=1, kind="stable")
    column = np.minimum(np.arange(width), np.maximum(counts, 1)[:, None] - 1)
    result = np.concatenate([polygons, np.repeat(polygons[:, -1:], width - polygons.shape[1], axis=1)], axis=1)
    result[rows] = np.take_along_axis(candidates, np.take_along_axis(order, column, axis=1)[:, :, None], axis=1)
    return result


def _areas(polygons: Floats) -> Floats:
    """Areas in m², `[num_polygons]`; negative where the corners are in clockwise order."""
    x, y = np.moveaxis(polygons - polygons[:, :1], 2, 0)
    return np.asarray((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1) / 2)
