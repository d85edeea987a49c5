"""A density estimator for crowdgan: mean distance to the nearest neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer, LineLayer
from crowdgan_core.density.options import option
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.scenes.scene import Scene


@dataclass(frozen=True, kw_only=True)
class NearestNeighbourEstimator(DensityEstimator):
    """Mean box width over mean distance to the nearest neighbour."""

    name: ClassVar[str] = "nearest"
    unit: ClassVar[str] = "box widths per distance"
    classes: ClassVar[tuple[str, ...]] = ("loose", "crowded")

    crowded_from: float = option(1.0, "lower bound of class crowded")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The estimate; 0 for fewer than two people, unknown without full boxes."""
        boxes = scene.person_full_boxes
        if np.isnan(boxes).any():
            return DensityEstimate.unknown(self.unit, "a person without a full-body box")
        value = 0.0
        if len(boxes) > 1:
            value = float(boxes[:, 2].mean() / max(_distances(_centres(boxes)).min(axis=1).mean(), 1.0))
        return DensityEstimate(value=value, unit=self.unit, class_index=int(value >= self.crowded_from))

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A line from each person to the nearest neighbour."""
        boxes = scene.person_full_boxes
        if np.isnan(boxes).any() or len(boxes) < 2:
            return ()
        centres = _centres(boxes)
        nearest = _distances(centres).argmin(axis=1)
        return [LineLayer(label="to the nearest neighbour", lines=list(np.stack([centres, centres[nearest]], axis=1)))]


def _centres(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, :2] + boxes[:, 2:] / 2


def _distances(centres: np.ndarray) -> np.ndarray:
    """Distances `[num_people, num_people]` between all pairs; infinite on the diagonal."""
    distances = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, np.inf)
    return distances


@hookimpl
def crowdgan_register_density_estimators() -> Sequence[type[DensityEstimator]]:
    """The estimator `nearest`."""
    return [NearestNeighbourEstimator]
