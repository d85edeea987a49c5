"""Change of density predictions when real images are blurred or get noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.fidelity_report import Sensitivity
from crowdgan_core.utils.arrays import FloatArray

BLUR_FRACTION, MIN_BLUR_PX = 1 / 128, 0.5
"""Standard deviation of the blur as a fraction of the shorter side, at least half a pixel: hardly visible."""

NOISE_SIGMA = 8.0
"""Standard deviation of the noise in grey levels of 0 to 255: visible in flat areas."""

MAX_CHANGE = 0.5
"""Largest acceptable change of a prediction in classes."""


def blur_images(images: npt.NDArray[np.uint8], sigma_px: float) -> npt.NDArray[np.uint8]:
    """Images `[num_images, height, width, 3]` after a Gaussian blur."""
    from scipy.ndimage import gaussian_filter  # imported late: `crowdgan --help` must not load scipy

    blurred = gaussian_filter(images.astype(np.float32), (0, sigma_px, sigma_px, 0))
    return np.asarray(np.clip(np.rint(blurred), 0, 255)).astype(np.uint8)


def add_noise(images: npt.NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Images `[num_images, height, width, 3]` with Gaussian noise of a standard deviation in grey levels."""
    noisy = images + rng.normal(0, sigma, images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def measure_sensitivity(
    batches: Iterable[npt.NDArray[np.uint8]],
    class_positions: Callable[[npt.NDArray[np.uint8]], FloatArray],
    *,
    seed: int = 0,
) -> Sensitivity:
    """Mean absolute change of the predictions of real images, in classes.

    Args:
        batches: images `[batch_size, height, width, 3]` of one size, at least one.
        class_positions: predicted class as a real number, `[num_images]`, of images.
        seed: seed of the noise.
    """
    rng = np.random.default_rng(seed)
    blur_changes, noise_changes, blur_sigma_px = [], [], MIN_BLUR_PX
    for images in batches:
        blur_sigma_px = max(MIN_BLUR_PX, BLUR_FRACTION * min(images.shape[1:3]))
        before = class_positions(images)
        blur_changes.append(np.abs(class_positions(blur_images(images, blur_sigma_px)) - before))
        noise_changes.append(np.abs(class_positions(add_noise(images, NOISE_SIGMA, rng)) - before))
    return Sensitivity(
        blur_sigma_px=blur_sigma_px,
        blur_change=float(np.concatenate(blur_changes).mean()),
        noise_sigma=NOISE_SIGMA,
        noise_change=float(np.concatenate(noise_changes).mean()),
    )
