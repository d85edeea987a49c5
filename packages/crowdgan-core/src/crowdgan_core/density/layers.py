"""What an estimator offers to be drawn: shapes and maps with values, in pixels of the image or metres of ground.

They are data, so that an estimator needs no library that draws. `crowdgan plot density` and `crowdgan label --plot`
draw them, with the label, a scale of the values in the unit, and those on the ground in a view from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from crowdgan_core.utils.arrays import FloatArray, Points

Space = Literal["image", "ground"]
"""Pixels of the scene's image, x to the right and y down; or metres of ground, x to the right and y forward."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Something to be drawn over an image, or beside it.

    Raises:
        ValueError: a layer without a label, with values without a unit, or with arrays of the wrong shape.
    """

    label: str
    """What is drawn, for the legend: `people`, `ground that people occupy`."""

    unit: str | None = None
    """Of the values; None for a layer without."""

    space: Space = "image"

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("the label of a layer is empty; it must say what is drawn")
        if self.space not in get_args(Space):
            raise ValueError(f"the space of {self.label} is {self.space!r}; it must be image or ground")

    def _check(self, shapes: Sequence[Points], values: FloatArray | None) -> None:
        if any(np.ndim(shape) != 2 or np.shape(shape)[1] != 2 for shape in shapes):
            raise ValueError(f"{self.label}: coordinates must be [num_points, 2]")
        if values is not None and not self.unit:
            raise ValueError(f"{self.label}: it has values, so it needs a unit")

    def _check_count(self, values: FloatArray | None, count: int) -> None:
        if values is not None and np.shape(values) != (count,):
            raise ValueError(f"{self.label}: values are {list(np.shape(values))}; they must be [{count}]")


@dataclass(frozen=True, kw_only=True, eq=False)
class PolygonLayer(Layer):
    """Areas: filled by their values, or outlines alone."""

    polygons: Sequence[Points]
    """Corners of each, `[num_corners, 2]`."""

    values: FloatArray | None = None
    """`[num_polygons]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(self.polygons, self.values)
        self._check_count(self.values, len(self.polygons))


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapLayer(Layer):
    """A grid of values over a rectangle."""

    values: FloatArray
    """`[rows, columns]`; NaN where there is nothing to show."""

    extent: tuple[float, float, float, float]
    """x and y of the outer corner of the first row and column, then of the last."""

    is_discrete: bool = False
    """Whether the cells are those of the estimator, shown one by one, not the samples of a smooth map."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check((), self.values)
        if np.ndim(self.values) != 2 or not np.size(self.values):
            raise ValueError(f"{self.label}: values are {list(np.shape(self.values))}; they must be [rows, columns]")
        left, first, right, last = self.extent
        if left == right or first == last:
            raise ValueError(f"{self.label}: the extent {self.extent} is empty")

    @property
    def cell_area(self) -> float:
        """Area of a cell, in px² or m²."""
        left, first, right, last = self.extent
        return abs((right - left) * (last - first)) / self.values.size


@dataclass(frozen=True, kw_only=True, eq=False)
class LineLayer(Layer):
    """Lines of any number of points: borders, links, a grid on the ground."""

    lines: Sequence[Points]
    """Points of each, `[num_points, 2]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(self.lines, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class PointLayer(Layer):
    """Places: people, for example."""

    points: Points

    values: FloatArray | None = None
    """`[num_points]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check((self.points,), self.values)
        self._check_count(self.values, len(self.points))


def layer_coordinates(layer: Layer) -> Points:
    """All coordinates of a layer, `[num_points, 2]`, in its space; of a map the two corners."""
    if isinstance(layer, HeatmapLayer):
        return np.array(layer.extent, float).reshape(2, 2)
    if isinstance(layer, PointLayer):
        return layer.points
    shapes = layer.polygons if isinstance(layer, PolygonLayer) else layer.lines if isinstance(layer, LineLayer) else ()
    return np.concatenate([np.empty((0, 2)), *shapes])


def layer_values(layer: Layer) -> FloatArray | None:
    """The values of a layer, of any shape; None for one without."""
    return layer.values if isinstance(layer, (PolygonLayer, HeatmapLayer, PointLayer)) else None
