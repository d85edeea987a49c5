"""The steps of a sweep: label vectors from the least to the most crowded, each with a caption."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, class_names, one_hot

VALUE_STEPS = 7
"""Steps between two densities, unless another number is asked for."""

MAX_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class SweepRange:
    """What a sweep goes through.

    Raises:
        ConfigError: a number out of its range, or one end without the other.
    """

    steps: int | None = None
    """Number of images; None for one per class, or 7 between densities."""

    first: float | None = None
    """Density of the first image, for models whose label is the density."""

    last: float | None = None
    """Density of the last one."""

    def __post_init__(self) -> None:
        if self.steps is not None and not 2 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"steps is {self.steps}; it must be from 2 to {MAX_STEPS}")
        if (self.first is None) != (self.last is None):
            raise ConfigError("only one end of the densities is given; give both, as in --from 0.5 --to 4")
        ends = {end for end in (self.first, self.last) if end is not None}
        if ends and (len(ends) == 1 or not all(map(math.isfinite, ends))):
            raise ConfigError(f"densities from {self.first:g} to {self.last:g}; they must be two different numbers")


@dataclass(frozen=True, kw_only=True)
class SweepStep:
    """One image of a sweep."""

    vector: LabelVector
    """Its label."""

    caption: tuple[str, ...]
    """Its lines of text."""


def sweep_steps(card: ModelCard, asked: SweepRange) -> tuple[SweepStep, ...]:
    """The steps, at least two.

    Raises:
        ConfigError: the model has no labels, or none of this kind.
    """
    if card.label_kind is None:
        raise ConfigError("the model has no labels, so there is nothing to sweep; crowdgan generate makes images")
    return _value_steps(card, asked) if card.label_kind == "value" else _class_steps(card, asked)


def _value_steps(card: ModelCard, asked: SweepRange) -> tuple[SweepStep, ...]:
    unit = f" in {card.unit}" if card.unit else ""
    if card.label_dim != 1:
        raise ConfigError(f"the model's label is {card.label_dim} numbers; a sweep needs a label of one, the density")
    if asked.first is None or asked.last is None:
        raise ConfigError(f"the model's label is the density{unit}; say from where to where, as in --from 0.5 --to 4")
    steps = asked.steps or VALUE_STEPS
    shares = [index / (steps - 1) for index in range(steps)]
    values = [(1 - share) * asked.first + share * asked.last for share in shares]
    below = (card.unit,) if card.unit else ()
    return tuple(SweepStep(vector=(value,), caption=(f"{value:.3g}", *below)) for value in values)


def _class_steps(card: ModelCard, asked: SweepRange) -> tuple[SweepStep, ...]:
    """Steps along the straight lines from each class to the next more crowded one."""
    if asked.first is not None:
        raise ConfigError(f"the model's labels are classes ({', '.join(class_names(card))}); leave out the densities")
    if card.label_dim == 1:
        raise ConfigError(f"the model has one class, {class_names(card)[0]}, so there is nothing to sweep")
    steps = asked.steps or card.label_dim
    places = [index * (card.label_dim - 1) / (steps - 1) for index in range(steps)]
    return tuple(_between(card, place) for place in places)


def _between(card: ModelCard, place: float) -> SweepStep:
    """The step at a class, 0 for the first, or between two of them."""
    names, below = class_names(card), math.floor(place)
    share = place - below
    if share == 0:
        return SweepStep(vector=one_hot(card, below), caption=(names[below],))
    low, high = one_hot(card, below), one_hot(card, below + 1)
    vector = tuple((1 - share) * one + share * other for one, other in zip(low, high, strict=True))
    return SweepStep(vector=vector, caption=(f"{1 - share:.0%} {names[below]}", f"{share:.0%} {names[below + 1]}"))
