"""Density maps of points in an image, by a Gaussian each: what crowd-counting networks learn, for drawing.

A map is exact whatever its cells: each holds the integral of the Gaussians over it, by the error function.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAP_CELLS = 320
"""Cells along the longer side of a map: finer than a slide shows, and made in milliseconds."""

NEIGHBOURS = 3
"""Nearest heads whose mean distance makes the width of a head's Gaussian (MCNN)."""

BETA = 0.3
"""Standard deviation over that mean distance (MCNN)."""

SPARSE_SIGMA_PX = 4.0
"""Standard deviation in pixels where there are too few heads for neighbours (the published fixed kernel)."""

LARGEST_SIGMA_SHARE = 0.05
"""Largest standard deviation as a share of the image's longer side, ours: of a head far from all others."""


def head_map(heads: Floats, size: tuple[int, int], cells: int) -> tuple[Floats, float]:
    """A map of heads in persons per cell, `[rows, columns]`, that sums to their number, and the side of a cell in px.

    A head's Gaussian is as wide as its neighbours are far: σ = 0.3 · mean distance to the 3 nearest heads. What of it
    lies beyond the image is given to the rest; heads outside are moved to the border.

    Args:
        heads: `[num_heads, 2]` x, y in pixels.
        size: `(height, width)` of the image in pixels.
        cells: cells along the longer side.

    Source: Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016.
    """
    cell_px, (rows, columns) = map_cells(size, cells)
    inside = np.clip(heads, 0, [size[1], size[0]])
    sigmas = adaptive_sigmas_px(inside, LARGEST_SIGMA_SHARE * max(size))
    across, down = (axis_shares(inside[:, axis], sigmas, cell_px, n) for axis, n in ((0, columns), (1, rows)))
    across /= across.sum(axis=1, keepdims=True)
    down /= down.sum(axis=1, keepdims=True)
    values: Floats = down.T @ across
    return values, cell_px


def adaptive_sigmas_px(points: Floats, largest_px: float) -> Floats:
    """Standard deviation of each point's Gaussian in pixels, `[num_points]`, from 1 px to `largest_px`."""
    from scipy.spatial import cKDTree  # here, because `crowdgan --help` shall not load scipy

    if len(points) <= NEIGHBOURS:
        return np.full(len(points), SPARSE_SIGMA_PX)
    distances = np.asarray(cKDTree(points).query(points, k=NEIGHBOURS + 1)[0])[:, 1:]
    sigmas: Floats = np.clip(BETA * distances.mean(axis=1), 1.0, max(1.0, largest_px))
    return sigmas


def map_cells(size: tuple[int, int], cells: int) -> tuple[float, tuple[int, int]]:
    """Side of a map's cells in pixels, and rows and columns of square cells that cover an image of `size`."""
    cell_px = max(1.0, max(size) / cells)
    return cell_px, (max(1, math.ceil(size[0] / cell_px)), max(1, math.ceil(size[1] / cell_px)))


def axis_shares(places_px: Floats, sigmas_px: Floats, cell_px: float, cells: int) -> Floats:
    """Share of each Gaussian that lies in each cell along one axis, `[num_places, cells]`."""
    from scipy.special import erf

    edges = cell_px * np.arange(cells + 1)
    below = erf((edges - places_px[:, None]) / (math.sqrt(2) * sigmas_px[:, None]))
    shares: Floats = np.diff(below, axis=1) / 2
    return shares
