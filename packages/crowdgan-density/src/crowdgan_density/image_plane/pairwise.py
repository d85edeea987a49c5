"""Density from the distances between persons: `euclidean`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.boxes import missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import centres, spacing_layer
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

BLOCK = 1024
"""Points whose distances are held at once; all pairs of 10,000 would take 400 MB."""


def mean_distance_px(points: npt.NDArray[np.float64]) -> float:
    """Mean distance in pixels between two points, over all pairs.

    Args:
        points: `[num_points, 2]` x, y in pixels, num_points >= 2.

    Raises:
        DensityError: fewer than two points.
    """
    from scipy.spatial.distance import cdist, pdist  # here, because `crowdgan --help` shall not load scipy

    if len(points) < 2:
        raise DensityError(f"the distance between persons needs at least two of them; there are {len(points)}")
    total_px = 0.0
    for start in range(0, len(points), BLOCK):
        block, later = points[start : start + BLOCK], points[start + BLOCK :]
        total_px += float(pdist(block).sum() + cdist(block, later).sum())
    return total_px / (len(points) * (len(points) - 1) / 2)


def distances_to_others_px(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean distance in pixels from each point to the others, `[num_points]`; their mean is `mean_distance_px`.

    Args:
        points: `[num_points, 2]` x, y in pixels, num_points >= 2.
    """
    from scipy.spatial.distance import cdist

    blocks = [points[start : start + BLOCK] for start in range(0, len(points), BLOCK)]
    return np.concatenate([cdist(block, points).sum(axis=1) for block in blocks]) / (len(points) - 1)


def mean_spacing(boxes_xywh: Boxes) -> float:
    """Mean distance between the centres of two boxes, in mean box widths.

    Falls as people stand closer; needs no scale, so it is not a distance in metres.

    Args:
        boxes_xywh: `[num_persons, 4]` full boxes in pixels, widths above 0, num_persons >= 2.

    Raises:
        DensityError: fewer than two persons.

    Source: the published tool's method `euclidean`.
    """
    return mean_distance_px(centres(boxes_xywh)) / float(boxes_xywh[:, 2].mean())


def pairwise_crowding(boxes_xywh: Boxes) -> float:
    """Mean box width over the mean distance between the centres of two boxes; no unit, 0 for fewer than two persons.

    The inverse of `mean_spacing`: grows as people stand closer, and does not change with the image's scale. Nobody
    crowds one person, hence 0.

    Args:
        boxes_xywh: `[num_persons, 4]` full boxes in pixels, widths above 0.

    Raises:
        DensityError: all centres coincide.

    Source: the published tool's method `euclidean`, turned over; the answer for fewer than two persons is ours.
    """
    if len(boxes_xywh) < 2:
        return 0.0
    spacing = mean_spacing(boxes_xywh)
    if spacing == 0:
        raise DensityError("the centres of all persons coincide")
    return 1 / spacing


@dataclass(frozen=True, kw_only=True)
class EuclideanEstimator(ThreeClassEstimator):
    """Mean box width over mean distance between two persons: how close people stand, in body widths.

    Source: the published tool's method of this name, whose value is the inverse, a spacing.
    """

    name: ClassVar[str] = "euclidean"
    unit: ClassVar[str] = "mean box widths per mean distance"

    medium_above: float = option(1 / 3, "value above which a scene is medium; 1/3: mean distance of 3 box widths")
    dense_above: float = option(1 / 1.5, "value above which a scene is dense; 1/1.5: mean distance of 1.5 box widths")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_above=self.medium_above, dense_above=self.dense_above)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The crowding over the persons that have a full box, with its true extent beyond the image.

        0 and sparse for no person or one; cannot tell with too few boxes, or when all centres coincide.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.cannot_tell(reason)
        try:
            value = pairwise_crowding(boxes)
        except DensityError as error:
            return self.cannot_tell(str(error))
        return self.answer(value, above_sparse=value > self.medium_above, dense=value > self.dense_above)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """Each person's mean distance to the others; the value is the inverse of their mean."""
        boxes = valid_full_boxes(scene)
        if missing_boxes_reason(scene, boxes) or len(boxes) < 2:
            return ()
        points = centres(boxes)
        return (spacing_layer(points, distances_to_others_px(points), float(boxes[:, 2].mean())),)
