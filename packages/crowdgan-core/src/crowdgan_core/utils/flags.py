"""Dataclass fields that are also command-line options: name, default and help are written once, in the dataclass.

This module stores metadata and converts text; `crowdgan_core.cli.common.dataclass_options` creates the click options.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from crowdgan_core.utils.cpus import available_cpus

_METADATA_KEY = "flag"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Command-line part of a dataclass field; see `flag`."""

    names: tuple[str, ...]
    help: str
    auto: bool = False
    switch: bool = False
    negated: bool = False
    min: float | None = None
    max: float | None = None
    metavar: str | None = None
    parse: Callable[[str], Any] | None = None
    format: Callable[[Any], str] | None = None
    shown_default: str | None = None
    required_when: str | None = None


def flag(
    *names: str,
    help: str,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    metadata: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> Any:
    """A dataclass field that is also a command-line option.

    The option's type is inferred from the annotation: bool, int, float, str, Path, Literal (a choice),
    `tuple[X, Y]` (two values) or `tuple[X, ...]` (a repeatable option), each also as `X | None`.

    Args:
        names: names of the option, for example `--cbase`, or `-n`, `--dry-run`.
        help: help text, one sentence; `{dataset_formats}` and `{output_formats}` in it stand for the suffixes of the
            installed formats that can be read, and of those that can be written.
        default: value without the option; without a default the option is required.
        default_factory: function that computes the default; describe its result in `shown_default`.
        metadata: further metadata of the field, for example `crowdgan_core.io.codec.omitted_default()`.
        settings: further fields of `Flag`:
            `auto`: the text `auto` stands for None, which is then the default;
            `switch`: a bool without a value, such as `--overwrite`; other bools take one, such as `--mirror 1`;
            `negated`: the option is the opposite of the field, such as `--nobench` of `benchmark`;
            `min`, `max`: limits of a number, inclusive;
            `metavar`: placeholder of the value in the help text;
            `parse`, `format`: convert text to the value, raising ValueError for invalid text, and the default to text;
            `shown_default`: text in place of the default, for example `one per core`;
            `required_when`: for a field without a default, if the command checks it: shown as `[required TEXT]`.
    """
    spec = Flag(names=names, help=help, **settings)
    if spec.auto and default is MISSING:
        default = None
    all_metadata = {**metadata, _METADATA_KEY: spec}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=all_metadata)
    return field(default=default, metadata=all_metadata)


def flags_of(cls: type) -> dict[str, tuple[Field[Any], Flag]]:
    """Fields of a dataclass that are options, by field name: those of the class itself first, then inherited ones."""
    options = {
        item.name: (item, item.metadata[_METADATA_KEY]) for item in fields(cls) if _METADATA_KEY in item.metadata
    }
    order = [name for base in cls.__mro__ for name in inspect.get_annotations(base) if name in options]
    return {name: options[name] for name in dict.fromkeys(order)}


def parse_size(text: str) -> tuple[int, int]:
    """`(height, width)` of a text WIDTHxHEIGHT, in pixels.

    Raises:
        ValueError: the text has another form, or a side is 0.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or min(map(int, match.groups())) < 1:
        raise ValueError(f"{text} is not a size; write width and height in pixels, for example 256x256")
    return int(match[2]), int(match[1])


def format_size(size: tuple[int, int]) -> str:
    """WIDTHxHEIGHT of `(height, width)`."""
    return f"{size[1]}x{size[0]}"


def parse_worker_count(text: str) -> int:
    """Number of worker processes in a text; 0 stands for one per core.

    Raises:
        ValueError: the text is not a number of at least 0.
    """
    if not text.isdecimal():
        raise ValueError(f"{text} is not a number of processes; write 1 or more, or 0 for one per core")
    return int(text) or available_cpus()
