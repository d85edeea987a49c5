"""What estimators offer to be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crowdgan_core.density.layers import (
    HeatmapLayer,
    Layer,
    LineLayer,
    PointLayer,
    PolygonLayer,
    layer_coordinates,
    layer_values,
)

SQUARE = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (PointLayer, {"label": "", "points": SQUARE}, "the label of a layer is empty"),
        (PointLayer, {"points": SQUARE, "space": "sky"}, "the space of thing is 'sky'; it must be image or ground"),
        (PointLayer, {"points": SQUARE.ravel()}, r"thing: coordinates must be \[num_points, 2\]"),
        (LineLayer, {"lines": [SQUARE, np.zeros((2, 3))]}, r"thing: coordinates must be \[num_points, 2\]"),
        (PointLayer, {"points": SQUARE, "values": np.ones(4)}, "thing: it has values, so it needs a unit"),
        (PointLayer, {"points": SQUARE, "values": np.ones(3), "unit": "m"}, r"values are \[3\]; they must be \[4\]"),
        (PolygonLayer, {"polygons": [SQUARE], "values": np.ones(2), "unit": "m"}, r"are \[2\]; they must be \[1\]"),
        (HeatmapLayer, {"values": np.ones(3), "unit": "m", "extent": (0, 0, 1, 1)}, r"they must be \[rows, columns\]"),
        (HeatmapLayer, {"values": np.ones((0, 3)), "unit": "m", "extent": (0, 0, 1, 1)}, r"must be \[rows, columns\]"),
        (HeatmapLayer, {"values": np.ones((2, 2)), "extent": (0, 0, 1, 1)}, "it has values, so it needs a unit"),
        (HeatmapLayer, {"values": np.ones((2, 2)), "unit": "m", "extent": (0, 1, 1, 1)}, "the extent .* is empty"),
    ],
)
def test_a_layer_that_cannot_be_drawn_is_an_error(kind: type[Layer], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{"label": "thing", **fields})


def test_all_coordinates_and_values_of_a_layer_are_found() -> None:
    grid = HeatmapLayer(label="map", unit="m", values=np.ones((2, 3)), extent=(0, 1, 6, 5))
    assert layer_coordinates(grid).tolist() == [[0, 1], [6, 5]]
    assert grid.cell_area == 4
    assert layer_values(grid) is grid.values
    both = PolygonLayer(label="areas", polygons=[SQUARE, SQUARE + 1], space="ground")
    assert layer_coordinates(both).shape == (8, 2)
    assert layer_values(both) is None
    assert layer_coordinates(LineLayer(label="lines", lines=[])).shape == (0, 2)
    assert layer_values(LineLayer(label="lines", lines=[SQUARE])) is None
    assert layer_coordinates(PointLayer(label="points", points=SQUARE)) is SQUARE
