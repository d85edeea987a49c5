"""Ridge regression with the penalty chosen by leave-one-out errors in closed form: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.utils.arrays import FloatArray

RELATIVE_PENALTIES = np.logspace(-6, 3, 28)
"""Candidate penalties, in multiples of the largest squared singular value of the features."""

MIN_SCALE = 1e-6
"""Features with a smaller standard deviation are constant and not scaled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RidgeModel:
    """A fitted linear regression of a number on standardised features."""

    mean: FloatArray
    """`[num_features]`"""
    scale: FloatArray
    """`[num_features]`"""
    weights: FloatArray
    """`[num_features]`, of standardised features."""
    intercept: float
    penalty: float
    """Weight of the squared weights."""
    leave_one_out: FloatArray
    """`[num_samples]`, the prediction of each training sample by a regression without it."""

    def predict(self, features: FloatArray) -> FloatArray:
        """Predicted numbers `[num_samples]` of features `[num_samples, num_features]`."""
        return np.asarray((features - self.mean) / self.scale @ self.weights + self.intercept)


def fit_ridge(features: FloatArray, targets: FloatArray) -> RidgeModel:
    """A ridge regression with the penalty of the smallest mean squared leave-one-out error.

    With H the hat matrix of the centred and penalised regression and 1/N of the intercept, the leave-one-out error of
    sample i is e_i / (1 - H_ii - 1/N) (Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", eq.
    7.64). The features are standardised once, with all samples.

    Args:
        features: `[num_samples, num_features]`, at least two samples.
        targets: `[num_samples]`.
    """
    features = np.asarray(features, float)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = np.where(deviation > MIN_SCALE, deviation, 1)
    u, s, vt = np.linalg.svd((features - mean) / scale, full_matrices=False)
    intercept = float(targets.mean())
    projected = u.T @ (targets - intercept)
    fits = [
        (penalty, _leave_one_out(u, s, projected, targets - intercept, penalty))
        for penalty in RELATIVE_PENALTIES * max(float(s[0]) ** 2, MIN_SCALE)
    ]
    penalty, predictions = min(fits, key=lambda fit: float(np.mean((fit[1] - targets + intercept) ** 2)))
    weights = vt.T @ (s / (s**2 + penalty) * projected)
    return RidgeModel(
        mean=mean,
        scale=scale,
        weights=weights,
        intercept=intercept,
        penalty=float(penalty),
        leave_one_out=predictions + intercept,
    )


def _leave_one_out(
    u: FloatArray, s: FloatArray, projected: FloatArray, targets: FloatArray, penalty: float
) -> FloatArray:
    """Leave-one-out predictions of centred targets, from the singular value decomposition of the features."""
    shrinkage = s**2 / (s**2 + penalty)
    leverage = (u**2 @ shrinkage) + 1 / len(targets)
    residuals = targets - u @ (shrinkage * projected)
    return np.asarray(targets - residuals / np.maximum(1 - leverage, MIN_SCALE))
