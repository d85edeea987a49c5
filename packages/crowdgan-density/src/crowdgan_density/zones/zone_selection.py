"""Selection of the zones to measure: polygons of a file, groups of people, or a grid of squares on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_density.ground_plane.measurement import NO_GROUP
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView
from crowdgan_density.zones.zone_files import Zone, read_zones
from crowdgan_density.zones.zone_measurement import (
    MeasuredGround,
    ZoneMeasurement,
    measure_groups,
    measure_zone,
)
from crowdgan_density.zones.zone_placement import MIN_VISIBLE_FRACTION, PlacedZone, place_zone

GROUPS: Literal["groups"] = "groups"
"""Selects the groups of people of each image."""

GRID_PREFIX = "grid:"
"""Start of the text that selects a grid; the side of its squares in metres follows."""

ACCEPTED = "groups, grid:METRES such as grid:5, or the path of a GeoJSON file"
"""Accepted texts, for messages."""

GRID_SIDE_RANGE_M = (0.5, 1000.0)
"""Minimum and maximum side of the squares of a grid in metres; a smaller square holds one person at most."""

MAX_SQUARES = 4000
"""Maximum number of squares of a grid in one image."""

NO_PEOPLE = "there are no people, around whom a grid would be"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Squares on the visible ground around people, whose corners have multiples of the side as coordinates."""

    side_m: float
    """Side of the squares in metres."""

    def __post_init__(self) -> None:
        low, high = GRID_SIDE_RANGE_M
        if not low <= self.side_m <= high:
            raise ConfigError(f"grid:{self.side_m:g}: the side of the squares must be {low:g} to {high:g} m")


ZoneSelection = tuple[Zone, ...] | Grid | Literal["groups"]
"""The zones to measure."""


def parse_zones(text: str) -> ZoneSelection:
    """The zones that a text selects: `groups`, `grid:METRES`, or the path of a file as for `read_zones`.

    Raises:
        ConfigError: the side of the grid is not valid, or the file is damaged.
    """
    if text == GROUPS:
        return GROUPS
    if not text.startswith(GRID_PREFIX):
        path = Path(text)
        if not path.exists():
            raise ConfigError(f"{text}: no such file; zones are {ACCEPTED}")
        return read_zones(path)
    try:
        side_m = float(text.removeprefix(GRID_PREFIX))
    except ValueError:
        raise ConfigError(f"{text}: the side of the squares is not a number; zones are {ACCEPTED}") from None
    return Grid(side_m=side_m)


def measure_selection(
    selection: ZoneSelection, ground: MeasuredGround
) -> list[tuple[str, ZoneMeasurement | str]] | str:
    """Name and measurement of each selected zone, or the reason why its density is unknown.

    Args:
        selection: the zones.
        ground: the ground of the image.

    Returns:
        The reason, instead of a list, if there are no groups or no people.
    """
    if isinstance(selection, tuple):
        return [(zone.name, measure_zone(zone, ground)) for zone in selection]
    if isinstance(selection, Grid):
        squares = grid_zones(selection, ground.view, ground.projections[0], ground.positions_m)
        return squares if isinstance(squares, str) else [(zone.name, measure_zone(zone, ground)) for zone in squares]
    if ground.measurement is None:
        return ground.reason or NO_GROUP
    groups = measure_groups(ground)
    return [(f"group {number}", item) for number, item in enumerate(groups, 1)] if groups else NO_GROUP


def grid_zones(
    grid: Grid, view: MeasuredView, projection: GroundProjection, positions_m: Points
) -> tuple[Zone, ...] | str:
    """The squares of a grid near people of whose area a tenth or more is visible, in rows along x.

    They are those of the rectangle around all people, and one more on each side.

    Args:
        grid: the grid.
        view: measured region of the image.
        projection: map between pixels and ground positions.
        positions_m: `[num_people, 2]` positions of people on the ground in metres.

    Returns:
        The reason, instead of squares, if there are no people, or too many squares.
    """
    if not len(positions_m):
        return NO_PEOPLE
    side = grid.side_m
    low = np.floor(positions_m.min(axis=0) / side).astype(int) - 1
    high = np.floor(positions_m.max(axis=0) / side).astype(int) + 2
    if math.prod((high - low).tolist()) > MAX_SQUARES:
        return f"the grid has more than {MAX_SQUARES} squares"
    squares = []
    for row in range(low[1], high[1]):
        for column in range(low[0], high[0]):
            corners = side * np.array([[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]])
            square = Zone(name=_square_name(corners[0], side), corners=corners, unit="metres")
            placed = place_zone(square, view, projection)
            if isinstance(placed, PlacedZone) and placed.visible_fraction >= MIN_VISIBLE_FRACTION:
                squares.append(square)
    return tuple(squares)


def _square_name(corner_m: FloatArray, side_m: float) -> str:
    """For example `x -5 to 0 m, y 10 to 15 m`."""
    ranges = [f"{axis} {start:g} to {start + side_m:g} m" for axis, start in zip("xy", corner_m.tolist(), strict=True)]
    return ", ".join(ranges)
