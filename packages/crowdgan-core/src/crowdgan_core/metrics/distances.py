"""Fréchet and kernel distances between two sets of image features (FID and KID for Inception features)."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.feature_arrays import (
    Features,
    check_equal_widths,
    check_feature_pair,
    check_features,
    check_minimum,
    row_blocks,
)
from crowdgan_core.utils.arrays import FloatArray

MIN_IMAGES = 2
"""Minimum number of images per set; one image has no covariance."""

MIN_RELATIVE_VARIANCE = 2.0**-52
"""Unit of the relative variance below which a direction is rounding noise; multiplied by the number of features."""

KERNEL_BLOCK_ROWS = 256
"""Number of rows of a block of a kernel matrix, which fits into the cache of a core: 512 KiB in float64."""


class FeatureStatistics:
    """Number, mean and covariance of features that arrive in batches, accumulated in float64.

    Centred batches are merged by their means (Chan, Golub and LeVeque 1983), so that a mean that is large relative to
    the standard deviation costs no precision.
    """

    def __init__(self, num_features: int) -> None:
        check_minimum(num_features, "num_features", minimum=1)
        self._count = 0
        self._mean = np.zeros(num_features)
        self._scatter = np.zeros((num_features, num_features))  # sum of outer products of centred features

    @classmethod
    def from_features(cls, features: npt.ArrayLike) -> FeatureStatistics:
        """Statistics of one array of features `[num_images, num_features]`.

        Raises:
            ConfigError: the array is empty, not two-dimensional, or contains values that are not finite.
        """
        array = check_features(features, "features")
        statistics = cls(array.shape[1])
        statistics._add(array)
        return statistics

    @property
    def count(self) -> int:
        """Number of images."""
        return self._count

    @property
    def num_features(self) -> int:
        """Number of features per image."""
        return len(self._mean)

    @property
    def mean(self) -> FloatArray:
        """Mean `[num_features]`; zeros before the first update."""
        return self._mean.copy()

    @property
    def covariance(self) -> FloatArray:
        """Covariance `[num_features, num_features]`, divided by the number of images; zeros before the first update."""
        return self._scatter / max(self._count, 1)

    def update(self, features: npt.ArrayLike) -> None:
        """Adds a batch of features `[num_images, num_features]`.

        Raises:
            ConfigError: another number of features, or values that are not finite; the statistics stay unchanged.
        """
        array = check_features(features, "features", min_rows=0)
        if array.shape[1] != self.num_features:
            raise ConfigError(f"features: {array.shape[1]} per image; earlier batches have {self.num_features}")
        self._add(array)

    def _add(self, features: Features) -> None:
        for rows in row_blocks(len(features)):
            block = features[rows].astype(np.float64)
            block_mean = block.mean(axis=0)
            block -= block_mean
            total = self._count + len(block)
            shift = block_mean - self._mean
            self._scatter += block.T @ block
            self._scatter += np.outer(shift, shift * (self._count * len(block) / total))
            self._mean += shift * (len(block) / total)
            self._count = total


def frechet_distance(real: npt.ArrayLike | FeatureStatistics, generated: npt.ArrayLike | FeatureStatistics) -> float:
    """Fréchet distance of normal distributions with the means and covariances of two sets of features; 0 if equal.

    |μ − μ'|² + Tr(Σ + Σ' − 2 (Σ Σ')^½), the FID for Inception features (Heusel et al. 2017). Covariances are divided by
    the number of images, as in the official StyleGAN3. With fewer images than features the distance is biased upwards.

    The trace of the root is the sum of the singular values of A Bᵀ with Σ = Aᵀ A and Σ' = Bᵀ B. Its precision does not
    suffer from singular covariances, and no root of a matrix is computed.

    Args:
        real: features `[num_images, num_features]`, or their statistics.
        generated: the same of generated images.

    Raises:
        ConfigError: fewer than 2 images, different numbers of features, or values that are not finite.
    """
    first, second = _normal_distribution(real, "real features"), _normal_distribution(generated, "generated features")
    check_equal_widths(len(first.mean), len(second.mean))
    trace_of_root = np.linalg.svd(first.root @ second.root.T, compute_uv=False).sum()
    mean_term = np.sum((first.mean - second.mean) ** 2)
    return float(mean_term + np.sum(first.root**2) + np.sum(second.root**2) - 2 * trace_of_root)


class _NormalDistribution(NamedTuple):
    """Mean, and a root `[rank, num_features]` of the covariance: `root.T @ root` is the covariance."""

    mean: FloatArray
    root: FloatArray


def _normal_distribution(features: npt.ArrayLike | FeatureStatistics, name: str) -> _NormalDistribution:
    if isinstance(features, FeatureStatistics):
        if features.count < MIN_IMAGES:
            raise ConfigError(f"{name}: number of images is {features.count}; at least {MIN_IMAGES} are needed")
        return _NormalDistribution(features.mean, _covariance_root(features.covariance))
    array = check_features(features, name, MIN_IMAGES)
    if len(array) < array.shape[1]:  # centred features are a smaller root than that of the covariance
        centred = array.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        return _NormalDistribution(mean, centred / np.sqrt(len(array)))
    statistics = FeatureStatistics(array.shape[1])
    statistics._add(array)
    return _normal_distribution(statistics, name)


def _covariance_root(covariance: FloatArray) -> FloatArray:
    """A matrix `[rank, num_features]` whose product `root.T @ root` is the covariance.

    The Cholesky factor, which takes a tenth of the time of eigenvectors, if the covariance is not nearly singular.
    """
    min_relative_variance = len(covariance) * MIN_RELATIVE_VARIANCE
    with contextlib.suppress(np.linalg.LinAlgError):  # not positive definite
        factor = np.linalg.cholesky(covariance)
        pivots = np.diag(factor) ** 2
        if pivots.min() > min_relative_variance * pivots.max():
            return np.ascontiguousarray(factor.T)
    variances, directions = np.linalg.eigh(covariance)
    significant = variances > min_relative_variance * variances[-1]
    root: FloatArray = (directions[:, significant] * np.sqrt(variances[significant])).T
    return root


class KernelDistance(NamedTuple):
    """A kernel distance between two sets of features."""

    mean: float
    """Mean of the unbiased estimates of all subsets; 0 on average for equal distributions, and may be negative."""

    standard_error: float
    """Standard error of the mean as an estimate for the distributions of which the images are samples."""

    def __float__(self) -> float:
        return self.mean


def kernel_distance(
    real: npt.ArrayLike, generated: npt.ArrayLike, num_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel (xᵀy / d + 1)³, and its standard error.

    The KID for Inception features (Bińkowski et al. 2018): the mean of unbiased estimates on random subsets of
    min(subset_size, number of real images, number of generated images) images of each set, drawn without replacement.
    The images of both sets must be independent: copies in both sets, such as a set compared with itself, bias it
    downwards.

    The standard error contains the limited number of images, not just the choice of subsets. It comes from the
    influence of each image on an estimate (infinitesimal jackknife), which overestimates it by up to √2 where the
    distributions are equal.

    Args:
        real: features `[num_images, num_features]`.
        generated: the same of generated images.
        num_subsets: number of subsets.
        subset_size: maximum number of images of each set in a subset.
        seed: seed of the subsets.

    Raises:
        ConfigError: fewer than 2 images, different numbers of features, values that are not finite, no subsets, or
            subsets of fewer than 2 images.
    """
    check_minimum(num_subsets, "num_subsets", minimum=1)
    check_minimum(subset_size, "subset_size", minimum=MIN_IMAGES)
    check_minimum(seed, "seed", minimum=0)
    sets = check_feature_pair(real, generated, MIN_IMAGES)
    size = min(subset_size, *map(len, sets))
    if all(len(features) == size for features in sets):
        num_subsets = 1  # all subsets are equal
    rng = np.random.default_rng(seed)
    estimates = []
    for _ in range(num_subsets):
        subsets = [features[np.sort(rng.choice(len(features), size, replace=False))] for features in sets]
        estimates.append(_discrepancy(*subsets))
    mean, *variances = np.mean(estimates, axis=0)
    variance = sum(
        variance * _variance_factor(size / len(features), num_subsets)
        for variance, features in zip(variances, sets, strict=True)
    )
    return KernelDistance(float(mean), float(np.sqrt(variance)))


def _variance_factor(fraction: float, num_subsets: int) -> float:
    """Variance of the mean over subsets that hold this fraction of a set, relative to that of one subset.

    The variance of an estimate on the complete set is the fraction of that of a subset. The remainder comes from the
    choice of subsets and decreases with their number.
    """
    return fraction + (1 - fraction) / num_subsets


def _discrepancy(real: Features, generated: Features) -> tuple[float, float, float]:
    """Unbiased estimate of the squared maximum mean discrepancy, and its variance due to the real and generated images.

    Both sets have the same number of images.
    """
    size = len(real)
    between_real, between_generated = (_sums_over_kernel(features) / (size - 1) for features in (real, generated))
    real_to_generated, generated_to_real = (sums / size for sums in _sums_over_cross_kernel(real, generated))
    estimate = between_real.mean() + between_generated.mean() - 2 * real_to_generated.mean()
    return (
        float(estimate),
        float(4 * np.var(between_real - real_to_generated, ddof=1) / size),
        float(4 * np.var(between_generated - generated_to_real, ddof=1) / size),
    )


def _sums_over_kernel(features: Features) -> FloatArray:
    """Sum of the kernel of each image and all others, `[num_images]`; each pair of blocks is computed once."""
    sums = np.zeros(len(features))
    for rows in row_blocks(len(features), KERNEL_BLOCK_ROWS):
        for columns in row_blocks(rows.stop, KERNEL_BLOCK_ROWS):
            kernel = _kernel(features[rows], features[columns])
            if rows == columns:
                np.fill_diagonal(kernel, 0)
            else:
                sums[columns] += kernel.sum(axis=0)
            sums[rows] += kernel.sum(axis=1)
    return sums


def _sums_over_cross_kernel(real: Features, generated: Features) -> tuple[FloatArray, FloatArray]:
    """Sums of the kernel of each real and all generated images, and of each generated and all real images."""
    real_sums, generated_sums = np.zeros(len(real)), np.zeros(len(generated))
    for rows in row_blocks(len(real), KERNEL_BLOCK_ROWS):
        for columns in row_blocks(len(generated), KERNEL_BLOCK_ROWS):
            kernel = _kernel(real[rows], generated[columns])
            real_sums[rows] += kernel.sum(axis=1)
            generated_sums[columns] += kernel.sum(axis=0)
    return real_sums, generated_sums


def _kernel(first: Features, second: Features) -> FloatArray:
    """(xᵀy / d + 1)³ of all pairs, `[len(first), len(second)]`.

    Products of float32 features are computed in float32: their rounding errors cancel in the sums, which are float64.
    """
    base = (first @ second.T).astype(np.float64)
    base /= first.shape[1]
    base += 1
    kernel: FloatArray = base * base
    kernel *= base
    return kernel
