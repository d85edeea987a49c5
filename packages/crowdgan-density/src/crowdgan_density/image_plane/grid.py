"""Estimators on a grid over the image: `grid`, and `grid-metres` with cells of 1 m.

Each cell counts the boxes that touch it. Adjacent occupied cells form clusters, and the density is the largest mean
count of a cluster. Only whole cells are evaluated: the partial cells at the right and bottom edge of the image are
used only if no whole cell is occupied.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, FloatArray
from crowdgan_density.boxes import clip_to_image, missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import CellCounts, cluster_layers
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

CellIndices = npt.NDArray[np.int64]
"""Column and row of cells, `[num_boxes, 2]`."""

CELLS_PER_SIDE = 25
"""Maximum number of cells along the width and along the height of the image (the published tool)."""

AREA_FACTOR_PX = 168.5
"""Minimum side of a cell in pixels, divided by √(mean box area / image area) (the published tool)."""

MAX_CELLS = 250_000
"""Number of cells above which the density of `grid-metres` is unknown; ours: 1 m is then under 7 px in an image of
12 million pixels, and clustering would take more than 5 ms."""


def relative_cell_px(boxes_xywh: Boxes, size: tuple[int, int]) -> float:
    """Side of a cell of `grid` in pixels: max(width/25, height/25, 168.5·√(mean box area / image area)).

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels, num_boxes >= 1.
        size: `(height, width)` of the image in pixels.

    Source: the published tool's method `grid`.
    """
    height, width = size
    mean_area_px2 = float((boxes_xywh[:, 2] * boxes_xywh[:, 3]).mean())
    return max(
        width / CELLS_PER_SIDE, height / CELLS_PER_SIDE, AREA_FACTOR_PX * math.sqrt(mean_area_px2 / (width * height))
    )


def metre_cell_px(boxes_xywh: Boxes) -> float:
    """Side of a cell of 1 m in pixels: mean box height / 1.685.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels, num_boxes >= 1.

    Source: the published tool's method `grid-metres`.
    """
    return float(boxes_xywh[:, 3].mean()) / MEAN_HEIGHT_M


def grid_shape(size: tuple[int, int], cell_px: float, max_cells: int) -> tuple[int, int]:
    """`(rows, columns)` of whole cells in an image of `size` (height, width); 0 if a cell is larger than the image.

    Raises:
        DensityError: there are more than `max_cells`.
    """
    height, width = size
    if (height / cell_px) * (width / cell_px) > max_cells:
        raise DensityError(
            f"cells of {cell_px:.3g} px in an image of {width}x{height} px are more than {max_cells}; "
            "the boxes are too small"
        )
    return int(height / cell_px), int(width / cell_px)


def count_rectangles(first: CellIndices, end: CellIndices, shape: tuple[int, int]) -> CellCounts:
    """Number of rectangles that cover each cell, in time linear in rectangles plus cells.

    Adds 1 at two corners of each rectangle, subtracts 1 at the two others, and sums along both axes.

    Args:
        first: `[num_boxes, 2]` column and row of each rectangle's first cell, within `shape`.
        end: `[num_boxes, 2]` column and row after its last cell; at most `shape`, and above `first`.
        shape: `(rows, columns)` of the grid.

    Source: the inverse of summed-area tables (Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984).
    """
    steps = np.zeros((shape[0] + 1, shape[1] + 1), np.int32)
    (left, top), (right, bottom) = first.T, end.T
    np.add.at(steps, (top, left), 1)
    np.add.at(steps, (bottom, right), 1)
    np.add.at(steps, (top, right), -1)
    np.add.at(steps, (bottom, left), -1)
    counts: CellCounts = steps.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    return counts[:-1, :-1]


def count_boxes_per_cell(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> CellCounts:
    """Number of boxes that touch each cell, `[rows + 1, columns + 1]`; the last row and column are partial cells.

    Boxes are clipped to the image: a box outside touches no cell, one as large as the image touches all.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there are more than `MAX_CELLS` whole cells.
    """
    rows, columns = grid_shape(size, cell_px, MAX_CELLS)
    inside_xyxy, _ = clip_to_image(boxes_xywh, size)
    cells = (inside_xyxy / cell_px).astype(np.int64)
    last = [columns, rows]
    first, end = np.minimum(cells[:, :2], last), np.minimum(cells[:, 2:], last) + 1
    return count_rectangles(first, end, (rows + 1, columns + 1))


def largest_cluster_mean(counts: CellCounts) -> float:
    """Largest mean count over a cluster of occupied cells, in persons per cell; 0 if no cell is occupied.

    Source: the published tool's methods `grid` and `grid-metres`.
    """
    return float(label_clusters(counts)[1].max()) if counts.any() else 0.0


def label_clusters(counts: CellCounts) -> tuple[CellCounts, FloatArray]:
    """Cluster number of each cell, from 1 (0 for an empty cell), and the mean count of each cluster.

    Cells with a common side are in one cluster.
    """
    from scipy import ndimage  # imported late: `crowdgan --help` must not load scipy

    labels = np.asarray(ndimage.label(counts > 0)[0], np.int32)
    people = np.bincount(labels.ravel(), weights=counts.ravel())[1:]
    cells = np.bincount(labels.ravel())[1:]
    return labels, people / cells


def cell_layers(counts: CellCounts, cell_px: float, unit: str) -> Sequence[Layer]:
    """Layers that show the counts of a grid with cells of `cell_px`; none if no cell is occupied."""
    return cluster_layers(counts, *label_clusters(counts), cell_px, unit) if counts.any() else ()


def grid_density(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> float:
    """Largest mean number of persons per cell over a cluster of occupied cells; 0 if no box is in the image, else >= 1.

    Partial cells at the right and bottom edge are used only if no whole cell is occupied, so that the density of
    people in that strip, and of people larger than the image, is defined too.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there are more than `MAX_CELLS` whole cells.

    Source: the published tool's methods `grid` and `grid-metres`; the treatment of boxes at the image edge is ours.
    """
    return largest_cluster_mean(evaluated_counts(boxes_xywh, size, cell_px))


def evaluated_counts(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> CellCounts:
    """Number of boxes that touch each of the cells that `grid_density` evaluates; same arguments and errors."""
    counts = count_boxes_per_cell(boxes_xywh, size, cell_px)
    whole = counts[:-1, :-1]
    return whole if whole.any() else counts


class _ClusterEstimator(ThreeClassEstimator):
    """Base of both grid estimators; subclasses define the side of a cell."""

    medium_from: float
    dense_from: float

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_from=self.dense_from)

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the options."""
        return ClassBounds(
            values=(self.medium_from, self.dense_from),
            options=("medium_from", "dense_from"),
        )

    @abstractmethod
    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels."""

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The largest mean count of a cluster, over the people with a full box.

        0 and sparse if no person is in the image; unknown with too few boxes or too many cells.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.unknown(reason)
        try:
            value = grid_density(boxes, scene.size, self.cell_px(boxes, scene.size)) if len(boxes) else 0.0
        except DensityError:
            return self.unknown("the boxes are too small for the image, so the grid has too many cells")
        return self.classify(value)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The occupied cells with their counts, and the outline of the cluster whose mean is the density."""
        boxes = valid_full_boxes(scene)
        if self.estimate(scene).value is None or not len(boxes):
            return ()
        cell_px = self.cell_px(boxes, scene.size)
        return cell_layers(evaluated_counts(boxes, scene.size, cell_px), cell_px, self.unit)


@dataclass(frozen=True, kw_only=True)
class GridEstimator(_ClusterEstimator):
    """Largest mean person count per cell over clusters of a grid.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "grid"
    unit: ClassVar[str] = "persons per cell"

    medium_from: float = option(2.0, "lower bound of class medium")
    dense_from: float = option(3.0, "lower bound of class dense")

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the image size and the mean box area."""
        return relative_cell_px(boxes_xywh, size)


@dataclass(frozen=True, kw_only=True)
class MetricGridEstimator(_ClusterEstimator):
    """As grid, with cells of 1 m at the mean box height.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "grid-metres"
    unit: ClassVar[str] = "persons per 1 m cell"

    medium_from: float = option(2.0, "lower bound of class medium")
    dense_from: float = option(3.0, "lower bound of class dense")

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the mean box height."""
        return metre_cell_px(boxes_xywh)
