"""Colours of the values of layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_hex

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.layers import HeatmapLayer, PointLayer, ValueClasses
from crowdgan_plot.density.colour_scales import ColourScale, colour_scales
from crowdgan_plot.style import class_colours

TRIANGLE = np.array([[100.0, 100], [300, 100], [200, 300]])
COUNTS = HeatmapLayer(label="cells", unit="persons", values=np.array([[1.0, np.nan], [3, 2]]), extent=(0, 0, 640, 480))
SMOOTH = HeatmapLayer(label="map", unit="persons/m²", values=np.arange(12.0).reshape(3, 4), extent=(0, 0, 640, 480))
LOCAL = PointLayer(label="local density", unit="persons/m²", points=TRIANGLE, values=np.array([1.0, 2, 3]))
LEVELS = ValueClasses(
    title="level of service",
    names=("A", "B", "C"),
    bounds=ClassBounds(values=(1.0, 2.0), included_above=(True, False)),
)


def colours_of(scale: ColourScale, values: list[float]) -> list[str]:
    return [to_hex(colour) for colour in ScalarMappable(**scale.arguments).to_rgba(np.array(values))]


def test_values_of_one_unit_share_a_colour_scale() -> None:
    scales = colour_scales([SMOOTH, LOCAL, dataclasses.replace(COUNTS, is_discrete=True)])
    assert [(scale.label, scale.colour_map) for scale in scales.values()] == [
        ("map, local density (persons/m²)", "viridis"),
        ("cells (persons)", "cividis"),
    ]
    assert scales["persons/m²"].norm.vmax == 11


@pytest.mark.parametrize(
    ("values", "limits", "is_clipped"),
    [
        ([[0.5, 0.5]], (0, 0.75), False),
        ([[0.0, 0.0]], (0, 1), False),
        ([[-2.0, 4.0]], (-2, 4), False),
        ([[*[1.0] * 99, 50.0]], (0, 1), True),
    ],
    ids=["one value", "zeros", "negative", "one peak"],
)
def test_colours_span_the_values_from_0(
    values: list[list[float]], limits: tuple[float, float], is_clipped: bool
) -> None:
    layer = HeatmapLayer(label="map", unit="m", values=np.array(values), extent=(0, 0, 1, 1))
    scale = colour_scales([layer])["m"]
    assert (scale.norm.vmin, scale.norm.vmax, scale.is_clipped) == (*limits, is_clipped)
    cells = dataclasses.replace(layer, is_discrete=True)
    assert not colour_scales([cells])["m"].is_clipped


def test_a_value_has_the_colour_of_its_class_whatever_the_other_values() -> None:
    colours = class_colours(3)
    for values in ([[0.1, 0.2]], [[0.5, 50.0]], [[1.5, np.nan]]):
        layer = HeatmapLayer(label="map", unit="m", values=np.array(values), extent=(0, 0, 1, 1), classes=LEVELS)
        scale = colour_scales([layer])["m"]
        assert colours_of(scale, [-1.0, 0.0, 0.99, 1.5, 2.5, 1000.0]) == [colours[k] for k in (0, 0, 0, 1, 2, 2)]
        assert scale.label == "map (m); level of service"
        assert not scale.is_clipped


def test_a_boundary_has_the_colour_of_the_class_that_includes_it() -> None:
    scale = colour_scales([dataclasses.replace(SMOOTH, classes=LEVELS)])["persons/m²"]
    expected = [class_colours(3)[LEVELS.bounds.class_index(value)] for value in (1.0, 2.0)]
    assert colours_of(scale, [1.0, 2.0]) == expected == class_colours(3)[1:2] * 2


def test_classes_of_one_layer_hold_for_all_layers_of_its_unit() -> None:
    scale = colour_scales([SMOOTH, dataclasses.replace(LOCAL, classes=LEVELS)])["persons/m²"]
    assert scale.classes is LEVELS
    assert scale.layer_labels == ("map", "local density")
