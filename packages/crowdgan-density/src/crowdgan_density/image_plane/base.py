"""The classes sparse, medium and dense, which the estimators of this package share."""

from __future__ import annotations

import math

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError

CLASSES = ("sparse", "medium", "dense")
"""From the least to the most crowded."""


class ThreeClassEstimator(DensityEstimator):
    """Base of the estimators whose classes are sparse, medium and dense."""

    @property
    def classes(self) -> tuple[str, ...]:
        """sparse, medium, dense."""
        return CLASSES

    def answer(self, value: float, *, above_sparse: bool, dense: bool) -> DensityEstimate:
        """A value in the estimator's unit with its class: dense, or medium when it is above sparse, or sparse."""
        return DensityEstimate(value=float(value), unit=self.unit, class_index=2 if dense else int(above_sparse))

    def cannot_tell(self, reason: str) -> DensityEstimate:
        """The answer "cannot tell" in the estimator's unit."""
        return DensityEstimate.unknown(self.unit, reason)


def check_class_bounds(estimator_name: str, **bounds: float) -> None:
    """Checks the two bounds of the classes, given in the order of the classes under their option names.

    Raises:
        ConfigError: a bound is not finite, or the first is not below the second.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(
            f"{estimator_name}: {low_name} is {low} and {high_name} is {high}; they must be finite and rise"
        )
