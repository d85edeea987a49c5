"""Kernel density of people at each person's own scale: `kde`.

The density that person i feels, in persons/m² of the upright plane in which the camera sees that person:

    ρ_i = 1 / (2π b² a_i) · Σ_j exp(−‖p_i − p_j‖² / (2 (b s_i)²)),   s_i = box height of i / 1.685 m in px per m

over the other people j whose box height is within a factor r of that of i. Decisions, all ours:

- p is the middle of the full box, with its true extent; people wholly outside the image are left out.
- Whoever feels the density does not count: of people scattered at random the mean of ρ is then their density, where
  the own contribution would add 1 / (2π b²) to it. A lone person feels 0.
- Box height stands for distance from the camera. People of very different height in the image stand at different
  distances, however close their pixels are, and are no neighbours.
- a_i is the share of the kernel that lies where somebody like i would be in the image, if only in part: inside the
  image, or beyond its border by up to half the box. What was never seen does not count as empty, and those who reach
  in from beyond the border are not crowded into it.
- The plane is that of the image. On the ground, distances away from the camera are foreshortened, so seen from low
  down the number is above the one on the ground.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import HeatmapLayer, Layer, PointLayer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.boxes import clip_to_image, missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import centres, map_extent
from crowdgan_density.heatmap import MAP_CELLS, axis_shares, map_cells
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

Floats = npt.NDArray[np.float64]

CUTOFF = 4.0
"""Bandwidths beyond which the kernel is taken as 0; it is under 0.0004 of its peak there."""

BLOCK = 64
"""People whose neighbours are looked up together: few enough to stand close, enough to fill a matrix product."""


def local_densities(
    boxes_xywh: Boxes, size: tuple[int, int], *, bandwidth_m: float = 1.0, height_ratio: float = 1.5
) -> Floats:
    """Density in persons/m² that each person inside the image feels from the others, `[num_inside]`, at least 0.

    Time grows with the pairs of people within `CUTOFF` bandwidths, plus a search that costs little.

    Args:
        boxes_xywh: `[num_persons, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        bandwidth_m: b, standard deviation of the Gaussian in metres, above 0.
        height_ratio: r, ratio of box heights beyond which two people are no neighbours, at least 1.

    Source: kernel density estimation with a Gaussian, as Helbing, Johansson and Al-Abideen, "Dynamics of crowd
    disasters", Physical Review E 75 (2007), use it on the ground; the scale, the sum and the border are ours (above).
    """
    _, boxes = clip_to_image(boxes_xywh, size)
    points, heights = centres(boxes), boxes[:, 3]
    sigmas_px = bandwidth_m * heights / MEAN_HEIGHT_M
    sums = np.zeros(len(points))
    for block in _compact_blocks(points):
        near = _near(block, points, heights, CUTOFF * sigmas_px[block].max(), height_ratio)
        kernel = _gaussians(points[block], points[near], sigmas_px[block])
        own, others = heights[block, None], heights[near]
        kernel *= (others <= own * height_ratio) & (others >= own / height_ratio)
        kernel[np.arange(len(block)), np.searchsorted(near, block)] = 0.0
        sums[block] = kernel.sum(axis=1)
    densities: Floats = sums / (2 * math.pi * bandwidth_m**2 * visible_fractions(boxes, sigmas_px, size))
    return densities


def visible_fractions(boxes_xywh: Boxes, sigmas_px: Floats, size: tuple[int, int]) -> Floats:
    """Share of a Gaussian around the middle of each box that lies where such a box touches the image, `[num_boxes]`.

    Above 0 to 1. A box touches the image while its middle is at most half its size beyond the border; so the middle
    lies x + width from one end of that range, and (image width − x) from the other.

    Args:
        boxes_xywh: `[num_boxes, 4]` boxes in pixels that touch the image.
        sigmas_px: `[num_boxes]` standard deviations in pixels.
        size: `(height, width)` of the image in pixels.
    """
    from scipy.special import erf  # here, because `crowdgan --help` shall not load scipy

    to_low = boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    to_high = np.array([size[1], size[0]], float) - boxes_xywh[:, :2]
    spread = math.sqrt(2) * sigmas_px[:, None]
    shares: Floats = ((erf(to_low / spread) + erf(to_high / spread)) / 2).prod(axis=1)
    return shares


def density_map(
    boxes_xywh: Boxes, size: tuple[int, int], bandwidth_m: float, cells: int = MAP_CELLS
) -> tuple[Floats, float]:
    """A map of the density in persons/m² of the image plane, `[rows, columns]`, and the side of a cell in pixels.

    Every person adds a Gaussian at the own scale: what of a person lies in a cell over the cell's area in that
    person's m². At a person it therefore holds that person, too, unlike `local_densities`; people of other sizes are
    neighbours, and nothing is made up for what lies beyond the border.

    Args:
        boxes_xywh: `[num_persons, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        bandwidth_m: standard deviation of the Gaussian in metres.
        cells: cells along the longer side.
    """
    cell_px, (rows, columns) = map_cells(size, cells)
    points, scales = centres(boxes_xywh), boxes_xywh[:, 3] / MEAN_HEIGHT_M
    across = axis_shares(points[:, 0], bandwidth_m * scales, cell_px, columns)
    down = axis_shares(points[:, 1], bandwidth_m * scales, cell_px, rows)
    values: Floats = (down * ((scales / cell_px) ** 2)[:, None]).T @ across
    return values, cell_px


@dataclass(frozen=True, kw_only=True)
class KernelDensityEstimator(ThreeClassEstimator):
    """Mean density that people feel around them, by a Gaussian kernel at each person's own scale.

    The default bounds are those of Fruin's levels of service for walkways: A and B are sparse, C and D medium, E and F
    dense (2.32 and 0.93 m² per person).
    """

    name: ClassVar[str] = "kde"
    unit: ClassVar[str] = "persons/m² of the image plane"

    bandwidth_m: float = option(1.0, "standard deviation of the kernel in metres")
    height_ratio: float = option(1.5, "ratio of two box heights beyond which people are no neighbours")
    medium_from: float = option(0.43, "least value of a medium scene, in persons/m² (Fruin: level C begins)")
    dense_from: float = option(1.08, "least value of a dense scene, in persons/m² (Fruin: level E begins)")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_from=self.dense_from)
        if not (math.isfinite(self.bandwidth_m) and self.bandwidth_m > 0):
            raise ConfigError(f"{self.name}: bandwidth_m is {self.bandwidth_m}; it must be above 0")
        if not self.height_ratio >= 1:
            raise ConfigError(f"{self.name}: height_ratio is {self.height_ratio}; it must be at least 1")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The mean local density over the persons that have a full box and are inside the image.

        0 and sparse for no person or one; cannot tell with too few boxes.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.cannot_tell(reason)
        densities = local_densities(boxes, scene.size, bandwidth_m=self.bandwidth_m, height_ratio=self.height_ratio)
        value = float(densities.mean()) if len(densities) else 0.0
        return self.answer(value, above_sparse=value >= self.medium_from, dense=value >= self.dense_from)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A map of the density, and at each person what that one feels of the others: the value is their mean."""
        boxes = clip_to_image(valid_full_boxes(scene), scene.size)[1]
        if self.estimate(scene).value is None or not len(boxes):
            return ()
        felt = local_densities(boxes, scene.size, bandwidth_m=self.bandwidth_m, height_ratio=self.height_ratio)
        values, cell_px = density_map(boxes, scene.size, self.bandwidth_m)
        return (
            HeatmapLayer(label="density", unit=self.unit, values=values, extent=map_extent(values, cell_px)),
            PointLayer(label="felt by a person", unit=self.unit, points=centres(boxes), values=felt),
        )


def _compact_blocks(points: Floats) -> Iterator[npt.NDArray[np.intp]]:
    """Indices of the points in blocks of `BLOCK` neighbours: upright strips of equal count, each from top to bottom."""
    strips = max(1, math.isqrt(len(points) // BLOCK))
    rank = np.empty(len(points), np.intp)
    rank[np.argsort(points[:, 0])] = np.arange(len(points))
    order = np.lexsort((points[:, 1], rank * strips // max(1, len(points))))
    for start in range(0, len(order), BLOCK):
        yield order[start : start + BLOCK]


def _near(
    block: npt.NDArray[np.intp], points: Floats, heights: Floats, reach_px: float, height_ratio: float
) -> npt.NDArray[np.intp]:
    """Indices, rising, of all people that may be a neighbour of one in the block."""
    own = points[block]
    beside = (points >= own.min(axis=0) - reach_px) & (points <= own.max(axis=0) + reach_px)
    low, high = heights[block].min() / height_ratio, heights[block].max() * height_ratio
    return np.flatnonzero(beside.all(axis=1) & (heights >= low) & (heights <= high))


def _gaussians(points: Floats, others: Floats, sigmas_px: Floats) -> Floats:
    """exp(−‖p_i − q_j‖² / (2 σ_i²)), `[num_points, num_others]`.

    The exponent is one matrix product, since ‖p − q‖² = ‖p‖² − 2 p·q + ‖q‖²; coordinates are taken from the middle of
    the points, where the differences lose no digits that matter.
    """
    middle = points.mean(axis=0)
    own, other = points - middle, others - middle
    factor = -0.5 / sigmas_px[:, None] ** 2
    left = np.hstack([-2 * factor * own, factor, factor * (own**2).sum(axis=1, keepdims=True)])
    right = np.hstack([other, (other**2).sum(axis=1, keepdims=True), np.ones((len(other), 1))])
    kernel: Floats = left @ right.T
    return np.exp(kernel, out=kernel)
