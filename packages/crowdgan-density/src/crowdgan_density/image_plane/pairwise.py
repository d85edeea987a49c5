"""Estimator of pairwise distances between people: `euclidean`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, FloatArray, Points
from crowdgan_density.boxes import box_centres, missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import spacing_layer
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

BLOCK_POINTS = 1024
"""Points whose distances are in memory at the same time; all pairs of 10,000 points would take 400 MB."""

MIN_SPACING = 0.01
"""Mean distance in mean box widths below which box centres coincide, ours: 1 px for people 100 px wide, the precision
of annotations."""


def mean_pairwise_distance_px(points: Points) -> float:
    """Mean distance between two points in pixels, over all pairs.

    Args:
        points: `[num_points, 2]` x, y in pixels, num_points >= 2.

    Raises:
        DensityError: fewer than two points.
    """
    from scipy.spatial.distance import cdist, pdist  # imported late: `crowdgan --help` must not load scipy

    if len(points) < 2:
        raise DensityError(f"there are {len(points)} people; the mean distance between people needs at least 2")
    total_px = 0.0
    for start in range(0, len(points), BLOCK_POINTS):
        block, later = points[start : start + BLOCK_POINTS], points[start + BLOCK_POINTS :]
        total_px += float(pdist(block).sum() + cdist(block, later).sum())
    return total_px / (len(points) * (len(points) - 1) / 2)


def mean_distances_to_others_px(points: Points) -> FloatArray:
    """Mean distance of each point to the others in pixels, `[num_points]`; averages to `mean_pairwise_distance_px`.

    Args:
        points: `[num_points, 2]` x, y in pixels, num_points >= 2.
    """
    from scipy.spatial.distance import cdist

    blocks = [points[start : start + BLOCK_POINTS] for start in range(0, len(points), BLOCK_POINTS)]
    return np.concatenate([cdist(block, points).sum(axis=1) for block in blocks]) / (len(points) - 1)


def mean_spacing(boxes_xywh: Boxes) -> float:
    """Mean distance between two box centres, in mean box widths.

    Decreases as people stand closer. Independent of image scale, hence not in metres.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, widths above 0, num_people >= 2.

    Raises:
        DensityError: fewer than two people.

    Source: the published tool's method `euclidean`.
    """
    return mean_pairwise_distance_px(box_centres(boxes_xywh)) / float(boxes_xywh[:, 2].mean())


def pairwise_density(boxes_xywh: Boxes) -> float:
    """Mean box width divided by the mean distance between two box centres; no unit, 0 for fewer than two people.

    The inverse of `mean_spacing`: increases as people stand closer, independent of image scale.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, widths above 0.

    Raises:
        DensityError: the mean distance is below `MIN_SPACING`, so that all centres coincide.

    Source: the published tool's method `euclidean`, inverted; the value for fewer than two people is ours.
    """
    if len(boxes_xywh) < 2:
        return 0.0
    spacing = mean_spacing(boxes_xywh)
    if spacing < MIN_SPACING:
        raise DensityError("all box centres coincide")
    return 1 / spacing


@dataclass(frozen=True, kw_only=True)
class EuclideanEstimator(ThreeClassEstimator):
    """Mean box width over mean pairwise distance between people.

    The default class boundaries are mean distances of 3 and 1.5 box widths.

    Source: the published tool's method of this name, whose value is the inverse, a spacing.
    """

    name: ClassVar[str] = "euclidean"
    unit: ClassVar[str] = "mean box widths per mean distance"

    medium_above: float = option(1 / 3, "exclusive lower bound of class medium")
    dense_above: float = option(1 / 1.5, "exclusive lower bound of class dense")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_above=self.medium_above, dense_above=self.dense_above)

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the options."""
        return ClassBounds(
            values=(self.medium_above, self.dense_above),
            included_above=(False, False),
            options=("medium_above", "dense_above"),
        )

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The pairwise density of the people with a full box; boxes are not clipped to the image.

        0 and sparse for fewer than two people; unknown with too few boxes, or if all centres coincide.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.unknown(reason)
        try:
            value = pairwise_density(boxes)
        except DensityError as error:
            return self.unknown(str(error))
        return self.classify(value)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """Each person's mean distance to others; the density is the inverse of their mean."""
        boxes = valid_full_boxes(scene)
        if missing_boxes_reason(scene, boxes) or len(boxes) < 2:
            return ()
        points = box_centres(boxes)
        return (spacing_layer(points, mean_distances_to_others_px(points), float(boxes[:, 2].mean())),)
