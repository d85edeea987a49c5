"""Density heatmaps of points in an image, one Gaussian per point, as crowd-counting networks are trained on.

A heatmap is exact at any resolution: each cell holds the integral of the Gaussians over its area, by the error
function.
"""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.utils.arrays import FloatArray, Points

HEATMAP_CELLS = 320
"""Cells along the longer side of a heatmap, ours: more than a figure resolves, computed in milliseconds."""

NUM_NEIGHBOURS = 3
"""Nearest heads whose mean distance determines the width of a head's Gaussian (MCNN)."""

SIGMA_PER_DISTANCE = 0.3
"""Standard deviation divided by that mean distance (β of MCNN)."""

FIXED_SIGMA_PX = 4.0
"""Standard deviation in pixels if there are too few heads for `NUM_NEIGHBOURS` (the published fixed kernel)."""

MAX_SIGMA_FRACTION = 0.05
"""Largest standard deviation as a fraction of the image's longer side, ours: for a head far from all others."""


def head_heatmap(heads: Points, size: tuple[int, int], cells: int) -> tuple[FloatArray, float]:
    """Heatmap of heads in persons per cell, `[rows, columns]`, and the side of a cell in pixels.

    The standard deviation of a head's Gaussian is 0.3 times the mean distance to the 3 nearest heads. Each Gaussian is
    normalised within the image, so the heatmap sums to the number of heads; heads outside are moved to its edge.

    Args:
        heads: `[num_heads, 2]` x, y in pixels.
        size: `(height, width)` of the image in pixels.
        cells: cells along the longer side.

    Source: Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016.
    """
    cell_px, (rows, columns) = heatmap_grid(size, cells)
    inside = np.clip(heads, 0, [size[1], size[0]])
    sigmas = adaptive_sigmas_px(inside, MAX_SIGMA_FRACTION * max(size))
    across, down = (gaussian_fractions(inside[:, axis], sigmas, cell_px, n) for axis, n in ((0, columns), (1, rows)))
    across /= across.sum(axis=1, keepdims=True)
    down /= down.sum(axis=1, keepdims=True)
    values: FloatArray = down.T @ across
    return values, cell_px


def adaptive_sigmas_px(points: Points, max_px: float) -> FloatArray:
    """Standard deviation of each point's Gaussian in pixels, `[num_points]`, from 1 px to `max_px`."""
    from scipy.spatial import cKDTree  # imported late: `crowdgan --help` must not load scipy

    if len(points) <= NUM_NEIGHBOURS:
        return np.full(len(points), FIXED_SIGMA_PX)
    distances = np.asarray(cKDTree(points).query(points, k=NUM_NEIGHBOURS + 1)[0])[:, 1:]
    sigmas: FloatArray = np.clip(SIGMA_PER_DISTANCE * distances.mean(axis=1), 1.0, max(1.0, max_px))
    return sigmas


def heatmap_grid(size: tuple[int, int], cells: int) -> tuple[float, tuple[int, int]]:
    """Side of a square cell in pixels, and the `(rows, columns)` of cells that cover an image of `size`."""
    cell_px = max(1.0, max(size) / cells)
    return cell_px, (max(1, math.ceil(size[0] / cell_px)), max(1, math.ceil(size[1] / cell_px)))


def gaussian_fractions(centres_px: FloatArray, sigmas_px: FloatArray, cell_px: float, cells: int) -> FloatArray:
    """Fraction of each one-dimensional Gaussian in each cell along an axis, `[num_points, cells]`."""
    from scipy.special import erf

    edges = cell_px * np.arange(cells + 1)
    cumulative = erf((edges - centres_px[:, None]) / (math.sqrt(2) * sigmas_px[:, None]))
    fractions: FloatArray = np.diff(cumulative, axis=1) / 2
    return fractions
