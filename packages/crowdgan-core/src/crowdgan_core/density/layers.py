"""Overlay layers as data: shapes and heatmaps with values, in pixels of the image or metres on the ground.

Layers are data, so that estimators need no plotting library. `crowdgan plot density` and `crowdgan label --plot` draw
them with their label and a colour scale in their unit; layers on the ground are also drawn in a view from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.utils.arrays import FloatArray, Points

Space = Literal["image", "ground"]
"""`image`: pixels of the scene, x to the right and y down. `ground`: metres, x to the right and y forward."""


@dataclass(frozen=True, kw_only=True)
class ValueClasses:
    """Classes of values, each with one colour: equal values have equal colours in all figures of these classes.

    Raises:
        ValueError: the title is empty, the boundaries are not `ClassBounds`, or the number of names does not fit them.
    """

    title: str
    """Text for the legend, for example `level of service, fruin-walkway`."""

    names: tuple[str, ...]
    """Names of the classes, from the lowest to the highest values."""

    bounds: ClassBounds
    """Boundaries between the classes, in the unit of the values."""

    def __post_init__(self) -> None:
        if not self.title:
            raise ValueError("title of the classes is empty; it must be the text for the legend")
        if not isinstance(self.bounds, ClassBounds):
            raise ValueError(f"{self.title}: bounds is {self.bounds!r:.60}; it must be ClassBounds")
        if len(self.names) != len(self.bounds.values) + 1:
            raise ValueError(f"{self.title}: {len(self.names)} names for {len(self.bounds.values)} boundaries")


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer, drawn over the image or beside it.

    Arrays are converted to floating-point numbers.

    Raises:
        ValueError: the label is empty, values have no unit, or an array has the wrong shape or type.
    """

    label: str
    """Text for the legend, for example `people` or `occupied ground`."""

    unit: str | None = None
    """Unit of the values; None without values."""

    space: Space = "image"
    """Coordinate system of the layer."""

    classes: ValueClasses | None = None
    """Classes that determine the colours of the values; None for colours from the lowest to the highest value."""

    axis_labels: tuple[str, str] | None = None
    """Labels of the x and the y axis of the view from above; None for metres to the right and ahead of the camera."""

    def __post_init__(self) -> None:
        label: object = self.label
        if not isinstance(label, str) or not label:
            raise ValueError(f"layer label is {label!r:.60}; it must be the text for the legend")
        if self.space not in get_args(Space):
            raise ValueError(f"{self.label}: space is {self.space!r}; it must be image or ground")
        if self.classes is not None and not isinstance(self.classes, ValueClasses):
            raise ValueError(f"{self.label}: classes is {self.classes!r:.60}; it must be ValueClasses")

    def _shape(self, coordinates: Points) -> Points:
        """Coordinates as a `[num_points, 2]` array, after a check."""
        points = self._array("coordinates", coordinates)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{self.label}: coordinates must have shape [num_points, 2]")
        return points

    def _values(self, values: FloatArray) -> FloatArray:
        """Values as an array, after a check of the unit."""
        if not self.unit:
            raise ValueError(f"{self.label}: unit is missing; it is required for values")
        return self._array("values", values)

    def _values_of(self, values: FloatArray | None, count: int) -> FloatArray | None:
        """Values of `count` shapes as an array, after checks; None without values."""
        if values is None:
            return None
        array = self._values(values)
        if array.shape != (count,):
            raise ValueError(f"{self.label}: values have shape {list(array.shape)}; it must be [{count}]")
        return array

    def _array(self, name: str, values: FloatArray) -> FloatArray:
        try:
            return np.asarray(values, float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.label}: {name} must be an array of numbers ({error})") from error

    def _set(self, **values: object) -> None:
        """Sets fields of the frozen layer, in `__post_init__`."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True, eq=False)
class PolygonLayer(Layer):
    """Polygons, filled by their values, or only their outlines."""

    polygons: Sequence[Points]
    """Corners of each polygon, `[num_corners, 2]`."""

    values: FloatArray | None = None
    """Value of each polygon, `[num_polygons]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        values = self._values_of(self.values, len(self.polygons))
        self._set(polygons=tuple(map(self._shape, self.polygons)), values=values)


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapLayer(Layer):
    """A heatmap: values on a regular grid over a rectangle."""

    values: FloatArray
    """Values of the cells, `[rows, columns]`; cells with NaN are not drawn."""

    extent: tuple[float, float, float, float]
    """Outer corners `(x0, y0, x1, y1)`: row 0 starts at y0 and the last one ends at y1, column 0 starts at x0."""

    is_discrete: bool = False
    """Whether the cells belong to a grid of the estimator and are drawn separately, instead of smoothly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(values=self._values(self.values))
        if self.values.ndim != 2 or not self.values.size:
            raise ValueError(f"{self.label}: values have shape {list(self.values.shape)}; it must be [rows, columns]")
        extent = self._array("extent", np.asarray(self.extent))
        if extent.shape != (4,) or extent[0] == extent[2] or extent[1] == extent[3]:
            expected = "it must be (x0, y0, x1, y1) with x0 other than x1, and y0 other than y1"
            raise ValueError(f"{self.label}: extent is {self.extent}; {expected}")

    @property
    def cell_area(self) -> float:
        """Area of one cell in px² or m²."""
        left, first, right, last = self.extent
        return abs((right - left) * (last - first)) / self.values.size


@dataclass(frozen=True, kw_only=True, eq=False)
class LineLayer(Layer):
    """Polylines: outlines, links between people, a grid on the ground."""

    lines: Sequence[Points]
    """Points of each polyline, `[num_points, 2]`."""

    is_reference: bool = False
    """Whether the lines are a reference, for example a metric grid: drawn thin and pale."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(lines=tuple(map(self._shape, self.lines)))


@dataclass(frozen=True, kw_only=True, eq=False)
class PointLayer(Layer):
    """Points, for example people."""

    points: Points
    """Coordinates of the points, `[num_points, 2]`."""

    values: FloatArray | None = None
    """Value of each point, `[num_points]`."""

    texts: Sequence[str] | None = None
    """Text next to each point, `[num_points]`; the points are drawn as rings around a place."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(points=self._shape(self.points), values=self._values_of(self.values, len(self.points)))
        if self.texts is not None and len(self.texts) != len(self.points):
            raise ValueError(f"{self.label}: there are {len(self.texts)} texts for {len(self.points)} points")


@dataclass(frozen=True, kw_only=True, eq=False)
class TextLayer(Layer):
    """A line of text below the title of the figure, its label: for example the peak, or the camera."""


def layer_coordinates(layer: Layer) -> Points:
    """All coordinates of a layer, `[num_points, 2]`, in its space; of a heatmap the two corners of the extent."""
    if isinstance(layer, HeatmapLayer):
        return np.array(layer.extent, float).reshape(2, 2)
    if isinstance(layer, PointLayer):
        return layer.points
    shapes = layer.polygons if isinstance(layer, PolygonLayer) else layer.lines if isinstance(layer, LineLayer) else ()
    return np.concatenate([np.empty((0, 2)), *shapes])


def layer_values(layer: Layer) -> FloatArray | None:
    """The values of a layer, of any shape; None if it has no values."""
    return layer.values if isinstance(layer, (PolygonLayer, HeatmapLayer, PointLayer)) else None
