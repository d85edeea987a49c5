"""The density of a scene, the contract of an estimator, and its options."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import ConfigError, PluginError

T = TypeVar("T")


NUMBERS = {int: "a whole number", float: "a number"}
"""What an option of a type must be, in words."""


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


def estimator_options(estimator_class: type[DensityEstimator]) -> list[OptionInfo]:
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


def configure_estimator(estimator_class: type[DensityEstimator], settings: Mapping[str, str]) -> DensityEstimator:
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
    values = {key: parse_option_value(hints[key], text, f"--set {key}") for key, text in settings.items()}
    return estimator_class(**values)


def parse_option_value(kind: Any, text: str, where: str) -> Any:
    """`text` as a value of the annotation `kind`: bool, int, float, str, Path, Literal, tuple[float, ...], X | None.

    Raises:
        ConfigError: the text does not fit; the message starts with `where`.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", ""):
            return None
        return parse_option_value(next(arg for arg in args if arg is not type(None)), text, where)
    if origin is Literal:
        matching = [choice for choice in args if str(choice) == text]
        if not matching:
            raise ConfigError(f"{where}={text}: it must be one of {', '.join(map(str, args))}")
        return matching[0]
    if origin is tuple:
        return tuple(parse_option_value(args[0], part.strip(), where) for part in text.split(",")) if text else ()
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
