"""The density of a scene, the contract of an estimator, and its options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from crowdgan_core.density.layers import Layer
from crowdgan_core.scenes.scene import Scene


@dataclass(frozen=True, kw_only=True)
class DensityEstimate:
    """What an estimator says of one scene."""

    value: float | None
    """The density in `unit`; it grows with crowding. None when the estimator cannot tell."""

    unit: str
    """What the value counts, for example `persons` or `persons/m²`."""

    class_index: int | None
    """Index into the estimator's classes; None when the estimator cannot tell."""

    interval: tuple[float, float] | None = None
    """Bounds between which the true density is expected, in `unit`, where the estimator gives them."""

    reason: str | None = None
    """Why the estimator cannot tell; None when it can."""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.class_index is None) or (self.value is None) != (self.reason is not None):
            raise ValueError("a density has either a value and a class, or a reason why there is none")

    @classmethod
    def unknown(cls, unit: str, reason: str) -> DensityEstimate:
        """The answer "cannot tell", with the reason."""
        return cls(value=None, unit=unit, class_index=None, reason=reason)


class DensityEstimator(Protocol):
    """A way to measure how crowded a scene is.

    Implementations are frozen, keyword-only dataclasses that inherit from this class; their fields, made with
    `option`, are the options that users set by `--set name=value`. The first line of the docstring is the help text.
    """

    name: ClassVar[str]
    """What users write after `--density`: lower case, digits and hyphens."""

    unit: ClassVar[str]
    """Unit of the value."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the density classes, from the least to the most crowded."""
        ...

    def fit(self, scenes: Iterable[Scene]) -> DensityEstimator:
        """The estimator fitted to a dataset; `self` for those that need no dataset.

        Iterating over `scenes` costs one pass over the dataset, so only estimators that need it do.
        """
        return self

    def estimate(self, scene: Scene) -> DensityEstimate:
        """Density of one scene, or the reason why it cannot be told.

        Raises:
            DensityError: the estimator needs `fit` first, or is defined to fail on such a scene.
        """
        ...

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """What to draw over the scene's image to show how the density comes about; nothing by default.

        Layers hold what `estimate` computes with. A scene whose density cannot be told may have none.

        Raises:
            DensityError: as `estimate`.
        """
        return ()
