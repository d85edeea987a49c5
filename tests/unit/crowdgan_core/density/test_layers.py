"""Overlay layers of estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.layers import (
    HeatmapLayer,
    Layer,
    LineLayer,
    PointLayer,
    PolygonLayer,
    TextLayer,
    ValueClasses,
    layer_coordinates,
    layer_values,
)

SQUARE = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])


@pytest.mark.parametrize(
    ("layer_class", "fields", "message"),
    [
        (PointLayer, {"label": "", "points": SQUARE}, "layer label is ''; it must be"),
        (PointLayer, {"points": SQUARE, "space": "sky"}, "thing: space is 'sky'; it must be image or ground"),
        (PointLayer, {"points": SQUARE.ravel()}, r"thing: coordinates must have shape \[num_points, 2\]"),
        (LineLayer, {"lines": [SQUARE, np.zeros((2, 3))]}, r"thing: coordinates must have shape \[num_points, 2\]"),
        (PointLayer, {"points": SQUARE, "values": np.ones(4)}, "thing: unit is missing; it is required for values"),
        (
            PointLayer,
            {"points": SQUARE, "values": np.ones(3), "unit": "m"},
            r"values have shape \[3\]; it must be \[4\]",
        ),
        (PointLayer, {"points": SQUARE, "texts": ["a"]}, "thing: there are 1 texts for 4 points"),
        (
            PolygonLayer,
            {"polygons": [SQUARE], "values": np.ones(2), "unit": "m"},
            r"have shape \[2\]; it must be \[1\]",
        ),
        (HeatmapLayer, {"values": np.ones(3), "unit": "m", "extent": (0, 0, 1, 1)}, r"it must be \[rows, columns\]"),
        (HeatmapLayer, {"values": np.ones((0, 3)), "unit": "m", "extent": (0, 0, 1, 1)}, r"must be \[rows, columns\]"),
        (
            HeatmapLayer,
            {"values": np.ones((2, 2)), "extent": (0, 0, 1, 1)},
            "unit is missing; it is required for values",
        ),
        (
            HeatmapLayer,
            {"values": np.ones((2, 2)), "unit": "m", "extent": (0, 1, 1, 1)},
            r"extent is \(0, 1, 1, 1\); it must be",
        ),
        (
            HeatmapLayer,
            {"values": np.ones((2, 2)), "unit": "m", "extent": (0, 480, 0, 640)},
            r"^thing: extent is \(0, 480, 0, 640\); it must be \(x0, y0, x1, y1\) with x0 other than x1, and y0 other",
        ),
        (HeatmapLayer, {"values": np.ones((2, 2)), "unit": "m", "extent": (0, 1)}, "it must be .x0, y0, x1, y1"),
        (PointLayer, {"points": "abc"}, "thing: coordinates must be an array of numbers"),
        (PointLayer, {"label": 3, "points": SQUARE}, "layer label is 3; it must be the text"),
        (PointLayer, {"points": SQUARE, "classes": ("low", "high")}, "thing: classes is .* must be ValueClasses"),
    ],
)
def test_an_invalid_layer_is_an_error(layer_class: type[Layer], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer_class(**{"label": "thing", **fields})


def test_lists_of_numbers_are_converted_to_arrays() -> None:
    heatmap = HeatmapLayer(label="map", unit="m", values=[[1, 2]], extent=(0, 0, 1, 1))  # type: ignore[arg-type]
    assert heatmap.values.dtype == float
    polygons = PolygonLayer(label="areas", unit="m", polygons=[SQUARE.tolist()], values=[3])  # type: ignore[arg-type]
    assert polygons.polygons[0].shape == (4, 2)
    assert polygons.values is not None
    assert polygons.values.tolist() == [3.0]
    with pytest.raises(ValueError, match=r"levels: bounds is \(1.0,\); it must be ClassBounds"):
        ValueClasses(title="levels", names=("a", "b"), bounds=(1.0,))  # type: ignore[arg-type]


def test_coordinates_and_values_of_each_layer_type_are_returned() -> None:
    heatmap = HeatmapLayer(label="map", unit="m", values=np.ones((2, 3)), extent=(0, 1, 6, 5))
    assert layer_coordinates(heatmap).tolist() == [[0, 1], [6, 5]]
    assert heatmap.cell_area == 4
    assert layer_values(heatmap) is heatmap.values
    polygons = PolygonLayer(label="areas", polygons=[SQUARE, SQUARE + 1], space="ground")
    assert layer_coordinates(polygons).shape == (8, 2)
    assert layer_values(polygons) is None
    assert layer_coordinates(LineLayer(label="lines", lines=[])).shape == (0, 2)
    assert layer_values(LineLayer(label="lines", lines=[SQUARE])) is None
    assert layer_coordinates(TextLayer(label="peak 2 m")).shape == (0, 2)
    assert layer_values(TextLayer(label="peak 2 m")) is None
    assert layer_coordinates(PointLayer(label="points", points=SQUARE)) is SQUARE


@pytest.mark.parametrize(
    ("title", "names", "message"),
    [("", ("low", "high"), "title of the classes is empty"), ("levels", ("low",), "levels: 1 names for 1 boundaries")],
)
def test_invalid_classes_of_values_are_an_error(title: str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValueClasses(title=title, names=names, bounds=ClassBounds(values=(1.0,)))
