"""Click options made from the fields of a dataclass, declared with `crowdgan_core.utils.flags.flag`."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from crowdgan_core.cli.common.format_help import fill_in_formats
from crowdgan_core.cli.common.param_types import AutoNumber, NegatedBool, ParsedText
from crowdgan_core.utils.flags import Flag, flags_of

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

GIVEN_BY_USER = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
"""Sources of an option's value that mean that the user set it."""


class FlagOption(click.Option):
    """A click option with its own text for the default and for when it is required."""

    def __init__(
        self, *args: Any, default_text: str | None = None, required_when: str | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self._default_text, self._required_when = default_text, required_when

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Name and help text, with the suffixes of the installed dataset formats in place of their placeholders."""
        record = super().get_help_record(ctx)
        return None if record is None else (record[0], fill_in_formats(record[1]))

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Texts in brackets after the help text."""
        extra: dict[str, Any] = {**super().get_help_extra(ctx)}
        if self._default_text is not None:
            extra["default"] = self._default_text
        if self._required_when is not None:
            extra["required"] = f"required {self._required_when}"
        return extra


def options_from(cls: type, *names: str, **changed_defaults: Any) -> Decorator:
    """Adds the options of a dataclass to a command, which receives one object of the class as positional argument.

    With several such decorators the command receives the objects in the order of the decorators, top to bottom.

    Args:
        cls: a dataclass whose fields are declared with `flag`; its other fields need defaults.
        names: fields to add; none for all. The object has the class's defaults in the others.
        changed_defaults: defaults of this command that differ from the class's, by field name.

    Raises:
        ValueError: a name that is not a field with a flag.
    """
    selected, add = _selected(cls, names, changed_defaults), add_options(cls, *names, **changed_defaults)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(*args: Any, **given: Any) -> Any:
            values = {name: given.pop(name) for name in selected}
            return command(*args, _build(cls, values), **given)

        return add(wrapped)

    return decorate


def add_options(cls: type, *names: str, **changed_defaults: Any) -> Decorator:
    """Adds the options of a dataclass to a command, which receives their values as keyword arguments by field name.

    For commands that build the object themselves; arguments and errors are those of `options_from`. The value of an
    option without a default is None if it is not given.
    """
    hints, selected = get_type_hints(cls), _selected(cls, names, changed_defaults)
    options = []
    for name, (item, spec) in selected.items():
        default = changed_defaults.get(name, item.default)
        is_own_default = name not in changed_defaults
        options.append(_click_option(name, hints[name], spec, default, item.default_factory, is_own_default))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def given_options(cls: type, ctx: click.Context) -> dict[str, Any]:
    """Values of those options of a dataclass that the user gave, by field name; defaults are not among them."""
    return {
        name: ctx.params[name]
        for name in flags_of(cls)
        if name in ctx.params and ctx.get_parameter_source(name) in GIVEN_BY_USER
    }


def _selected(cls: type, names: tuple[str, ...], changed_defaults: dict[str, Any]) -> dict[str, Any]:
    known = flags_of(cls)
    unknown = sorted({*names, *changed_defaults} - known.keys())
    if unknown:
        raise ValueError(f"{cls.__name__} has no option {', '.join(unknown)}; choose from {', '.join(known)}")
    return {name: entry for name, entry in known.items() if not names or name in names}


def _build(cls: type, values: dict[str, Any]) -> Any:
    known = flags_of(cls)
    for name, value in list(values.items()):
        item, spec = known[name]
        if value is not None:
            continue
        if item.default_factory is not MISSING:
            del values[name]
        elif item.default is MISSING and spec.required_when is not None:
            raise click.UsageError(f"Missing option '{spec.names[-1]}': it is required {spec.required_when}.")
    return cls(**values)


def _click_option(
    name: str, annotation: Any, spec: Flag, default: Any, default_factory: Any, is_own_default: bool
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    value_type, settings = _type_and_settings(_without_none(annotation), spec)
    is_required = default is MISSING and default_factory is MISSING and spec.required_when is None
    default_text = spec.shown_default if is_own_default else None
    if default is not MISSING:
        settings["default"] = "auto" if spec.auto and default is None else default
        default_text = default_text or _default_text(spec, default)
    return click.option(
        *spec.names,
        name,
        cls=FlagOption,
        type=value_type,
        required=is_required,
        metavar=spec.metavar,
        help=spec.help,
        default_text=default_text,
        required_when=spec.required_when if default is MISSING else None,
        **settings,
    )


def _type_and_settings(annotation: Any, spec: Flag) -> tuple[Any, dict[str, Any]]:
    """Type of a click option for an annotation, and its further arguments."""
    origin, args = get_origin(annotation), get_args(annotation)
    if spec.parse is not None:
        return ParsedText(spec.parse, spec.metavar or "text"), {}
    if spec.auto:
        return AutoNumber(_number(annotation, spec)), {}
    if spec.switch:
        return None, {"is_flag": True}
    if spec.negated:
        return NegatedBool(), {}
    if origin is Literal:
        return click.Choice(args), {}
    if origin is tuple and args[-1] is Ellipsis:
        return _type_and_settings(args[0], spec)[0], {"multiple": True}
    if origin is tuple:
        return tuple(_type_and_settings(arg, spec)[0] for arg in args), {}
    if annotation in (int, float):
        return _number(annotation, spec), {}
    if annotation is Path:
        return click.Path(path_type=Path), {}
    if annotation in (bool, str):
        return annotation, {}
    raise TypeError(f"{spec.names[-1]}: options of type {annotation} are not supported")


def _number(annotation: Any, spec: Flag) -> click.ParamType[Any]:
    if spec.min is None and spec.max is None:
        return click.INT if annotation is int else click.FLOAT
    return click.IntRange(spec.min, spec.max) if annotation is int else click.FloatRange(spec.min, spec.max)  # type: ignore[arg-type]


def _without_none(annotation: Any) -> Any:
    """`X` of the annotation `X | None`."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    (value_type,) = (arg for arg in get_args(annotation) if arg is not type(None))
    return value_type


def _default_text(spec: Flag, default: Any) -> str | None:
    """Text of a default in the help; None for defaults that need no mention."""
    if default is None:
        return "auto" if spec.auto else None
    if spec.switch or default in ("", ()):
        return None
    if spec.format is not None:
        return spec.format(default)
    if spec.negated:
        return str(not default)
    if isinstance(default, tuple):
        return " ".join(_plain(item) for item in default)
    return _plain(default)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
