"""Inception score: how distinct and how varied the classes are that a classifier assigns to generated images."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.feature_arrays import Features, check_features, check_minimum
from crowdgan_core.utils.arrays import FloatArray

SUM_TOLERANCE = 1e-3
"""Maximum deviation of the sum of an image's probabilities from 1; float16 probabilities deviate by less."""


class InceptionScore(NamedTuple):
    """Inception score, at least 1 and at most the number of classes; higher is better."""

    mean: float
    """Mean over the splits."""

    std: float
    """Population standard deviation over the splits; not the standard error of the mean."""


def inception_score(probabilities: npt.ArrayLike, splits: int = 10) -> InceptionScore:
    """Inception score (Salimans et al. 2016): exp(mean KL(p ‖ mean p)) of each of several consecutive splits.

    Args:
        probabilities: class probabilities of each image, `[num_images, num_classes]`; rows sum to 1.
        splits: number of splits.

    Raises:
        ConfigError: fewer images than splits, or values that are not probabilities.
    """
    check_minimum(splits, "splits", minimum=1)
    array = check_features(probabilities, "class probabilities", min_rows=splits)
    bounds = [index * len(array) // splits for index in range(splits + 1)]
    scores = [_score(_check_probabilities(array, slice(*ends))) for ends in itertools.pairwise(bounds)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _check_probabilities(array: Features, rows: slice) -> FloatArray:
    probabilities = array[rows].astype(np.float64)
    sums, minima = probabilities.sum(axis=1), probabilities.min(axis=1)
    invalid = np.flatnonzero((minima < 0) | (np.abs(sums - 1) > SUM_TOLERANCE))
    if invalid.size:
        row = invalid[0]
        raise ConfigError(
            f"class probabilities: row {rows.start + row} has the minimum {minima[row]:g} and the sum {sums[row]:g}; "
            "probabilities are at least 0 and sum to 1"
        )
    return probabilities


def _score(probabilities: FloatArray) -> float:
    """exp(mean KL(p ‖ mean p)); the mean divergence is the entropy of the mean minus the mean entropy."""
    return float(np.exp(_entropies(probabilities.mean(axis=0)) - _entropies(probabilities).mean()))


def _entropies(probabilities: FloatArray) -> FloatArray:
    """Entropy along the last axis in nats."""
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return -np.asarray(np.sum(probabilities * logarithms, axis=-1))
