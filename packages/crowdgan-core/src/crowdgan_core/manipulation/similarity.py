"""Similarity of two images: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import numpy as np

from crowdgan_core.utils.arrays import FloatArray, ImageArray

SSIM_SIGMA_PX, SSIM_RADIUS_PX = 1.5, 5
"""Gaussian window of the structural similarity (Wang et al. 2004): 11x11 pixels."""

SSIM_K1, SSIM_K2 = 0.01, 0.03
"""Stabilising constants of Wang et al. 2004."""

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""


def psnr(image: ImageArray, reference: ImageArray) -> float:
    """Peak signal-to-noise ratio of two images `[height, width, 3]` in dB; infinite for equal images."""
    error = np.square(image.astype(float) - reference).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(image: ImageArray, reference: ImageArray) -> float:
    """Mean structural similarity of the brightness of two images `[height, width, 3]`, 1 for equal images.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, with the
    Gaussian window. Pixels whose window is not inside the image do not count; smaller images have one window.
    """
    a, b = (item @ np.array(LUMA_WEIGHTS) for item in (image, reference))
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variance_a = _window_mean(a * a) - mean_a**2
    variance_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    c1, c2 = (SSIM_K1 * 255) ** 2, (SSIM_K2 * 255) ** 2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    denominator = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return float((numerator / denominator).mean())


def _window_mean(values: FloatArray) -> FloatArray:
    """Mean of `[height, width]` in a Gaussian window about each pixel whose window is inside the image."""
    for axis in (0, 1):
        radius = min(SSIM_RADIUS_PX, (values.shape[axis] - 1) // 2)
        offsets = np.arange(-radius, radius + 1)
        weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA_PX**2))
        windows = np.lib.stride_tricks.sliding_window_view(values, len(weights), axis=axis)
        values = windows @ (weights / weights.sum())
    return values
