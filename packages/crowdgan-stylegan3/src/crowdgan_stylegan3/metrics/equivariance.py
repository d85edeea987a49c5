"""Translated and rotated images, with masks of the pixels that are comparable.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021, appendix E. Images are `[N, C, H, W]`, float.
A mask has the shape of the images, and is 1 where a pixel depends only on pixels within the input, else 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_core.utils.arrays import FloatArray
from crowdgan_stylegan3.ops import upfirdn2d

LANCZOS_RADIUS = 3
"""Radius of the Lanczos window in pixels."""

ROTATION_OVERSAMPLING = 4
"""Samples per pixel from which a rotated image is interpolated."""

CONVOLUTION_RADIUS = 32
"""Radius in pixels within which two ideal low-pass filters are convolved."""

MovedImages = tuple[Tensor, Tensor]
"""Images and their mask."""


def integer_translation(x: Tensor, tx: float, ty: float) -> MovedImages:
    """`x` translated by a whole number of pixels, zero outside the input, and the mask.

    Args:
        x: images `[N, C, H, W]`.
        tx: translation to the right in image widths, rounded to pixels, -1 to 1.
        ty: translation down in image heights, rounded to pixels, -1 to 1.
    """
    height, width = x.shape[2:]
    shift_x, shift_y = round(tx * width), round(ty * height)
    padding = (shift_x, -shift_x, shift_y, -shift_y)
    return F.pad(x, padding), F.pad(torch.ones_like(x), padding)


def fractional_translation(x: Tensor, tx: float, ty: float) -> MovedImages:
    """`x` translated, interpolated by a separable windowed sinc (Lanczos), and the mask.

    Args:
        x: images `[N, C, H, W]`; zero outside.
        tx: translation to the right in image widths.
        ty: translation down in image heights.
    """
    height, width = x.shape[2:]
    matrix_x, valid_x = _translation_matrix(width, tx * width)
    matrix_y, valid_y = _translation_matrix(height, ty * height)
    moved = matrix_y.to(x) @ x @ matrix_x.to(x).t()
    return moved, torch.outer(valid_y, valid_x).to(x).expand_as(x)


def fractional_rotation(x: Tensor, angle_rad: float) -> MovedImages:
    """`x` rotated about the image centre, band-limited to the pixel grids before and after, and the mask.

    Args:
        x: images `[N, C, H, W]`; zero outside.
        angle_rad: angle in radians, positive counterclockwise.
    """
    up, support = ROTATION_OVERSAMPLING, 2 * LANCZOS_RADIUS
    kernel = _rotation_filter(-angle_rad, up).to(x.device)
    margin = support * up
    half = len(kernel) // 2
    padding = (margin + half, margin + half - up + 1) * 2
    oversampled = upfirdn2d(x, kernel, up=up, padding=padding)
    positions = _rotated_positions(x, angle_rad) * up
    scale = torch.tensor(oversampled.shape[:1:-1], device=x.device)
    grid = ((positions + margin + 0.5) / scale * 2 - 1).to(x)
    moved = F.grid_sample(oversampled, grid.expand(len(x), -1, -1, -1), align_corners=False)
    border = up // 2  # of the image before its first sample
    nearest = positions.round()
    size = torch.tensor(x.shape[:1:-1], device=x.device) * up
    is_inside = (nearest >= margin - border) & (nearest < size - margin - border)
    return moved, is_inside.all(dim=-1).to(x).expand_as(x)


def fractional_pseudo_rotation(x: Tensor, angle_rad: float) -> MovedImages:
    """`x` as band-limited as `fractional_rotation` leaves a rotated image, but not rotated, and the mask.

    Args:
        x: images `[N, C, H, W]`; zero outside.
        angle_rad: angle in radians by which the image was rotated when it was generated.
    """
    kernel = _rotation_filter(angle_rad, 1).to(x.device)
    half = len(kernel) // 2
    mask = F.pad(torch.ones_like(x), (-half,) * 4)
    return upfirdn2d(x, kernel, padding=half), F.pad(mask, (half,) * 4)


def _translation_matrix(size: int, shift: float) -> tuple[Tensor, Tensor]:
    """Interpolation matrix `[size, size]` of a translation in pixels, and which outputs use only existing pixels."""
    first = np.floor(np.arange(size) - shift).astype(int) - (LANCZOS_RADIUS - 1)
    taps = first[:, None] + np.arange(2 * LANCZOS_RADIUS)
    distances = np.arange(size)[:, None] - shift - taps
    weights = np.sinc(distances) * _window(distances)
    weights /= weights.sum(axis=1, keepdims=True)
    is_inside = (taps >= 0) & (taps < size)
    matrix = np.zeros((size, size))
    rows = np.broadcast_to(np.arange(size)[:, None], taps.shape)
    matrix[rows[is_inside], taps[is_inside]] = weights[is_inside]
    return torch.from_numpy(matrix), torch.from_numpy(is_inside.all(axis=1))


def _rotated_positions(x: Tensor, angle_rad: float) -> Tensor:
    """Positions `[H, W, 2]` in the input of the pixels of the rotated image, `(x, y)` in pixels from the first one."""
    height, width = x.shape[2:]
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64, device=x.device)
    rows, columns = (torch.arange(size, dtype=torch.float64, device=x.device) for size in (height, width))
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1) - centre
    return pixels @ rotation_matrix(angle_rad).to(pixels).t() + centre


def rotation_matrix(angle_rad: float) -> Tensor:
    """Matrix `[2, 2]`, float64: positions after a rotation to positions before; y is down, angles counterclockwise."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def _rotation_filter(angle_rad: float, up: int) -> Tensor:
    """Low-pass filter for a pixel grid and a rotated one, `[taps, taps]`, float32; each of its phases has the sum 1.

    The convolution of the two ideal filters, times the convolution of their two windows.

    Args:
        angle_rad: angle of the second grid.
        up: samples per pixel.
    """
    ideal = _convolve_orientations(np.sinc, angle_rad, up, CONVOLUTION_RADIUS)
    window = _convolve_orientations(_window, angle_rad, up, 2 * LANCZOS_RADIUS)
    crop = (len(ideal) - len(window)) // 2
    kernel = ideal[crop : crop + len(window), crop : crop + len(window)] * window
    for row in range(up):
        for column in range(up):
            kernel[row::up, column::up] /= kernel[row::up, column::up].sum()
    return torch.from_numpy(kernel[1:-1, 1:-1].astype(np.float32))  # the window is 0 at its border


def _convolve_orientations(
    function: Callable[[FloatArray], FloatArray], angle_rad: float, up: int, radius: int
) -> FloatArray:
    """A separable function convolved with its rotated copy, `[2 · radius · up + 1, 2 · radius · up + 1]`."""
    import scipy.signal

    axis = np.arange(-radius * up, radius * up + 1) / up
    x, y = np.meshgrid(axis, axis)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    rotated = function(cos * x - sin * y) * function(sin * x + cos * y)
    return np.asarray(scipy.signal.fftconvolve(function(x) * function(y), rotated, mode="same"))


def _window(distances: FloatArray) -> FloatArray:
    """The Lanczos window at these distances in pixels: the main lobe of a sinc."""
    return np.where(np.abs(distances) < LANCZOS_RADIUS, np.sinc(distances / LANCZOS_RADIUS), 0.0)
