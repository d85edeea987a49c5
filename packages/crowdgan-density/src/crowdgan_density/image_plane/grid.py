"""Densities from a grid over the image: `grid`, and `grid-metres` with cells of 1 m.

Each cell counts the boxes that touch it; occupied cells that share a side form clusters; the value is the largest mean
count of a cluster. Only whole cells count: the strips at the right and at the bottom that are narrower than a cell do
not, unless no whole cell is occupied.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.boxes import clip_to_image, missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import cluster_layers
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

Counts = npt.NDArray[np.int32]
"""`[rows, columns]` boxes per cell."""

Cells = npt.NDArray[np.int64]
"""`[num_boxes, 2]` column and row of a cell."""

CELLS_PER_SIDE = 25
"""A cell is at least this part of the image's width and of its height (the published tool)."""

AREA_FACTOR_PX = 168.5
"""A cell is at least this times √(mean box area / image area), in pixels (the published tool)."""

MAX_CELLS = 250_000
"""Cells above which `grid-metres` cannot tell; ours: 1 m is then under 7 px in an image of 12 million pixels, and the
clusters would take more than 5 ms."""


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
    """Rows and columns of whole cells in an image of `size` (height, width); 0 where a cell is larger.

    Raises:
        DensityError: they are more than `max_cells`.
    """
    height, width = size
    if (height / cell_px) * (width / cell_px) > max_cells:
        raise DensityError(
            f"cells of {cell_px:.3g} px in an image of {width}x{height} px are more than {max_cells}; "
            "the boxes are too small"
        )
    return int(height / cell_px), int(width / cell_px)


def cover_counts(first: Cells, end: Cells, shape: tuple[int, int]) -> Counts:
    """How many boxes cover each cell, in time that grows with boxes plus cells, not with their product.

    Adds 1 at two corners of each box's rectangle of cells, takes 1 off at the two others, and sums up along both axes.

    Args:
        first: `[num_boxes, 2]` column and row of each box's first cell, within `shape`.
        end: `[num_boxes, 2]` column and row after its last cell; at most `shape`, and above `first`.
        shape: `(rows, columns)` of the grid.

    Source: summed differences (Crow, "Summed-area tables", SIGGRAPH 1984, turned over).
    """
    steps = np.zeros((shape[0] + 1, shape[1] + 1), np.int32)
    (left, top), (right, bottom) = first.T, end.T
    np.add.at(steps, (top, left), 1)
    np.add.at(steps, (bottom, right), 1)
    np.add.at(steps, (top, right), -1)
    np.add.at(steps, (bottom, left), -1)
    counts: Counts = steps.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    return counts[:-1, :-1]


def count_boxes_per_cell(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> Counts:
    """Boxes that touch each cell, `[rows + 1, columns + 1]`: whole cells, then a last row and column of partial ones.

    Boxes are cut to the image, so a box outside of it touches no cell, and one as large as the image touches all.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there would be more than `MAX_CELLS` whole cells.
    """
    rows, columns = grid_shape(size, cell_px, MAX_CELLS)
    inside_xyxy, _ = clip_to_image(boxes_xywh, size)
    cells = (inside_xyxy / cell_px).astype(np.int64)
    last = [columns, rows]
    first, end = np.minimum(cells[:, :2], last), np.minimum(cells[:, 2:], last) + 1
    return cover_counts(first, end, (rows + 1, columns + 1))


def largest_cluster_mean(counts: Counts) -> float:
    """Largest mean count over a cluster of occupied cells, in persons per cell; 0 when no cell is occupied.

    Source: the published tool's methods `grid` and `grid-metres`.
    """
    return float(label_clusters(counts)[1].max()) if counts.any() else 0.0


def label_clusters(counts: Counts) -> tuple[Counts, npt.NDArray[np.float64]]:
    """The number of each cell's cluster, from 1, 0 for an empty cell, and the mean count of each cluster.

    Cells belong to one cluster when they share a side.
    """
    from scipy import ndimage  # here, because `crowdgan --help` shall not load scipy

    labels = np.asarray(ndimage.label(counts > 0)[0], np.int32)
    persons = np.bincount(labels.ravel(), weights=counts.ravel())[1:]
    cells = np.bincount(labels.ravel())[1:]
    return labels, persons / cells


def cell_layers(counts: Counts, cell_px: float, unit: str) -> Sequence[Layer]:
    """What shows the counts of a grid whose cells have a side of `cell_px`; nothing where no cell is occupied."""
    return cluster_layers(counts, *label_clusters(counts), cell_px, unit) if counts.any() else ()


def grid_crowding(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> float:
    """Largest mean number of persons per cell over a cluster of occupied cells; 0 when nobody is in the image.

    At least 1 otherwise. The partial cells at the right and bottom border count only where no whole cell is occupied,
    so that people in that strip alone, or larger than the image, have an answer too.

    Args:
        boxes_xywh: `[num_persons, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there would be more than `MAX_CELLS` whole cells.

    Source: the published tool's methods `grid` and `grid-metres`; boxes beyond the border are handled our way.
    """
    return largest_cluster_mean(considered_counts(boxes_xywh, size, cell_px))


def considered_counts(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> Counts:
    """Boxes that touch each cell, of the cells that `grid_crowding` considers: arguments and errors are its own."""
    counts = count_boxes_per_cell(boxes_xywh, size, cell_px)
    whole = counts[:-1, :-1]
    return whole if whole.any() else counts


class _GridEstimator(ThreeClassEstimator):
    """What the two grids share: they differ in the side of a cell."""

    medium_from: float
    dense_from: float

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_from=self.dense_from)

    @abstractmethod
    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels."""

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The largest mean count of a cluster, over the persons that have a full box.

        0 and sparse when nobody is in the image; cannot tell with too few boxes or with too many cells.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.cannot_tell(reason)
        try:
            value = grid_crowding(boxes, scene.size, self.cell_px(boxes, scene.size)) if len(boxes) else 0.0
        except DensityError:
            return self.cannot_tell("the boxes are too small for the image: there would be too many cells")
        return self.answer(value, above_sparse=value >= self.medium_from, dense=value >= self.dense_from)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The occupied cells with their counts, and the border of the fullest cluster, whose mean is the value."""
        boxes = valid_full_boxes(scene)
        if self.estimate(scene).value is None or not len(boxes):
            return ()
        cell_px = self.cell_px(boxes, scene.size)
        return cell_layers(considered_counts(boxes, scene.size, cell_px), cell_px, self.unit)


@dataclass(frozen=True, kw_only=True)
class GridEstimator(_GridEstimator):
    """Persons per cell in the fullest cluster of a grid over the image.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "grid"
    unit: ClassVar[str] = "persons per cell"

    medium_from: float = option(2.0, "least value of a medium scene")
    dense_from: float = option(3.0, "least value of a dense scene")

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the image's size and the mean box area."""
        return relative_cell_px(boxes_xywh, size)


@dataclass(frozen=True, kw_only=True)
class MetricGridEstimator(_GridEstimator):
    """Persons per cell in the fullest cluster of a grid whose cells are 1 m wide at the mean box height.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "grid-metres"
    unit: ClassVar[str] = "persons per 1 m cell"

    medium_from: float = option(2.0, "least value of a medium scene")
    dense_from: float = option(3.0, "least value of a dense scene")

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the mean box height."""
        return metre_cell_px(boxes_xywh)
