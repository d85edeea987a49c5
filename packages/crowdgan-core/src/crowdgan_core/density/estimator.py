"""Density estimates and the contract of density estimators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from crowdgan_core.density.class_bounds import ClassBounds
    from crowdgan_core.density.layers import Layer
    from crowdgan_core.scenes.scene import Scene


@dataclass(frozen=True, kw_only=True, repr=False)
class DensityEstimate:
    """The estimated density of one scene, or the reason why it is unknown.

    Raises:
        ValueError: neither or both of a value with a class and a reason are given.
    """

    value: float | None
    """The density in `unit`, which increases with crowding; None if it is unknown."""

    unit: str
    """Unit of the value, for example `persons` or `persons/m²`."""

    class_index: int | None
    """Index into the classes of the estimator; None if the density is unknown."""

    interval: tuple[float, float] | None = None
    """95 % interval of the density in `unit`; None if the estimator does not compute one."""

    peak: float | None = None
    """High percentile of the local densities of the scene's people, in `unit`; None if the estimator computes none."""

    reason: str | None = None
    """Why the density cannot be estimated; None if it is known."""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.class_index is None) or (self.value is None) != (self.reason is not None):
            raise ValueError("a density estimate needs either value and class_index, or a reason")

    def __repr__(self) -> str:
        """For example `DensityEstimate(0.84 persons/m², 0.66–1.07, class 3)` or `DensityEstimate(unknown: REASON)`."""
        if self.value is None:
            return f"DensityEstimate(unknown: {self.reason})"
        interval = f", {self.interval[0]:.3g}–{self.interval[1]:.3g}" if self.interval is not None else ""
        return f"DensityEstimate({self.value:.3g} {self.unit}{interval}, class {self.class_index})"

    @classmethod
    def unknown(cls, unit: str, reason: str) -> DensityEstimate:
        """An unknown density, with the reason."""
        return cls(value=None, unit=unit, class_index=None, reason=reason)


class DensityEstimator(Protocol):
    """A method that estimates the density of scenes.

    Implementations are frozen, keyword-only dataclasses that inherit from this class. Their fields, declared with
    `option`, are the options that users set with `--set name=value`. The first docstring line is the help text.
    """

    name: ClassVar[str]
    """Name for `--density`: lower-case letters, digits and hyphens."""

    unit: ClassVar[str]
    """Unit of the value."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the density classes, from sparse to dense."""
        ...

    @property
    def class_bounds(self) -> ClassBounds | None:
        """The exact class boundaries, stored with labelled datasets; by default None, unknown.

        Without them, boundaries are approximated from the densities in a dataset.
        """
        return None

    def fit(self, scenes: Iterable[Scene]) -> DensityEstimator:
        """The estimator fitted to a dataset; by default `self`.

        Each iteration over `scenes` reads the annotations of the whole dataset, so iterate only if necessary.
        """
        return self

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The density of one scene, or the reason why it is unknown.

        Raises:
            DensityError: the estimator must be fitted first, or the definition of the density requires an error.
        """
        ...

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """Overlay layers that explain the estimate of the scene; by default none.

        Layers contain the quantities that `estimate` uses. A scene with unknown density may have no layers.

        Raises:
            DensityError: as for `estimate`.
        """
        return ()
