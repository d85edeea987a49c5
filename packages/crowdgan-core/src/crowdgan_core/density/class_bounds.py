"""Boundaries between the density classes of an estimator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from crowdgan_core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ClassBounds:
    """The exact boundaries between the density classes of an estimator.

    Raises:
        ConfigError: boundaries that are not finite or do not increase, or a wrong number of flags.
    """

    values: tuple[float, ...]
    """Densities at which the class changes, in the unit of the estimator, increasing; one fewer than classes."""

    included_above: tuple[bool, ...] = ()
    """For each boundary, whether a density equal to it belongs to the class above; empty if it does for all."""

    scale: str | None = None
    """Name of the published scale that defines the classes, for example `fruin-walkway`; None if there is none."""

    options: tuple[str, ...] = ()
    """Options that set the boundaries: one for each, or one that takes all, separated by commas; empty if fixed."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.values)) or any(a >= b for a, b in itertools.pairwise(self.values)):
            raise ConfigError(f"class boundaries are {self.values}; they must be finite numbers that increase")
        if not self.included_above:
            object.__setattr__(self, "included_above", (True,) * len(self.values))
        if len(self.included_above) != len(self.values):
            raise ConfigError(f"included_above has {len(self.included_above)} values for {len(self.values)} boundaries")

    def class_index(self, density: float) -> int:
        """Index of the class of a density, 0 for the least dense class."""
        boundaries = zip(self.values, self.included_above, strict=True)
        return sum(density > value or (included and density == value) for value, included in boundaries)

    def describe(self, classes: Sequence[str]) -> str:
        """The classes as inequalities, for example `sparse < 2 <= medium < 3 <= dense`.

        Classes that are named after their boundaries, such as `below 2`, are only listed.
        """
        if all(any(f"{value:g}" in name for value in self.values) for name in classes):
            return ", ".join(classes)
        parts = [classes[0]]
        for value, included, name in zip(self.values, self.included_above, classes[1:], strict=True):
            below, above = ("<", "<=") if included else ("<=", "<")
            parts.append(f"{below} {value:.4g} {above} {name}")
        return " ".join(parts)

    def settings_text(self) -> str | None:
        """The options that set the boundaries, as `--set NAME=VALUE`; None if they are fixed."""
        if not self.options:
            return None
        text = ",".join(["VALUE"] * len(self.values)) if len(self.options) < len(self.values) else "VALUE"
        return " ".join(f"--set {name}={text}" for name in self.options)
