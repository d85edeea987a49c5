"""Zones drawn by a user: named polygons in the image or on the ground, from a GeoJSON file.

A file is a GeoJSON FeatureCollection of polygons, each with the property `name`. Coordinates are pixels of the full
image, x to the right and y down. With the member `"unit": "metres"`, of the collection or among the properties of a
feature, they are metres on the ground: x to the right and y forward, with the origin on the ground below the
calibrated camera, or the ground coordinates of the given homography. Longitude and latitude are not supported.

    {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "gate"}, "geometry":
        {"type": "Polygon", "coordinates": [[[100, 200], [300, 200], [300, 400], [100, 200]]]}}]}

Source of the format: RFC 7946, whose members other than these are ignored. Its coordinates are longitude and latitude;
pixels and metres deviate from it by "prior arrangement" (section 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.utils.arrays import Points
from crowdgan_density.ground_plane.groups import convex_hull
from crowdgan_density.zones.simple_polygons import crossing_edges

ZoneUnit = Literal["pixels", "metres"]
"""Unit of a zone's coordinates: pixels of the full image, or metres on the ground."""

MAX_FILE_BYTES = 2**24
"""Maximum number of bytes read from a file: a thousand zones of a thousand corners have fewer."""

MAX_CORNERS = 2000
"""Maximum number of corners of a zone; its edges are compared in pairs."""

MIN_EXTENT: dict[ZoneUnit, float] = {"pixels": 2.0, "metres": 0.5}
"""Minimum width or height of a zone, ours: less is smaller than one person, and typical of longitude and latitude,
where a hundredth of a degree is a kilometre."""

MAX_VALUE_CHARACTERS = 60
"""Maximum length of a value in an error message."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone:
    """A named simple polygon in the image or on the ground."""

    name: str
    """Name in tables."""
    corners: Points
    """`[num_corners, 2]` in the unit of the zone, in either direction; the first corner is not repeated."""
    unit: ZoneUnit = "pixels"
    """Unit of the corners."""
    where: str = "zone"
    """Location for messages, for example `zones.geojson: feature 2 (gate)`."""

    def __repr__(self) -> str:
        """For example `Zone('gate', 4 corners in pixels)`."""
        return f"Zone({self.name!r}, {len(self.corners)} corners in {self.unit})"


def read_zones(path: Path | str) -> tuple[Zone, ...]:
    """The zones of a GeoJSON file, in its order.

    Raises:
        ConfigError: the file cannot be read or has another form, a polygon is damaged, or two zones have one name; the
            message names file, feature and reason.
    """
    path = Path(path)
    features, unit = _read_features(path)
    zones = tuple(_read_zone(feature, unit, f"{path}: feature {n}") for n, feature in enumerate(features, 1))
    first: dict[str, Zone] = {}
    for zone in zones:
        if zone.name in first:
            raise ConfigError(f"{zone.where}: the name is also that of {first[zone.name].where}; use different names")
        first[zone.name] = zone
    return zones


def _read_features(path: Path) -> tuple[list[Any], ZoneUnit]:
    """The features of a collection, and the unit of those that have none."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes; it must be a file of zones")
        data = loads_strict(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON ({error})") from error
    kind = data.get("type") if isinstance(data, dict) else None
    if kind != "FeatureCollection":
        raise ConfigError(f"{path}: the type is {_shorten(kind)}; it must be a GeoJSON FeatureCollection")
    if "crs" in data:
        raise ConfigError(
            f"{path}: coordinate systems (crs) are not supported; coordinates are pixels of the image, or metres on the"
            ' ground with "unit": "metres"'
        )
    features = data.get("features")
    if not isinstance(features, list) or not features:
        raise ConfigError(f"{path}: features is {_shorten(features)}; it must be a list of one or more polygons")
    return features, _read_unit(data, "pixels", str(path))


def _read_zone(feature: Any, default_unit: ZoneUnit, where: str) -> Zone:
    """The zone of a feature."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise ConfigError(f"{where}: must be an object of type Feature")
    properties = feature.get("properties")
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{where}: the property name is {_shorten(name)}; it must be a text")
    where = f"{where} ({name})"
    assert isinstance(properties, dict)
    unit = _read_unit(properties, default_unit, where)
    corners = _read_corners(feature.get("geometry"), where)
    _check_corners(corners, unit, where)
    return Zone(name=name.strip(), corners=corners, unit=unit, where=where)


def _read_unit(members: dict[str, Any], default: ZoneUnit, where: str) -> ZoneUnit:
    unit = members.get("unit", default)
    for choice in get_args(ZoneUnit):
        if unit == choice:
            return choice  # type: ignore[no-any-return]
    raise ConfigError(f"{where}: unit is {_shorten(unit)}; it must be pixels or metres")


def _read_corners(geometry: Any, where: str) -> Points:
    """Corners of a GeoJSON polygon, `[num_corners, 2]`, without the repetition of the first one."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "MultiPolygon":
        raise ConfigError(f"{where}: the geometry is a MultiPolygon; make a feature with a name of each polygon")
    rings = geometry.get("coordinates") if kind == "Polygon" else None
    if not isinstance(rings, list) or not rings:
        raise ConfigError(f"{where}: the geometry is {_shorten(kind)}; it must be a Polygon with coordinates")
    if len(rings) > 1:
        raise ConfigError(f"{where}: the polygon has {len(rings) - 1} holes; divide it into polygons without holes")
    ring = rings[0] if isinstance(rings[0], list) else []
    for number, position in enumerate(ring, 1):
        if not _is_position(position):
            raise ConfigError(f"{where}: corner {number} is {_shorten(position)}; it must be two finite numbers [x, y]")
    is_closed = len(ring) > 1 and ring[0] == ring[-1]
    if len(ring) - is_closed < 3:
        raise ConfigError(f"{where}: the polygon has {len(ring) - is_closed} corners; it must have 3 or more")
    if not is_closed:
        raise ConfigError(f"{where}: the polygon is not closed; append its first position {ring[0]} as the last one")
    if len(ring) > MAX_CORNERS:
        raise ConfigError(f"{where}: the polygon has {len(ring)} positions; it must have at most {MAX_CORNERS}")
    corners = np.array(ring[:-1], float)
    return np.asarray(corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)])


def _check_corners(corners: Points, unit: ZoneUnit, where: str) -> None:
    """Checks that a polygon is simple and has an area.

    Raises:
        ConfigError: it is not or has none.
    """
    extent = np.ptp(corners, axis=0) if len(corners) else np.zeros(2)
    if max(extent) < MIN_EXTENT[unit]:
        raise ConfigError(
            f"{where}: the polygon is {extent[0]:.3g} x {extent[1]:.3g} {unit} large; it must be larger than a person"
            " (longitude and latitude are not supported)"
        )
    if convex_hull(corners) is None:
        raise ConfigError(f"{where}: the polygon has no area")
    crossing = crossing_edges(corners)
    if crossing is not None:
        texts = [f"{edge + 1}–{(edge + 1) % len(corners) + 1}" for edge in crossing]
        raise ConfigError(f"{where}: the edges between corners {' and '.join(texts)} intersect")


def _is_position(position: Any) -> bool:
    if not isinstance(position, list) or len(position) != 2:
        return False
    return all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in position) and all(
        abs(number) < 1e9 and math.isfinite(number) for number in position
    )


def _shorten(value: Any) -> str:
    """A value for messages."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"
