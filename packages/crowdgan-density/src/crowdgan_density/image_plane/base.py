"""Base of the estimators with the classes sparse, medium and dense."""

from __future__ import annotations

import math
from abc import abstractmethod

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError

CLASSES = ("sparse", "medium", "dense")
"""Class names, from the least to the most crowded."""


class ThreeClassEstimator(DensityEstimator):
    """An estimator with the classes sparse, medium and dense."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: sparse, medium, dense."""
        return CLASSES

    @property
    @abstractmethod
    def class_bounds(self) -> ClassBounds:
        """Lower boundaries of class medium and class dense."""

    def classify(self, value: float) -> DensityEstimate:
        """An estimate of a density in the estimator's unit, with its class."""
        return DensityEstimate(value=float(value), unit=self.unit, class_index=self.class_bounds.class_index(value))

    def unknown(self, reason: str) -> DensityEstimate:
        """An unknown estimate in the estimator's unit, with the reason."""
        return DensityEstimate.unknown(self.unit, reason)


def check_class_bounds(estimator_name: str, **bounds: float) -> None:
    """Checks the two class boundaries, given by their option names in increasing order.

    Raises:
        ConfigError: a boundary is not finite, or the first is not below the second.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(
            f"{estimator_name}: {low_name} is {low} and {high_name} is {high}; "
            f"they must be finite, and {low_name} must be below {high_name}"
        )
