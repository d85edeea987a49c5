"""The label that a user asks for, as the vector that the model takes."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.parsing import parse_numbers

LabelVector = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What a user says of the label: at most one of the two.

    Raises:
        ConfigError: both are given.
    """

    density: str | None = None
    """Name of a class; for a model whose label is the density, that density in the card's unit."""

    label: str | None = None
    """Number of a class, or all numbers of the label vector with commas; for such a model, the density."""

    def __post_init__(self) -> None:
        if self.density is not None and self.label is not None:
            raise ConfigError("both a density and a label are given; they say the same thing, so give one of them")


def label_vector(card: ModelCard, request: Conditioning) -> LabelVector | None:
    """The label vector, of `label_dim` numbers; None for a model without labels.

    Raises:
        ConfigError: the model has no such label; the message says which it has.
    """
    given = request.label if request.density is None else request.density
    if card.label_kind is None:
        if given is not None:
            raise ConfigError("the model has no labels; leave out the density and the label")
        return None
    if given is None:
        raise ConfigError(f"the model needs a label: {_allowed(card)}")
    if card.label_kind == "value":
        return _values(card, given)
    return _class_by_name(card, given) if request.label is None else _class_by_number(card, given)


def one_hot(card: ModelCard, index: int) -> LabelVector:
    """The label vector of a class."""
    return tuple(float(index == place) for place in range(card.label_dim))


def class_names(card: ModelCard) -> tuple[str, ...]:
    """Names of the classes; `class 0` and so on where the card has none."""
    return card.classes or tuple(f"class {index}" for index in range(card.label_dim))


def describe_label(card: ModelCard, vector: LabelVector) -> str:
    """A label vector in words: `dense`, `0.3 sparse + 0.7 medium`, `1.5 persons/m²`."""
    if card.label_kind == "value":
        return f"{', '.join(f'{number:g}' for number in vector)} {card.unit or ''}".strip()
    parts = [(number, name) for number, name in zip(vector, class_names(card), strict=True) if number != 0]
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return " + ".join(f"{number:g} {name}" for number, name in parts) or "no class"


def _values(card: ModelCard, text: str) -> LabelVector:
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != card.label_dim:
        raise ConfigError(f"label {text!r:.80}: the model takes no such label; {_allowed(card)}")
    return numbers


def _class_by_name(card: ModelCard, name: str) -> LabelVector:
    if name not in card.classes:
        raise ConfigError(f"density {name!r:.80}: the model has no such class; {_allowed(card)}")
    return one_hot(card, card.classes.index(name))


def _class_by_number(card: ModelCard, text: str) -> LabelVector:
    """The class of a whole number, or the vector itself, whose classes may be mixed."""
    numbers = parse_numbers(text)
    if numbers is not None and text.strip().isdecimal() and int(text) < card.label_dim:
        return one_hot(card, int(text))
    if numbers is None or len(numbers) != card.label_dim or card.label_dim == 1:
        mixed = f", or {card.label_dim} numbers with commas for a mixture" if card.label_dim > 1 else ""
        raise ConfigError(
            f"label {text!r:.80}: the model takes no such label; it has the classes 0 to {card.label_dim - 1}{mixed}"
        )
    return numbers


def _allowed(card: ModelCard) -> str:
    """What may be asked for, with the options of the command line."""
    if card.label_kind == "value":
        unit = f" in {card.unit}" if card.unit else ""
        if card.label_dim == 1:
            return f"it is the density{unit}, for example --density 1.5"
        return f"it is {card.label_dim} numbers{unit}, for example --label {','.join(['1.5'] * card.label_dim)}"
    if not card.classes:
        return f"its classes have no names, for example --label 0; there are 0 to {card.label_dim - 1}"
    return f"there are {', '.join(card.classes)}, for example --density {card.classes[-1]}"
