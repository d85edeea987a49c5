"""Precision, recall, density and coverage: metrics of the nearest neighbours among image features.

All distances are squared Euclidean distances in float32, computed as matrix products of blocks of images. Only two
blocks and their distances are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.extractor import FeatureArray
from crowdgan_core.metrics.feature_arrays import Features, check_feature_pair, check_minimum, row_blocks

ROUNDING = 32 * float(np.finfo(np.float32).eps)
"""Relative tolerance of squared distances: errors of float32 products of up to some thousand features.

An image at exactly the radius of a ball, such as the neighbour that defines it, is inside regardless of rounding.
"""


class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each between 0 and 1; higher is better."""

    precision: float
    """Fraction of the generated images inside the ball of at least one real image: quality."""

    recall: float
    """Fraction of the real images inside the ball of at least one generated image: variety."""


class DensityCoverage(NamedTuple):
    """Density and coverage; higher is better."""

    density: float
    """Mean number of balls of real images that contain a generated image, divided by k; about 1 if the distributions
    are equal, and not limited to 1."""

    coverage: float
    """Fraction of the real images whose ball contains at least one generated image, between 0 and 1."""


def precision_recall(real: npt.ArrayLike, generated: npt.ArrayLike, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019).

    The ball of an image reaches to its k-th nearest neighbour in its own set, without the image itself.

    Args:
        real: features `[num_images, num_features]`.
        generated: the same of generated images.
        k: number of neighbours that define the radius.

    Raises:
        ConfigError: fewer than k + 1 images, different numbers of features, values that are not finite, or k < 1.
    """
    first, second = _check_sets(real, generated, k)
    centre = _centre(first)
    real_radii, generated_radii = _squared_radii(first, centre, k), _squared_radii(second, centre, k)
    in_generated_ball, in_real_ball = np.zeros(len(first), np.bool_), np.zeros(len(second), np.bool_)
    for rows, columns, distances in _cross_distances(first, second, centre):
        in_real_ball[columns] |= (distances <= real_radii[rows, None]).any(axis=0)
        in_generated_ball[rows] |= (distances <= generated_radii[columns]).any(axis=1)
    return PrecisionRecall(float(in_real_ball.mean()), float(in_generated_ball.mean()))


def density_coverage(real: npt.ArrayLike, generated: npt.ArrayLike, k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020), less sensitive to outliers than precision and recall.

    The ball of a real image reaches to its k-th nearest real neighbour, without the image itself.

    Args:
        real: features `[num_images, num_features]`.
        generated: the same of generated images.
        k: number of neighbours that define the radius.

    Raises:
        ConfigError: fewer than k + 1 images, different numbers of features, values that are not finite, or k < 1.
    """
    first, second = _check_sets(real, generated, k)
    centre = _centre(first)
    radii = _squared_radii(first, centre, k)
    num_inside, is_covered = 0, np.zeros(len(first), np.bool_)
    for rows, _, distances in _cross_distances(first, second, centre):
        inside = distances <= radii[rows, None]
        num_inside += int(np.count_nonzero(inside))
        is_covered[rows] |= inside.any(axis=1)
    return DensityCoverage(num_inside / (k * len(second)), float(is_covered.mean()))


def _check_sets(real: npt.ArrayLike, generated: npt.ArrayLike, k: int) -> tuple[Features, Features]:
    check_minimum(k, "k", minimum=1)
    return check_feature_pair(real, generated, min_rows=k + 1)


def _centre(features: Features) -> Features:
    """Mean `[num_features]`; distances of centred features have smaller rounding errors."""
    centre: Features = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
    return centre


def _squared_radii(features: Features, centre: Features, k: int) -> FeatureArray:
    """Squared distance of each image to its k-th nearest neighbour, `[num_images]`, with a tolerance for rounding.

    An image is excluded from its own neighbours by its index; duplicates of it are neighbours at distance 0. Each pair
    of blocks is computed once.
    """
    nearest = np.full((len(features), k), np.inf, np.float32)
    squared_norms = np.empty(len(features), np.float32)
    for rows in row_blocks(len(features)):
        block = _centred(features[rows], centre)
        squared_norms[rows] = _squared_norms(block)
        for columns in row_blocks(rows.stop):
            distances = _squared_distances(block, _centred(features[columns], centre))
            if rows == columns:
                np.fill_diagonal(distances, np.inf)
            else:
                _keep_nearest(nearest[columns], distances.T)
            _keep_nearest(nearest[rows], distances)
    radii: FeatureArray = np.maximum(nearest[:, -1], 0)
    radii += np.float32(ROUNDING) * (radii + squared_norms)
    return radii


def _keep_nearest(nearest: FeatureArray, distances: FeatureArray) -> None:
    """Updates the k smallest distances of each row, `[num_rows, k]` with the largest last, with further distances."""
    k = nearest.shape[1]
    changed = np.flatnonzero(distances.min(axis=1) < nearest[:, -1])
    candidates = np.hstack([nearest[changed], distances[changed]])
    nearest[changed] = np.partition(candidates, k - 1, axis=1)[:, :k]


def _cross_distances(
    real: Features, generated: Features, centre: Features
) -> Iterator[tuple[slice, slice, FeatureArray]]:
    """Real rows, generated rows, and squared distances `[num_real, num_generated]` of all pairs of blocks."""
    for rows in row_blocks(len(real)):
        block = _centred(real[rows], centre)
        for columns in row_blocks(len(generated)):
            yield rows, columns, _squared_distances(block, _centred(generated[columns], centre))


def _centred(features: Features, centre: Features) -> FeatureArray:
    centred: FeatureArray = (features - centre).astype(np.float32, copy=False)
    return centred


def _squared_norms(features: FeatureArray) -> FeatureArray:
    norms: FeatureArray = np.einsum("ij,ij->i", features, features)
    return norms


def _squared_distances(first: FeatureArray, second: FeatureArray) -> FeatureArray:
    """|x|² + |y|² − 2 xᵀy of all pairs; rounding errors may make distances of equal features slightly negative."""
    distances: FeatureArray = first @ second.T
    distances *= -2
    distances += _squared_norms(first)[:, None]
    distances += _squared_norms(second)
    return distances
