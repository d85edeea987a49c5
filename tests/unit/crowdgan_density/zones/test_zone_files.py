"""Zones in GeoJSON files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_density.zones.zone_files import read_zones

SQUARE = [[10, 10], [90, 10], [90, 90], [10, 90], [10, 10]]


def feature(name: object = "gate", ring: Any = SQUARE, **changes: Any) -> dict[str, Any]:
    """A feature with one polygon."""
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry, **changes}


def write(path: Path, *features: object, **members: object) -> Path:
    """Writes a collection of features."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features), **members}))
    return path


def test_zones_have_names_corners_and_units(tmp_path: Path) -> None:
    on_ground = feature("stage", [[-2, 5], [3, 5], [0, 9.5], [-2, 5]])
    on_ground["properties"]["unit"] = "metres"
    gate, stage = read_zones(write(tmp_path / "zones.geojson", feature(" gate "), on_ground, name="ignored"))
    assert (gate.name, gate.unit, gate.corners.tolist()) == ("gate", "pixels", SQUARE[:-1])
    assert (stage.name, stage.unit) == ("stage", "metres")
    (all_metres,) = read_zones(write(tmp_path / "ground.geojson", feature(), unit="metres"))
    assert all_metres.unit == "metres"
    assert repr(gate) == "Zone('gate', 4 corners in pixels)"


def test_a_repeated_corner_is_one_corner(tmp_path: Path) -> None:
    (zone,) = read_zones(write(tmp_path / "zones.geojson", feature(ring=[SQUARE[0], *SQUARE])))
    assert zone.corners.tolist() == SQUARE[:-1]


def multi_polygon() -> dict[str, Any]:
    return feature(geometry={"type": "MultiPolygon", "coordinates": [[SQUARE]]})


DAMAGED = {
    "feature 1 must be an object of type Feature": ["text"],
    "the property name is missing; it must be a text": [feature(None)],
    "the property name is 7; it must be a text": [feature(7)],
    "feature 2 (gate): the name is also that of PATH: feature 1 (gate)": [feature(), feature()],
    "the geometry is 'Point'; it must be a Polygon": [feature(geometry={"type": "Point", "coordinates": [1, 2]})],
    "the geometry is a MultiPolygon; make a feature with a name of each polygon": [multi_polygon()],
    "the polygon has 1 holes": [feature(geometry={"type": "Polygon", "coordinates": [SQUARE, SQUARE]})],
    "the polygon is not closed": [feature(ring=SQUARE[:-1])],
    "the polygon is not closed; append its first position [0, 0] as": [feature(ring=[[0, 0], [9, 0], [9, 9]])],
    "the polygon has 2 corners; it must have 3 or more": [feature(ring=[[0, 0], [9, 9], [0, 0]])],
    "the polygon has no area": [feature(ring=[[0, 0], [50, 50], [90, 90], [0, 0]])],
    "the edges between corners 1–2 and 3–4 intersect": [feature(ring=[[0, 0], [9, 9], [9, 0], [0, 9], [0, 0]])],
    "corner 2 is [90, '10']; it must be two finite numbers": [feature(ring=[[10, 10], [90, "10"], *SQUARE[2:]])],
    "corner 2 is [90, 10, 5]; it must be two finite numbers": [feature(ring=[[10, 10], [90, 10, 5], *SQUARE[2:]])],
    "longitude and latitude are not supported": [feature(ring=[[9.1, 48.7], [9.11, 48.7], [9.1, 48.71], [9.1, 48.7]])],
}


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_zone_is_an_error_that_names_file_and_feature(tmp_path: Path, reason: str) -> None:
    path = write(tmp_path / "zones.geojson", *DAMAGED[reason])
    if reason.startswith("feature 1 "):
        reason = f"feature 1: {reason.removeprefix('feature 1 ')}"
    with pytest.raises(ConfigError, match=re.escape(reason.replace("PATH", str(path)))) as error:
        read_zones(path)
    assert str(error.value).startswith(f"{path}: feature ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ('{"type": "FeatureCollection", "features": [NaN]}', "NaN is not valid JSON"),
        ("[]", "the type is missing; it must be a GeoJSON FeatureCollection"),
        ('{"type": "Polygon"}', "the type is 'Polygon'; it must be a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "features is []; it must be a list of one or more polygons"),
        ('{"type": "FeatureCollection", "features": [1], "crs": {}}', "coordinate systems (crs) are not supported"),
        ('{"type": "FeatureCollection", "features": [1], "unit": "feet"}', "unit is 'feet'; it must be pixels or"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "zones.geojson"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(reason)) as error:
        read_zones(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_zones(tmp_path / "missing.geojson")
