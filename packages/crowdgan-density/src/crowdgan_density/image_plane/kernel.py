"""Kernel density estimator with a bandwidth scaled by each person's box height: `kde`.

The local density at person i, in persons/m² of the image plane at that person's scale, is

    ρ_i = 1 / (2π b² a_i) · Σ_j exp(−‖p_i − p_j‖² / (2 (b s_i)²)),   s_i = box height of i / 1.685 m in px per m

over the other people j whose box height differs from that of i by at most a factor r. Decisions, all ours:

- p is the centre of the full box, not clipped to the image; people outside the image are skipped.
- A person does not contribute to their own local density: the mean of ρ over randomly placed people is then their
  density, whereas their own kernels would add 1 / (2π b²). The local density at a single person is 0.
- Box height indicates distance from the camera. People whose box heights differ strongly are at different distances,
  however close they are in the image, and are not neighbours.
- a_i is the fraction of the kernel that lies where a box like that of i would be at least partly in the image: inside
  the image, or outside its edge by up to half the box. The region outside the image is unknown and does not count as
  empty, and people who are partly outside are not concentrated into the image.
- The plane is the image plane. Distances along the viewing direction are foreshortened, so for a low camera the
  density is above the one on the ground.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import HeatmapLayer, Layer, PointLayer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, FloatArray, IndexArray, Points
from crowdgan_density.boxes import box_centres, clip_to_image, missing_boxes_reason, valid_full_boxes
from crowdgan_density.count_layers import grid_extent
from crowdgan_density.heatmap import HEATMAP_CELLS, gaussian_fractions, heatmap_grid
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds

CUTOFF_BANDWIDTHS = 4.0
"""Distance in bandwidths beyond which the kernel is set to 0; it is under 0.0004 of its peak there."""

BLOCK_PEOPLE = 64
"""People whose neighbours are searched together: few enough to be close to each other, enough to fill a matrix
product."""


def local_densities(
    boxes_xywh: Boxes, size: tuple[int, int], *, bandwidth_m: float = 1.0, height_ratio: float = 1.5
) -> FloatArray:
    """Local density in persons/m² at each person inside the image, `[num_inside]`, at least 0.

    Time is linear in the pairs of people within `CUTOFF_BANDWIDTHS`, plus a fast search.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        bandwidth_m: b, standard deviation of the Gaussian in metres, above 0.
        height_ratio: r, maximum ratio of the box heights of neighbours, at least 1.

    Source: kernel density estimation with a Gaussian, as Helbing, Johansson and Al-Abideen, "Dynamics of crowd
    disasters", Physical Review E 75 (2007), use it on the ground; scale, sum and edge correction are ours (above).
    """
    _, boxes = clip_to_image(boxes_xywh, size)
    points, heights = box_centres(boxes), boxes[:, 3]
    sigmas_px = bandwidth_m * heights / MEAN_HEIGHT_M
    sums = np.zeros(len(points))
    for block in _compact_blocks(points):
        near = _candidates(block, points, heights, CUTOFF_BANDWIDTHS * sigmas_px[block].max(), height_ratio)
        kernel = _gaussians(points[block], points[near], sigmas_px[block])
        block_heights, near_heights = heights[block, None], heights[near]
        kernel *= (near_heights <= block_heights * height_ratio) & (near_heights >= block_heights / height_ratio)
        kernel[np.arange(len(block)), np.searchsorted(near, block)] = 0.0
        sums[block] = kernel.sum(axis=1)
    densities: FloatArray = sums / (2 * math.pi * bandwidth_m**2 * visible_fractions(boxes, sigmas_px, size))
    return densities


def visible_fractions(boxes_xywh: Boxes, sigmas_px: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Fraction of a Gaussian around each box centre that lies where such a box touches the image, `[num_boxes]`.

    Above 0 to 1. A box touches the image while its centre is at most half its size outside the edge, so the centre
    lies x + width from one end of that range, and (image width − x) from the other.

    Args:
        boxes_xywh: `[num_boxes, 4]` boxes in pixels that touch the image.
        sigmas_px: `[num_boxes]` standard deviations in pixels.
        size: `(height, width)` of the image in pixels.
    """
    from scipy.special import erf  # imported late: `crowdgan --help` must not load scipy

    to_low = boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    to_high = np.array([size[1], size[0]], float) - boxes_xywh[:, :2]
    scale = math.sqrt(2) * sigmas_px[:, None]
    fractions: FloatArray = ((erf(to_low / scale) + erf(to_high / scale)) / 2).prod(axis=1)
    return fractions


def density_heatmap(
    boxes_xywh: Boxes, size: tuple[int, int], bandwidth_m: float, cells: int = HEATMAP_CELLS
) -> tuple[FloatArray, float]:
    """Heatmap of the density in persons/m² of the image plane, `[rows, columns]`, and the side of a cell in pixels.

    Each person adds a Gaussian at their own scale: its integral over a cell, divided by the cell's area in m² at that
    scale. Unlike `local_densities`, the value at a person includes that person, people of all sizes are neighbours,
    and there is no edge correction.

    Args:
        boxes_xywh: `[num_people, 4]` full boxes in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.
        bandwidth_m: standard deviation of the Gaussian in metres.
        cells: cells along the longer side.
    """
    cell_px, (rows, columns) = heatmap_grid(size, cells)
    points, scales = box_centres(boxes_xywh), boxes_xywh[:, 3] / MEAN_HEIGHT_M
    across = gaussian_fractions(points[:, 0], bandwidth_m * scales, cell_px, columns)
    down = gaussian_fractions(points[:, 1], bandwidth_m * scales, cell_px, rows)
    values: FloatArray = (down * ((scales / cell_px) ** 2)[:, None]).T @ across
    return values, cell_px


@dataclass(frozen=True, kw_only=True)
class KernelDensityEstimator(ThreeClassEstimator):
    """Mean local density, Gaussian kernel scaled by box height.

    The default class boundaries are those of Fruin's levels of service for walkways (2.32 and 0.93 m² per person): A
    and B are sparse, C and D medium, E and F dense.
    """

    name: ClassVar[str] = "kde"
    unit: ClassVar[str] = "persons/m² of the image plane"

    bandwidth_m: float = option(1.0, "standard deviation of the kernel in metres")
    height_ratio: float = option(1.5, "maximum box-height ratio of neighbours")
    medium_from: float = option(0.43, "lower bound of class medium")
    dense_from: float = option(1.08, "lower bound of class dense")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_from=self.dense_from)
        if not (math.isfinite(self.bandwidth_m) and self.bandwidth_m > 0):
            raise ConfigError(f"{self.name}: bandwidth_m is {self.bandwidth_m}; it must be above 0")
        if not self.height_ratio >= 1:
            raise ConfigError(f"{self.name}: height_ratio is {self.height_ratio}; it must be at least 1")

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the options."""
        return ClassBounds(
            values=(self.medium_from, self.dense_from),
            options=("medium_from", "dense_from"),
        )

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The mean local density over the people that have a full box and are inside the image.

        0 and sparse for fewer than two people; unknown with too few boxes.
        """
        boxes = valid_full_boxes(scene)
        if reason := missing_boxes_reason(scene, boxes):
            return self.unknown(reason)
        densities = local_densities(boxes, scene.size, bandwidth_m=self.bandwidth_m, height_ratio=self.height_ratio)
        return self.classify(float(densities.mean()) if len(densities) else 0.0)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A heatmap of the density, and the local density at each person, whose mean is the estimate."""
        boxes = clip_to_image(valid_full_boxes(scene), scene.size)[1]
        if self.estimate(scene).value is None or not len(boxes):
            return ()
        local = local_densities(boxes, scene.size, bandwidth_m=self.bandwidth_m, height_ratio=self.height_ratio)
        values, cell_px = density_heatmap(boxes, scene.size, self.bandwidth_m)
        return (
            HeatmapLayer(label="density", unit=self.unit, values=values, extent=grid_extent(values, cell_px)),
            PointLayer(label="local density at a person", unit=self.unit, points=box_centres(boxes), values=local),
        )


def _compact_blocks(points: Points) -> Iterator[IndexArray]:
    """Indices of the points in blocks of up to `BLOCK_PEOPLE`: vertical strips of equal count, from top to bottom."""
    strips = max(1, math.isqrt(len(points) // BLOCK_PEOPLE))
    rank = np.empty(len(points), np.intp)
    rank[np.argsort(points[:, 0])] = np.arange(len(points))
    order = np.lexsort((points[:, 1], rank * strips // max(1, len(points))))
    for start in range(0, len(order), BLOCK_PEOPLE):
        yield order[start : start + BLOCK_PEOPLE]


def _candidates(
    block: IndexArray, points: Points, heights: FloatArray, reach_px: float, height_ratio: float
) -> IndexArray:
    """Increasing indices of all people that may be neighbours of a person in the block."""
    block_points = points[block]
    is_near = (points >= block_points.min(axis=0) - reach_px) & (points <= block_points.max(axis=0) + reach_px)
    low, high = heights[block].min() / height_ratio, heights[block].max() * height_ratio
    return np.flatnonzero(is_near.all(axis=1) & (heights >= low) & (heights <= high))


def _gaussians(points: Points, others: Points, sigmas_px: FloatArray) -> FloatArray:
    """exp(−‖p_i − q_j‖² / (2 σ_i²)), `[num_points, num_others]`.

    The exponent is one matrix product, since ‖p − q‖² = ‖p‖² − 2 p·q + ‖q‖². Coordinates are relative to the mean of
    the points, so that the differences keep their significant digits.
    """
    mean = points.mean(axis=0)
    p, q = points - mean, others - mean
    factor = -0.5 / sigmas_px[:, None] ** 2
    left = np.hstack([-2 * factor * p, factor, factor * (p**2).sum(axis=1, keepdims=True)])
    right = np.hstack([q, (q**2).sum(axis=1, keepdims=True), np.ones((len(q), 1))])
    kernel: FloatArray = left @ right.T
    return np.exp(kernel, out=kernel)
