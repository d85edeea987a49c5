"""The density of a scene, the contract of an estimator, and its options."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from crowdgan_core.errors import ConfigError, PluginError
from crowdgan_core.layers import Layer
from crowdgan_core.scene import Scene

T = TypeVar("T")

NUMBERS = {int: "a whole number", float: "a number"}
"""What an option of a type must be, in words."""


@dataclass(frozen=True, kw_only=True)
class Density:
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
    def unknown(cls, unit: str, reason: str) -> Density:
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

    def estimate(self, scene: Scene) -> Density:
        """Density of one scene, or the reason why it cannot be told.

        Raises:
            DensityError: the estimator needs `fit` first, or is defined to fail on such a scene.
        """
        ...

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """What to draw over the scene's picture to show how the density comes about; nothing by default.

        Layers hold what `estimate` computes with. A scene whose density cannot be told may have none.

        Raises:
            DensityError: as `estimate`.
        """
        return ()


def option(default: T, help: str) -> T:
    """A dataclass field that is an option: its default, and what it means with unit and source.

    Use it as `radius: float = option(1.5, "radius of the disc in metres")`.
    """
    made: T = field(default=default, metadata={"help": help})
    return made


@dataclass(frozen=True)
class OptionInfo:
    """One option of an estimator, as `crowdgan density` lists it."""

    name: str
    type_name: str
    default: object
    help: str


def options_of(estimator_class: type[DensityEstimator]) -> list[OptionInfo]:
    """The options of an estimator class, in the order of its fields."""
    hints = _hints(estimator_class)
    return [
        OptionInfo(
            item.name,
            _type_name(hints[item.name]),
            None if item.default is MISSING else item.default,
            item.metadata.get("help", ""),
        )
        for item in fields(estimator_class)  # type: ignore[arg-type]
        if item.init
    ]


def configure(estimator_class: type[DensityEstimator], settings: Mapping[str, str]) -> DensityEstimator:
    """An estimator with options given as text, as `--set name=value` gives them.

    Raises:
        ConfigError: an option that the estimator does not have, or a value of the wrong kind.
    """
    hints = _hints(estimator_class)
    known = {item.name: item for item in fields(estimator_class) if item.init}  # type: ignore[arg-type]
    for key in settings:
        if key not in known:
            allowed = ", ".join(known) or "none: it has no options"
            raise ConfigError(f"--set {key}: {estimator_class.name} has no such option; its options are {allowed}")
    for key, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and key not in settings:
            raise ConfigError(f"{estimator_class.name} needs --set {key}={_type_name(hints[key])}")
    values = {key: parse_value(hints[key], text, f"--set {key}") for key, text in settings.items()}
    return estimator_class(**values)


def parse_value(kind: Any, text: str, where: str) -> Any:
    """`text` as a value of the annotation `kind`: bool, int, float, str, Path, Literal, tuple[float, ...], X | None.

    Raises:
        ConfigError: the text does not fit; the message starts with `where`.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", ""):
            return None
        return parse_value(next(arg for arg in args if arg is not type(None)), text, where)
    if origin is Literal:
        matching = [choice for choice in args if str(choice) == text]
        if not matching:
            raise ConfigError(f"{where}={text}: it must be one of {', '.join(map(str, args))}")
        return matching[0]
    if origin is tuple:
        return tuple(parse_value(args[0], part.strip(), where) for part in text.split(",")) if text else ()
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigError(f"{where}={text}: it must be true or false")
        return text.lower() in ("true", "1", "yes")
    if kind not in (int, float, str, Path):
        raise PluginError(f"{where}: options of type {kind} are not supported")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{where}={text}: it must be {NUMBERS[kind]}") from None


def _hints(estimator_class: type[DensityEstimator]) -> dict[str, Any]:
    return get_type_hints(estimator_class)


def _type_name(kind: Any) -> str:
    """How help texts call the annotation `kind`, for example `float`, `linear|sqrt`, `float or none`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if arg is type(None) else _type_name(arg) for arg in args)
    if origin is Literal:
        return "|".join(map(str, args))
    if origin is tuple:
        return f"{_type_name(args[0])},…"
    return str(getattr(kind, "__name__", kind))
