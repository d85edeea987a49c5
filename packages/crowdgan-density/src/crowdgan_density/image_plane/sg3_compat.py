"""The original tool's labels, quirk for quirk, for people who must match models trained on them.

The original measured whole photographs (`--region full`) with the whole-number boxes of CrowdHuman. Every annotated
box counts, ignore regions too. Each quirk here is held by recorded answers of the original for 120 scenes; where those
end the docstrings say so.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.count_layers import count_layers, spacing_layer
from crowdgan_density.image_plane.base import ThreeClassEstimator
from crowdgan_density.image_plane.counting import check_count_range, count_range, fitted_range
from crowdgan_density.image_plane.grid import (
    Cells,
    Counts,
    cell_layers,
    cover_counts,
    grid_shape,
    largest_cluster_mean,
    metre_cell_px,
    relative_cell_px,
)
from crowdgan_density.image_plane.pairwise import distances_to_others_px, mean_distance_px

MAX_CELLS = 10_000_000
"""Cells above which the grids give up, ours: a guard of memory, far above what boxes of people lead to."""

NO_BOXES = "heads alone; the original tool reads full-body boxes"


def annotated_boxes(scene: Scene) -> Boxes:
    """Full boxes of all rows that have one, ignore regions included, `[num_boxes, 4]` xywh in pixels.

    A box with a NaN or a negative size is none; the original never met such a box.
    """
    boxes = scene.full_boxes
    return boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] >= 0).all(axis=1)]


def floored_spacing(boxes_xywh: Boxes) -> float:
    """Mean distance between box centres in mean box widths, with the centres' halves by floor division.

    NaN for fewer than two boxes, as the original's mean over no pairs.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels.

    Raises:
        DensityError: the mean width is not above 0, of which no answer of the original is recorded.
    """
    if len(boxes_xywh) < 2:
        return math.nan
    mean_width_px = float(boxes_xywh[:, 2].mean())
    if not mean_width_px > 0:
        raise DensityError(f"sg3-euclidean: the mean box width is {mean_width_px:g} px; it must be above 0")
    return mean_distance_px(floored_centres(boxes_xywh)) / mean_width_px


def floored_centres(boxes_xywh: Boxes) -> Boxes:
    """Middles of boxes with their halves by floor division, `[num_boxes, 2]` x, y in pixels."""
    return boxes_xywh[:, :2] + boxes_xywh[:, 2:] // 2


def wrapped_counts(boxes_xywh: Boxes, size: tuple[int, int], cell_px: float) -> Counts:
    """Boxes that touch each whole cell, `[rows, columns]`; a box's end left of or above the image wraps around.

    The original marks the cells of a box by a slice whose end may be negative, and then counts from the far side.

    Args:
        boxes_xywh: `[num_boxes, 4]` full boxes in pixels.
        size: `(height, width)` of the image in pixels.
        cell_px: side of a cell in pixels.

    Raises:
        DensityError: there would be more than `MAX_CELLS` cells.
    """
    rows, columns = grid_shape(size, cell_px, MAX_CELLS)
    shape = np.array([columns, rows])
    first = _toward_zero(boxes_xywh[:, :2] / cell_px, shape).clip(0)
    end = _toward_zero((boxes_xywh[:, :2] + boxes_xywh[:, 2:]) / cell_px, shape + 1) + 1
    end = np.minimum(np.where(end < 0, (end + shape).clip(0), end), shape)
    marks = (first < end).all(axis=1)
    return cover_counts(first[marks], end[marks], (rows, columns))


@dataclass(frozen=True, kw_only=True)
class Sg3ThresholdEstimator(ThreeClassEstimator):
    """Original labels by count: up to 10 boxes, up to 30, more."""

    name: ClassVar[str] = "sg3-threshold"
    unit: ClassVar[str] = "annotated boxes"

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The number of annotated rows, ignore regions included."""
        return self.answer(len(scene), above_sparse=len(scene) > 10, dense=len(scene) > 30)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A point for each annotated row, ignore regions included."""
        return count_layers(scene, scene.size, "boxes counted")


@dataclass(frozen=True, kw_only=True)
class Sg3Normalised(ThreeClassEstimator):
    """Original labels by count on the dataset's scale, which is taken over rows tagged person alone."""

    name: ClassVar[str] = "sg3-normalised"
    unit: ClassVar[str] = "share of the dataset's range of counts"

    count_min: int | None = option(None, "rows tagged person at value 0; none takes the fewest of the dataset")
    count_max: int | None = option(None, "rows tagged person at value 1; none takes the most of the dataset")

    def __post_init__(self) -> None:
        check_count_range(self.name, self.count_min, self.count_max)

    def fit(self, scenes: Iterable[Scene]) -> Sg3Normalised:
        """The estimator on the scale of a dataset; itself, without a look at it, when the scale is set.

        Raises:
            DensityError: the dataset has no scenes.
        """
        if self.count_min is not None:
            return self
        counts = (int(np.count_nonzero(scene.tagged_person)) for scene in scenes)
        count_min, count_max = count_range(self.name, counts)
        return replace(self, count_min=count_min, count_max=count_max)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The place of the number of annotated rows, ignore regions included, on the scale.

        Raises:
            DensityError: the scale is neither set nor fitted, or its two ends are equal (a division by 0).
        """
        count_min, count_max = fitted_range(self.name, self.count_min, self.count_max)
        if count_min == count_max:
            raise DensityError(f"{self.name}: all scenes have {count_min} persons; the original divides by 0 there")
        value = (len(scene) - count_min) / (count_max - count_min)
        return self.answer(value, above_sparse=value >= 0.333, dense=value > 0.666)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A point for each annotated row, ignore regions included."""
        return count_layers(scene, scene.size, "boxes counted")


@dataclass(frozen=True, kw_only=True)
class Sg3Euclidean(ThreeClassEstimator):
    """Original labels by the distance between persons: people far apart are dense.

    With fewer than two boxes the original's value is NaN and its label 1. A density holds no NaN, so the value is then
    0, the distance covered by no pairs; its class stays 1. (Recorded for one box; no box is taken to be the same.)
    """

    name: ClassVar[str] = "sg3-euclidean"
    unit: ClassVar[str] = "spacing in mean box widths"

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The spacing, which falls with crowding, under the original's classes.

        Raises:
            DensityError: the mean width of the boxes is not above 0.
        """
        boxes = annotated_boxes(scene)
        if len(scene) and not len(boxes):
            return self.cannot_tell(NO_BOXES)
        spacing = floored_spacing(boxes)
        if math.isnan(spacing):
            return self.answer(0.0, above_sparse=True, dense=False)
        return self.answer(spacing, above_sparse=spacing >= 1.5, dense=spacing >= 3)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """Each row's mean distance to the others; the value is their mean."""
        boxes = annotated_boxes(scene)
        if len(boxes) < 2 or not boxes[:, 2].mean() > 0:
            return ()
        points = floored_centres(boxes)
        return (spacing_layer(points, distances_to_others_px(points), float(boxes[:, 2].mean())),)


class _Sg3GridEstimator(ThreeClassEstimator):
    """What the two original grids share: they differ in the side of a cell."""

    @abstractmethod
    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels."""

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The largest mean count of a cluster, with boxes that end left of or above the image wrapped around.

        Raises:
            DensityError: there are no boxes, they have no size, no whole cell is occupied (where the original stopped
                with an error), or there are too many cells.
        """
        if len(scene) and not len(annotated_boxes(scene)):
            return self.cannot_tell(NO_BOXES)
        value = largest_cluster_mean(self._counts(scene)[0])
        return self.answer(value, above_sparse=value >= 2, dense=value >= 3)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The occupied cells with their counts, and the border of the fullest cluster, whose mean is the value.

        Raises:
            DensityError: as `estimate`.
        """
        if len(scene) and not len(annotated_boxes(scene)):
            return ()
        counts, cell_px = self._counts(scene)
        return cell_layers(counts, cell_px, self.unit)

    def _counts(self, scene: Scene) -> tuple[Counts, float]:
        """Boxes per whole cell, and the side of a cell in pixels; raises as `estimate`."""
        boxes = annotated_boxes(scene)
        cell_px = self.cell_px(boxes, scene.size) if len(boxes) else 0.0
        if not cell_px > 0:
            raise DensityError(f"{self.name}: no boxes with a size; the original stops with an error there")
        counts = wrapped_counts(boxes, scene.size, cell_px)
        if not counts.any():
            raise DensityError(
                f"{self.name}: no box touches a whole cell of {cell_px:.3g} px; the original stops with an error there"
            )
        return counts, cell_px


@dataclass(frozen=True, kw_only=True)
class Sg3Grid(_Sg3GridEstimator):
    """Original labels by the fullest cluster of a grid over the image."""

    name: ClassVar[str] = "sg3-grid"
    unit: ClassVar[str] = "annotated boxes per cell"

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the image's size and the mean box area."""
        return relative_cell_px(boxes_xywh, size)


@dataclass(frozen=True, kw_only=True)
class Sg3GridMetres(_Sg3GridEstimator):
    """Original labels by the fullest cluster of a grid whose cells are 1 m wide at the mean box height."""

    name: ClassVar[str] = "sg3-grid-metres"
    unit: ClassVar[str] = "annotated boxes per 1 m cell"

    def cell_px(self, boxes_xywh: Boxes, size: tuple[int, int]) -> float:
        """Side of a cell in pixels, from the mean box height."""
        return metre_cell_px(boxes_xywh)


def _toward_zero(cells: Boxes, bound: Cells) -> Cells:
    """Fractional cells `[num_boxes, 2]` as whole numbers, cut towards 0, and kept within `bound` on both sides."""
    whole: Cells = np.trunc(cells).clip(-bound, bound).astype(np.int64)
    return whole
