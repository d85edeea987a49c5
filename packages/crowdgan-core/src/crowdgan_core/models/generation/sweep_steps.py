"""The steps of a density sweep: label vectors from sparse to dense, each with a caption."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, class_names, one_hot
from crowdgan_core.utils.flags import flag

DEFAULT_VALUE_STEPS = 7
"""Default number of steps between two densities."""

MAX_STEPS = 1000

LOG_RATIO = 10
"""Ratio of the last to the first density above which the steps are logarithmic."""


@dataclass(frozen=True, kw_only=True)
class SweepRange:
    """Labels of a sweep.

    Raises:
        ConfigError: a number out of its range, or only one of `first` and `last`.
    """

    steps: int | None = flag(
        "--steps",
        default=None,
        shown_default=f"one per class, or {DEFAULT_VALUE_STEPS} for continuous labels",
        help="Number of images.",
    )
    """Images between two classes mix their labels."""

    first: float | None = flag(
        "--from", default=None, shown_default="lowest in training", help="First density (continuous labels only)."
    )

    last: float | None = flag(
        "--to", default=None, shown_default="highest in training", help="Last density (continuous labels only)."
    )

    def __post_init__(self) -> None:
        if self.steps is not None and not 2 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"steps is {self.steps}; it must be from 2 to {MAX_STEPS}")
        if (self.first is None) != (self.last is None):
            raise ConfigError("only one of first and last density is given; give both, for example --from 0.5 --to 4")
        ends = {end for end in (self.first, self.last) if end is not None}
        if ends and (len(ends) == 1 or not all(map(math.isfinite, ends))):
            raise ConfigError(f"densities are {self.first:g} to {self.last:g}; they must be two different numbers")


@dataclass(frozen=True, kw_only=True)
class SweepStep:
    """One image of a sweep."""

    vector: LabelVector
    """Label vector."""

    caption: tuple[str, ...]
    """Lines of the caption."""


def sweep_steps(card: ModelCard, sweep_range: SweepRange) -> tuple[SweepStep, ...]:
    """The steps of a sweep, at least two.

    Raises:
        ConfigError: the model has no labels, or labels that do not match the range.
    """
    if card.label_kind is None:
        raise ConfigError("the model has no labels, so it cannot be swept; use crowdgan generate")
    return _value_steps(card, sweep_range) if card.label_kind == "value" else _class_steps(card, sweep_range)


def _value_steps(card: ModelCard, sweep_range: SweepRange) -> tuple[SweepStep, ...]:
    if card.label_dim != 1:
        raise ConfigError(f"the model's label has {card.label_dim} numbers; a sweep needs one number, the density")
    first, last = _ends(card, sweep_range)
    steps = sweep_range.steps or DEFAULT_VALUE_STEPS
    values = np.geomspace(first, last, steps) if is_logarithmic(first, last) else np.linspace(first, last, steps)
    unit_line = (card.unit,) if card.unit else ()
    return tuple(SweepStep(vector=(value,), caption=(f"{value:.3g}", *unit_line)) for value in values.tolist())


def _ends(card: ModelCard, sweep_range: SweepRange) -> tuple[float, float]:
    """First and last density: the given ones, or the range of the training data."""
    if sweep_range.first is not None and sweep_range.last is not None:
        return sweep_range.first, sweep_range.last
    if card.label_range is None or card.label_range[0] == card.label_range[1]:
        unit = f" in {card.unit}" if card.unit else ""
        raise ConfigError(f"the model's label is the density{unit}; give its range, for example --from 0.5 --to 4")
    return card.label_range


def is_logarithmic(first: float, last: float) -> bool:
    """Whether steps between two densities are logarithmic."""
    low, high = sorted((first, last))
    return low > 0 and high > LOG_RATIO * low


def _class_steps(card: ModelCard, sweep_range: SweepRange) -> tuple[SweepStep, ...]:
    """Steps of linear interpolation from each class to the next denser one."""
    if sweep_range.first is not None:
        names = ", ".join(class_names(card))
        raise ConfigError(f"the model's labels are classes ({names}); remove --from and --to")
    if card.label_dim == 1:
        raise ConfigError(f"the model has only one class, {class_names(card)[0]}, so it cannot be swept")
    steps = sweep_range.steps or card.label_dim
    positions = [index * (card.label_dim - 1) / (steps - 1) for index in range(steps)]
    return tuple(interpolated_step(card, position) for position in positions)


def interpolated_step(card: ModelCard, position: float) -> SweepStep:
    """The step at a class index from 0, or between two of them."""
    names, below = class_names(card), math.floor(position)
    fraction = position - below
    if fraction == 0:
        return SweepStep(vector=one_hot(card, below), caption=(names[below],))
    low, high = one_hot(card, below), one_hot(card, below + 1)
    vector = tuple((1 - fraction) * a + fraction * b for a, b in zip(low, high, strict=True))
    caption = (f"{1 - fraction:.0%} {names[below]}", f"{fraction:.0%} {names[below + 1]}")
    return SweepStep(vector=vector, caption=caption)
