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
        ValueError: the title is empty, or the number of names does not fit the boundaries.
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
        if len(self.names) != len(self.bounds.values) + 1:
            raise ValueError(f"{self.title}: {len(self.names)} names for {len(self.bounds.values)} boundaries")


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer, drawn over the image or beside it.

    Raises:
        ValueError: the label is empty, values have no unit, or an array has the wrong shape.
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
        if not self.label:
            raise ValueError("layer label is empty; it must be the text for the legend")
        if self.space not in get_args(Space):
            raise ValueError(f"{self.label}: space is {self.space!r}; it must be image or ground")

    def _check(self, shapes: Sequence[Points], values: FloatArray | None) -> None:
        if any(np.ndim(shape) != 2 or np.shape(shape)[1] != 2 for shape in shapes):
            raise ValueError(f"{self.label}: coordinates must have shape [num_points, 2]")
        if values is not None and not self.unit:
            raise ValueError(f"{self.label}: unit is missing; it is required for values")

    def _check_count(self, values: FloatArray | None, count: int) -> None:
        if values is not None and np.shape(values) != (count,):
            raise ValueError(f"{self.label}: values have shape {list(np.shape(values))}; it must be [{count}]")


@dataclass(frozen=True, kw_only=True, eq=False)
class PolygonLayer(Layer):
    """Polygons, filled by their values, or only their outlines."""

    polygons: Sequence[Points]
    """Corners of each polygon, `[num_corners, 2]`."""

    values: FloatArray | None = None
    """Value of each polygon, `[num_polygons]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(self.polygons, self.values)
        self._check_count(self.values, len(self.polygons))


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapLayer(Layer):
    """A heatmap: values on a regular grid over a rectangle."""

    values: FloatArray
    """Values of the cells, `[rows, columns]`; cells with NaN are not drawn."""

    extent: tuple[float, float, float, float]
    """Outer corners `(x, y, x, y)`: of the first row and column, then of the last row and column."""

    is_discrete: bool = False
    """Whether the cells belong to a grid of the estimator and are drawn separately, instead of smoothly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check((), self.values)
        if np.ndim(self.values) != 2 or not np.size(self.values):
            shape = list(np.shape(self.values))
            raise ValueError(f"{self.label}: values have shape {shape}; it must be [rows, columns]")
        left, first, right, last = self.extent
        if left == right or first == last:
            raise ValueError(f"{self.label}: extent {self.extent} is empty; width and height must not be 0")

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
        self._check(self.lines, None)


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
        self._check((self.points,), self.values)
        self._check_count(self.values, len(self.points))
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
