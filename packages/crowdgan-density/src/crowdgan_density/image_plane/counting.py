"""Densities that count persons: `threshold` and `normalised`. They need no boxes, only marks such as head points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError, DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.count_layers import count_layers
from crowdgan_density.image_plane.base import ThreeClassEstimator, check_class_bounds


def normalised_count(count: int, count_min: int, count_max: int) -> float:
    """Place of a count on the scale from `count_min` (0) to `count_max` (1); no unit.

    (count − count_min) / (count_max − count_min), below 0 or above 1 for a count off the scale. On a scale whose two
    ends are equal the divisor is 1 person: the lowest count of a dataset is 0 whatever the others are, and a scene
    with more persons still gets more.

    Raises:
        DensityError: `count_min` is above `count_max`.

    Source: min-max normalisation, as in the published tool; the answer for equal ends is ours.
    """
    if count_min > count_max:
        raise DensityError(f"count_min is {count_min} and count_max is {count_max}; count_min must not be above it")
    return (count - count_min) / max(count_max - count_min, 1)


@dataclass(frozen=True, kw_only=True)
class ThresholdEstimator(ThreeClassEstimator):
    """Number of persons in the image.

    Source: the published tool's method of this name; ignore regions are not persons.
    """

    name: ClassVar[str] = "threshold"
    unit: ClassVar[str] = "persons"

    sparse_up_to: int = option(10, "most persons of a sparse scene")
    medium_up_to: int = option(30, "most persons of a medium scene; more are dense")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, sparse_up_to=self.sparse_up_to, medium_up_to=self.medium_up_to)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The number of persons; 0 and sparse for an empty scene."""
        count = scene.person_count
        return self.answer(count, above_sparse=count > self.sparse_up_to, dense=count > self.medium_up_to)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The persons counted: a point each, or the density map of heads."""
        return persons_counted(scene)


@dataclass(frozen=True, kw_only=True)
class NormalisedCountEstimator(ThreeClassEstimator):
    """Number of persons on the dataset's own scale: 0 for its emptiest scene, 1 for its fullest.

    Source: the published tool's method of this name; ignore regions are not persons.
    """

    name: ClassVar[str] = "normalised"
    unit: ClassVar[str] = "share of the dataset's range of counts"

    medium_from: float = option(0.333, "least value of a medium scene")
    dense_above: float = option(0.666, "value above which a scene is dense")
    count_min: int | None = option(None, "persons at value 0; none takes the fewest of the dataset")
    count_max: int | None = option(None, "persons at value 1; none takes the most of the dataset")

    def __post_init__(self) -> None:
        check_class_bounds(self.name, medium_from=self.medium_from, dense_above=self.dense_above)
        check_count_range(self.name, self.count_min, self.count_max)

    def fit(self, scenes: Iterable[Scene]) -> NormalisedCountEstimator:
        """The estimator on the scale of a dataset; itself, without a look at it, when the scale is set.

        Raises:
            DensityError: the dataset has no scenes.
        """
        if self.count_min is not None:
            return self
        count_min, count_max = count_range(self.name, (scene.person_count for scene in scenes))
        return replace(self, count_min=count_min, count_max=count_max)

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The place of the scene's number of persons on the scale.

        Raises:
            DensityError: the scale is neither set nor fitted.
        """
        count_min, count_max = fitted_range(self.name, self.count_min, self.count_max)
        value = normalised_count(scene.person_count, count_min, count_max)
        return self.answer(value, above_sparse=value >= self.medium_from, dense=value > self.dense_above)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The persons counted: a point each, or the density map of heads."""
        return persons_counted(scene)


def persons_counted(scene: Scene) -> Sequence[Layer]:
    """What shows the persons of a scene that were counted, ignore regions left out."""
    return count_layers(scene.select(~scene.ignore), scene.size, "persons counted")


def check_count_range(estimator_name: str, count_min: int | None, count_max: int | None) -> None:
    """Checks the two options that fix a scale of counts.

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


def count_range(estimator_name: str, counts: Iterable[int]) -> tuple[int, int]:
    """The fewest and the most persons of a dataset's scenes.

    Raises:
        DensityError: there are no scenes.
    """
    known = list(counts)
    if not known:
        raise DensityError(f"{estimator_name}: the dataset has no scenes; at least one is needed to fit the scale")
    return min(known), max(known)


def fitted_range(estimator_name: str, count_min: int | None, count_max: int | None) -> tuple[int, int]:
    """The two ends of a scale of counts, in persons.

    Raises:
        DensityError: they are neither set nor fitted.
    """
    if count_min is None or count_max is None:
        raise DensityError(
            f"{estimator_name}: the scale is not known yet; fit a dataset first, or set count_min and count_max"
        )
    return count_min, count_max
