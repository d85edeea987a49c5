"""Estimators that reproduce the labels of the published tool, for compatibility with models trained on them.

The published tool measured full images (`--region full`) with the integer boxes of CrowdHuman, and counted every
annotated box, including ignore regions. Recorded results of the tool for 120 scenes verify each peculiarity; the
docstrings say where no result is recorded.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, Points
from crowdgan_density.count_layers import CellCounts, count_layers, spacing_layer
from crowdgan_density.image_plane.base import ThreeClassEstimator
from crowdgan_density.image_plane.counting import check_count_range, dataset_count_range, require_count_range
from crowdgan_density.image_plane.grid import (
    CellIndices,
    cell_layers,
    count_rectangles,
    grid_shape,
    largest_cluster_mean,
    metre_cell_px,
    relative_cell_px,
)
from crowdgan_density.image_plane.pairwise import mean_distances_to_others_px, mean_pairwise_distance_px

MAX_CELLS = 10_000_000
"""Number of cells above which the grids raise an error, ours: limits memory, far above the cells of real boxes."""

MEDIUM = 1
"""Index of class medium."""

NO_BOXES_REASON = "only heads are annotated; the published tool needs full-body boxes"


def annotated_boxes(scene: Scene) -> Boxes:
    """Full boxes of all annotations that have one, including ignore regions, `[num_boxes, 4]` xywh in pixels.

    Boxes with a NaN or a negative size are skipped; no result of the published tool is recorded for them.
    """
    boxes = scene.full_boxes
    return boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= 0).all(axis=1)]


def floored_spacing(boxes_xywh: Boxes) -> float:
    """Mean distance between floored box centres, in mean box widths.

    NaN for fewer than two boxes, as in the published tool.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels.

    Raises:
        DensityError: the mean width is not above 0; no result of the published tool is recorded for this case.
    """
    if len(boxes_xywh) < 2:
        return math.nan
    mean_width_px = float(boxes_xywh[:, 2].mean())
    if not mean_width_px > 0:
        raise DensityError(f"sg3-euclidean: the mean box width is {mean_width_px:g} px; it must be above 0")
    return mean_pairwise_distance_px(floored_centres(boxes_xywh)) / mean_width_px


def floored_centres(boxes_xywh: Boxes) -> Points:
    """Centres of boxes by floor division of their sizes, `[num_boxes, 2]` x, y in pixels."""
    return boxes_xywh[:, :2] + boxes_xywh[:, 2:] // 2


def wrapped_counts(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> CellCounts:
    """Number of boxes that touch each whole cell, `[rows, columns]`; a box end left of or above the image wraps around.

    The published tool marks the cells of a box by a slice whose end may be negative, which counts from the far side.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there are more than `MAX_CELLS` cells.
    """
    rows, columns = grid_shape(size, cell_px, MAX_CELLS)
    shape = np.array([columns, rows])
    first = _truncate(boxes_xywh[:, :2] / cell_px, shape).clip(0)
    end = _truncate((boxes_xywh[:, :2] + boxes_xywh[:, 2:]) / cell_px, shape + 1) + 1
    end = np.minimum(np.where(end < 0, (end + shape).clip(0), end), shape)
    has_cells = (first < end).all(axis=1)
    return count_rectangles(first[has_cells], end[has_cells], (rows, columns))


@dataclass(frozen=True, kw_only=True)
class Sg3ThresholdEstimator(ThreeClassEstimator):
    """Labels of the published tool: threshold.

    Number of annotated boxes: up to 10 sparse, up to 30 medium.
    """

    name: ClassVar[str] = "sg3-threshold"
    unit: ClassVar[str] = "annotated boxes"

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the published tool, which are fixed."""
        return ClassBounds(
            values=(10, 30),
            included_above=(False, False),
        )

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The number of annotations, including ignore regions."""
        return self.classify(len(scene))

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """One point per annotation, including ignore regions."""
        return count_layers(scene, scene.size, "counted boxes")


@dataclass(frozen=True, kw_only=True)
class Sg3NormalisedEstimator(ThreeClassEstimator):
    """Labels of the published tool: normalised.

    All annotated boxes are counted, but the dataset's count range is that of annotations tagged `person`.
    """

    name: ClassVar[str] = "sg3-normalised"
    unit: ClassVar[str] = "fraction of the dataset's count range"

    count_min: int | None = option(None, "count mapped to 0; none: dataset minimum")
    count_max: int | None = option(None, "count mapped to 1; none: dataset maximum")

    def __post_init__(self) -> None:
        check_count_range(self.name, self.count_min, self.count_max)

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the published tool, which are fixed."""
        return ClassBounds(
            values=(0.333, 0.666),
            included_above=(True, False),
        )

    def fit(self, scenes: Iterable[Scene]) -> Sg3NormalisedEstimator:
        """The estimator with the count range of a dataset; itself, without reading the dataset, if the range is set.

        Raises:
            DensityError: the dataset has no scenes.
        """
        if self.count_min is not None:
            return self
        counts = (int(np.count_nonzero(scene.tagged_person)) for scene in scenes)
        count_min, count_max = dataset_count_range(self.name, counts)
        return replace(self, count_min=count_min, count_max=count_max)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The min-max normalised number of annotations, including ignore regions.

        Raises:
            DensityError: the count range is neither set nor fitted, or its two ends are equal (a division by 0).
        """
        count_min, count_max = require_count_range(self.name, self.count_min, self.count_max)
        if count_min == count_max:
            raise DensityError(
                f"{self.name}: all scenes have {count_min} people; the published tool stops with a division by 0"
            )
        return self.classify((len(scene) - count_min) / (count_max - count_min))

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """One point per annotation, including ignore regions."""
        return count_layers(scene, scene.size, "counted boxes")


@dataclass(frozen=True, kw_only=True)
class Sg3EuclideanEstimator(ThreeClassEstimator):
    """Labels of the published tool: euclidean.

    Mean distance between people, so scenes with people far apart are dense. With fewer than two boxes the published
    tool's value is NaN and its class medium. An estimate cannot be NaN, so the value is 0; the class is medium too.
    (Recorded for one box; assumed for an empty scene.)
    """

    name: ClassVar[str] = "sg3-euclidean"
    unit: ClassVar[str] = "spacing in mean box widths"

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the published tool; a scene with fewer than two boxes is medium."""
        return ClassBounds(
            values=(1.5, 3),
        )

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The spacing, which decreases with crowding, with the published tool's classes.

        Raises:
            DensityError: the mean width of the boxes is not above 0.
        """
        boxes = annotated_boxes(scene)
        if len(scene) and not len(boxes):
            return self.unknown(NO_BOXES_REASON)
        spacing = floored_spacing(boxes)
        if math.isnan(spacing):
            return DensityEstimate(value=0.0, unit=self.unit, class_index=MEDIUM)
        return self.classify(spacing)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """Each annotation's mean distance to others, whose mean is the value."""
        boxes = annotated_boxes(scene)
        if len(boxes) < 2 or not boxes[:, 2].mean() > 0:
            return ()
        points = floored_centres(boxes)
        return (spacing_layer(points, mean_distances_to_others_px(points), float(boxes[:, 2].mean())),)


class _Sg3ClusterEstimator(ThreeClassEstimator):
    """Base of both grid estimators; subclasses define the side of a cell."""

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the published tool, which are fixed."""
        return ClassBounds(
            values=(2, 3),
        )

    @abstractmethod
    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels."""

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The largest mean count of a cluster, with box ends left of or above the image wrapped around.

        Raises:
            DensityError: there are no boxes, they have no size, no whole cell is occupied (the published tool stops
                with an error), or there are too many cells.
        """
        if len(scene) and not len(annotated_boxes(scene)):
            return self.unknown(NO_BOXES_REASON)
        return self.classify(largest_cluster_mean(self._counts(scene)[0]))

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The occupied cells with their counts, and the outline of the cluster whose mean is the value.

        Raises:
            DensityError: as `estimate`.
        """
        if len(scene) and not len(annotated_boxes(scene)):
            return ()
        counts, cell_px = self._counts(scene)
        return cell_layers(counts, cell_px, self.unit)

    def _counts(self, scene: Scene) -> tuple[CellCounts, float]:
        """Number of boxes per whole cell, and the side of a cell in pixels; raises as `estimate`."""
        boxes = annotated_boxes(scene)
        cell_px = self.cell_px(boxes, scene.size) if len(boxes) else 0.0
        if not cell_px > 0:
            raise DensityError(f"{self.name}: there are no boxes with a size; the published tool stops with an error")
        counts = wrapped_counts(boxes, scene.size, cell_px)
        if not counts.any():
            raise DensityError(
                f"{self.name}: no box touches a whole cell of {cell_px:.3g} px; the published tool stops with an error"
            )
        return counts, cell_px


@dataclass(frozen=True, kw_only=True)
class Sg3GridEstimator(_Sg3ClusterEstimator):
    """Labels of the published tool: grid.

    Largest mean number of annotated boxes per cell over clusters of a grid.
    """

    name: ClassVar[str] = "sg3-grid"
    unit: ClassVar[str] = "annotated boxes per cell"

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the image size and the mean box area."""
        return relative_cell_px(boxes_xywh, size)


@dataclass(frozen=True, kw_only=True)
class Sg3GridMetresEstimator(_Sg3ClusterEstimator):
    """Labels of the published tool: grid-metres.

    As sg3-grid, with cells of 1 m at the mean box height.
    """

    name: ClassVar[str] = "sg3-grid-metres"
    unit: ClassVar[str] = "annotated boxes per 1 m cell"

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the mean box height."""
        return metre_cell_px(boxes_xywh)


def _truncate(cells: Boxes, bound: CellIndices) -> CellIndices:
    """Fractional cell coordinates `[num_boxes, 2]` truncated towards 0 and limited to ±`bound`."""
    truncated: CellIndices = np.trunc(cells).clip(-bound, bound).astype(np.int64)
    return truncated
