"""Options of density estimators: declaration, listing, and conversion from text."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.errors import ConfigError, PluginError
from crowdgan_core.utils.plugin_calls import plugin_call

T = TypeVar("T")

KIND = "density estimator"
"""Kind of plugin in messages."""

SCALAR_TYPES = (bool, int, float, str, Path)
"""Types of options, besides `Literal`, tuples of these types, and unions with None."""

CLASS_ATTRIBUTES = ("name", "unit")
"""Attributes of an estimator class that are not options."""

NUMBER_TYPE_NAMES = {int: "a whole number", float: "a number"}
"""Number types in error messages."""


def option(default: T, help: str) -> T:
    """A dataclass field that is an option of an estimator.

    Example: `radius: float = option(1.5, "disc radius in metres")`.

    Args:
        default: value of the option if the user does not set it.
        help: meaning of the option, with unit and source.
    """
    declared: T = field(default=default, metadata={"help": help})
    return declared


@dataclass(frozen=True)
class OptionInfo:
    """One option of an estimator, as listed by `crowdgan density`."""

    name: str
    """Name for `--set`."""

    type_name: str
    """Type in help texts, for example `float or none`."""

    default: object
    """Default value; None for a required option."""

    help: str
    """Meaning of the option."""


def estimator_options(estimator_class: type[DensityEstimator]) -> list[OptionInfo]:
    """The options of an estimator class, in field order."""
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


def check_options(estimator_class: type[DensityEstimator]) -> None:
    """Checks that the options of an estimator class have types that can be converted from text.

    Raises:
        PluginError: a type is not supported, or the name or unit is a field; the message does not name the plugin.
    """
    hints = _hints(estimator_class)
    for item in fields(estimator_class):  # type: ignore[arg-type]
        if item.name in CLASS_ATTRIBUTES:
            problem = f"{item.name} is a field, and hence an option; declare it as {item.name}: ClassVar[str]"
            raise PluginError(f"{KIND} {estimator_class.name}: {problem}")
        if item.init and not _is_supported(hints[item.name]):
            allowed = "it must be bool, int, float, str, Path, Literal, a tuple of these, or X | None"
            problem = f"option {item.name} has the type {_type_name(hints[item.name])}; {allowed}"
            raise PluginError(f"{KIND} {estimator_class.name}: {problem}")


def configure_estimator(estimator_class: type[DensityEstimator], settings: Mapping[str, str]) -> DensityEstimator:
    """An estimator with options from text.

    Args:
        estimator_class: class of the estimator.
        settings: text of each option that is set, as in `--set name=value`.

    Raises:
        ConfigError: an option is unknown or missing, or a value has the wrong type or is not allowed.
        PluginError: another exception in the estimator's code.
    """
    hints = _hints(estimator_class)
    known = {item.name: item for item in fields(estimator_class) if item.init}  # type: ignore[arg-type]
    for key in settings:
        if key not in known:
            choices = f"choose from {', '.join(known)}" if known else "it has no options"
            raise ConfigError(f"--set {key}: {estimator_class.name} has no such option; {choices}")
    for key, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and key not in settings:
            assignment = f"--set {key}={_type_name(hints[key])}"
            raise ConfigError(f"{estimator_class.name}: option {key} is required; add {assignment}")
    values = {key: parse_option_value(hints[key], text, f"--set {key}") for key, text in settings.items()}
    with plugin_call(KIND, estimator_class, "options"):
        return estimator_class(**values)


def parse_option_value(kind: Any, text: str, where: str) -> Any:
    """Converts `text` to a value of type `kind`.

    Args:
        kind: bool, int, float, str, Path, `Literal`, a tuple of these, or `X | None`; see `check_options`.
        text: the text of the value; `none` or an empty text is None, if `kind` allows it.
        where: start of error messages.

    Raises:
        ConfigError: the text is not valid for the type.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", ""):
            return None
        return parse_option_value(next(arg for arg in args if arg is not type(None)), text, where)
    if origin is Literal:
        matching = [choice for choice in args if str(choice) == text]
        if not matching:
            raise ConfigError(f"{where}={text}: no such choice; choose from {', '.join(map(str, args))}")
        return matching[0]
    if origin is tuple:
        parts = text.split(",") if text else []
        kinds = args[:1] * len(parts) if args[-1] is Ellipsis else args
        if len(parts) != len(kinds):
            raise ConfigError(f"{where}={text}: must be {len(kinds)} values separated by commas")
        return tuple(parse_option_value(kind, part.strip(), where) for kind, part in zip(kinds, parts, strict=True))
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigError(f"{where}={text}: must be true or false")
        return text.lower() in ("true", "1", "yes")
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{where}={text}: must be {NUMBER_TYPE_NAMES[kind]}") from None


def _hints(estimator_class: type[DensityEstimator]) -> dict[str, Any]:
    return get_type_hints(estimator_class)


def _is_supported(kind: Any) -> bool:
    """Whether `parse_option_value` converts texts to a type."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        given = [arg for arg in args if arg is not type(None)]
        return len(given) == 1 < len(args) and _is_supported(given[0])
    if origin is tuple:
        return all(arg in SCALAR_TYPES or arg is Ellipsis or get_origin(arg) is Literal for arg in args)
    return origin is Literal or kind in SCALAR_TYPES


def _type_name(kind: Any) -> str:
    """Name of a type in help texts, for example `float`, `linear|sqrt` or `float or none`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if arg is type(None) else _type_name(arg) for arg in args)
    if origin is Literal:
        return "|".join(map(str, args))
    if origin is tuple:
        return ",".join("…" if arg is Ellipsis else _type_name(arg) for arg in args)
    return str(getattr(kind, "__name__", kind))
