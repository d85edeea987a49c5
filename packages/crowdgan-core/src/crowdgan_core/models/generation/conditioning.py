"""Conditioning of a model: a class or density given as text, converted to a label vector."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.parsing import parse_numbers
from crowdgan_core.utils.flags import flag

LabelVector = tuple[float, ...]
"""Values of one label, `label_dim` of them."""


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """The label of generated images: at most one of the two fields.

    Raises:
        ConfigError: both are given.
    """

    density: str | None = flag(
        "--density", default=None, help="Class name (e.g. dense), or density value for continuous labels."
    )
    """Density values are in the model card's unit."""

    label: str | None = flag(
        "--label", "--class", default=None, help="Class index, or full label vector, e.g. 0.3,0.7,0."
    )

    def __post_init__(self) -> None:
        if self.density is not None and self.label is not None:
            raise ConfigError("density and label are both given; they have the same meaning, so give only one")


def label_vector(card: ModelCard, conditioning: Conditioning) -> LabelVector | None:
    """The label vector, `label_dim` numbers; None for a model without labels.

    Raises:
        ConfigError: the model has no such label; the message lists its labels.
    """
    text = conditioning.label if conditioning.density is None else conditioning.density
    if card.label_kind is None:
        if text is not None:
            raise ConfigError("the model has no labels; remove the density or label")
        return None
    if text is None:
        raise ConfigError(f"the model needs a label: {_allowed(card)}")
    if card.label_kind == "value":
        return _values(card, text)
    return _class_by_name(card, text) if conditioning.label is None else _class_by_index(card, text)


def given_label(card: ModelCard, conditioning: Conditioning) -> LabelVector | None:
    """The label vector; None if the conditioning names no label.

    Raises:
        ConfigError: the model has no such label.
    """
    return None if conditioning == Conditioning() else label_vector(card, conditioning)


def one_hot(card: ModelCard, index: int) -> LabelVector:
    """The label vector of a class."""
    return tuple(float(index == position) for position in range(card.label_dim))


def class_names(card: ModelCard) -> tuple[str, ...]:
    """Names of the classes; `class 0`, `class 1`, … if the card has no names."""
    return card.classes or tuple(f"class {index}" for index in range(card.label_dim))


def describe_label(card: ModelCard, vector: LabelVector) -> str:
    """Text of a label vector: `dense`, `0.3 sparse + 0.7 medium`, `1.5 persons/m²`."""
    if card.label_kind == "value":
        return f"{', '.join(f'{number:g}' for number in vector)} {card.unit or ''}".strip()
    parts = [(number, name) for number, name in zip(vector, class_names(card), strict=True) if number != 0]
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return " + ".join(f"{number:g} {name}" for number, name in parts) or "no class"


def extrapolation_warning(card: ModelCard, vector: LabelVector | None) -> str | None:
    """A warning if a density is outside the range of the training data; None if it is not."""
    if card.label_range is None or vector is None:
        return None
    (density,), (low, high) = vector, card.label_range
    if low <= density <= high:
        return None
    return (
        f"the density {describe_label(card, vector)} is outside the training data, {low:.3g} to {high:.3g}; "
        "the images may have another density"
    )


def _values(card: ModelCard, text: str) -> LabelVector:
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != card.label_dim:
        raise ConfigError(f"label {text!r:.80} is not valid for this model: {_allowed(card)}")
    return numbers


def _class_by_name(card: ModelCard, name: str) -> LabelVector:
    if name not in card.classes:
        raise ConfigError(f"density {name!r:.80}: the model has no such class; {_allowed(card)}")
    return one_hot(card, card.classes.index(name))


def _class_by_index(card: ModelCard, text: str) -> LabelVector:
    """The label vector of a class index, or the vector itself, which may mix classes."""
    numbers = parse_numbers(text)
    if numbers is not None and text.strip().isdecimal() and int(text) < card.label_dim:
        return one_hot(card, int(text))
    if numbers is None or len(numbers) != card.label_dim or card.label_dim == 1:
        mixture = f", or {card.label_dim} comma-separated numbers for a mixture" if card.label_dim > 1 else ""
        raise ConfigError(
            f"label {text!r:.80} is not valid for this model: choose a class from 0 to {card.label_dim - 1}{mixture}"
        )
    return numbers


def _allowed(card: ModelCard) -> str:
    """The labels of a model, with an example of the command-line option."""
    if card.label_kind == "value":
        unit = f" in {card.unit}" if card.unit else ""
        if card.label_dim == 1:
            return f"the density{unit}, for example --density 1.5"
        return f"{card.label_dim} numbers{unit}, for example --label {','.join(['1.5'] * card.label_dim)}"
    if not card.classes:
        return f"choose a class from 0 to {card.label_dim - 1}, for example --label 0"
    return f"choose from {', '.join(card.classes)}, for example --density {card.classes[-1]}"
