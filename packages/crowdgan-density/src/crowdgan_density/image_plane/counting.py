"""Estimators that count people: `threshold` and `normalised`. They need no boxes; head points suffice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.count_layers import count_layers
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds


def normalised_count(count: int, count_min: int, count_max: int) -> float:
    """Min-max normalised count, (count − count_min) / (count_max − count_min); no unit.

    Below 0 or above 1 for a count outside the range. If both ends are equal, the divisor is 1 person: the minimum
    count of a dataset is always 0, and more people always give a larger value.

    Raises:
        DensityError: `count_min` is above `count_max`.

    Source: min-max normalisation, as in the published tool; the divisor for equal ends is ours.
    """
    if count_min > count_max:
        raise DensityError(f"count_min is {count_min} and count_max is {count_max}; count_min must not be above it")
    return (count - count_min) / max(count_max - count_min, 1)


@dataclass(frozen=True, kw_only=True)
class ThresholdEstimator(ThreeClassEstimator):
    """Person count.

    Ignore regions are not counted.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "threshold"
    unit: ClassVar[str] = "persons"

    sparse_up_to: int = option(10, "maximum person count of class sparse")
    medium_up_to: int = option(30, "maximum person count of class medium")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, sparse_up_to=self.sparse_up_to, medium_up_to=self.medium_up_to)

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the options."""
        return ClassBounds(
            values=(self.sparse_up_to, self.medium_up_to),
            included_above=(False, False),
            options=("sparse_up_to", "medium_up_to"),
        )

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The person count; 0 and sparse for an empty scene."""
        return self.classify(scene.person_count)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The counted people: one point each, or a heatmap of heads."""
        return counted_people_layers(scene)


@dataclass(frozen=True, kw_only=True)
class NormalisedCountEstimator(ThreeClassEstimator):
    """Person count, min-max normalised over the dataset.

    0 for the dataset's minimum count, 1 for its maximum. Ignore regions are not counted.

    Source: the published tool's method of this name.
    """

    name: ClassVar[str] = "normalised"
    unit: ClassVar[str] = "fraction of the dataset's count range"

    medium_from: float = option(0.333, "lower bound of class medium")
    dense_above: float = option(0.666, "exclusive lower bound of class dense")
    count_min: int | None = option(None, "count mapped to 0; none: dataset minimum")
    count_max: int | None = option(None, "count mapped to 1; none: dataset maximum")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_above=self.dense_above)
        check_count_range(self.name, self.count_min, self.count_max)

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the options."""
        return ClassBounds(
            values=(self.medium_from, self.dense_above),
            included_above=(True, False),
            options=("medium_from", "dense_above"),
        )

    def fit(self, scenes: Iterable[Scene]) -> NormalisedCountEstimator:
        """The estimator with the count range of a dataset; itself, without reading the dataset, if the range is set.

        Raises:
            DensityError: the dataset has no scenes.
        """
        if self.count_min is not None:
            return self
        count_min, count_max = dataset_count_range(self.name, (scene.person_count for scene in scenes))
        return replace(self, count_min=count_min, count_max=count_max)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The scene's normalised person count.

        Raises:
            DensityError: the count range is neither set nor fitted.
        """
        count_min, count_max = require_count_range(self.name, self.count_min, self.count_max)
        return self.classify(normalised_count(scene.person_count, count_min, count_max))

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The counted people: one point each, or a heatmap of heads."""
        return counted_people_layers(scene)


def counted_people_layers(scene: Scene) -> Sequence[Layer]:
    """Layers that show the counted people of a scene, without ignore regions."""
    return count_layers(scene.select(~scene.ignore), scene.size, "counted people")


def check_count_range(estimator_name: str, count_min: int | None, count_max: int | None) -> None:
    """Checks the two options that set a count range.

    Raises:
        ConfigError: only one of them is given, or they are not 0 ≤ count_min ≤ count_max.
    """
    if count_min is None and count_max is None:
        return
    if count_min is None or count_max is None or not 0 <= count_min <= count_max:
        raise ConfigError(
            f"{estimator_name}: count_min is {count_min} and count_max is {count_max}; "
            "give both, with 0 <= count_min <= count_max, or neither"
        )


def dataset_count_range(estimator_name: str, counts: Iterable[int]) -> tuple[int, int]:
    """Minimum and maximum count of a dataset's scenes.

    Raises:
        DensityError: there are no scenes.
    """
    known = list(counts)
    if not known:
        raise DensityError(f"{estimator_name}: the dataset has no scenes; fitting the count range needs at least one")
    return min(known), max(known)


def require_count_range(estimator_name: str, count_min: int | None, count_max: int | None) -> tuple[int, int]:
    """The two ends of a count range.

    Raises:
        DensityError: they are neither set nor fitted.
    """
    if count_min is None or count_max is None:
        raise DensityError(
            f"{estimator_name}: the count range is unknown; fit a dataset first, or set count_min and count_max"
        )
    return count_min, count_max
