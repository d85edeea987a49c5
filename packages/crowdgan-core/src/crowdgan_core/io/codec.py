"""Conversion between JSON and dataclasses: strict on unknown keys, missing keys and types.

A field with another name in JSON is declared by `field(metadata=json_name("pictures"))`, one that is written only with
another value than its default by `field(metadata=omitted_default())`.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

from crowdgan_core.errors import CrowdganError

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

SHOWN_CHARACTERS = 60
"""Maximum length of an invalid value in an error message."""

_JSON_NAME, _OMITTED = "crowdgan_json_name", "crowdgan_omitted_default"

_TAGGED: dict[type, tuple[str, Mapping[str, type]]] = {}
"""By base class: the JSON key that names the class of a value, and the classes by name."""

TYPE_NAMES = {int: "a whole number", float: "a finite number", str: "a string", bool: "true or false", Path: "a path"}
"""Names of JSON types in error messages."""


class JsonTypeError(ValueError):
    """A JSON value of the wrong type; the message says what was found and what is allowed."""


def loads_strict(text: bytes | str) -> Any:
    """The data in a JSON text; NaN and infinities, which are not valid JSON, are rejected.

    Raises:
        ValueError, RecursionError: the text is not valid JSON.
    """
    return json.loads(text, parse_constant=_reject_constant)


def json_name(name: str) -> dict[str, str]:
    """Metadata of a dataclass field that has another name in JSON."""
    return {_JSON_NAME: name}


def omitted_default() -> dict[str, bool]:
    """Metadata of a dataclass field that is not written to JSON if it has its default."""
    return {_OMITTED: True}


def to_json(value: object) -> Any:
    """JSON-ready values of a dataclass."""
    return _converter().unstructure(value)


def from_json(cls: type[T], data: object, where: str, error: type[CrowdganError]) -> T:
    """A dataclass from JSON values.

    Args:
        cls: frozen dataclass; its fields may be int, float, str, bool, Path, Literal, Any, other dataclasses, tuples,
            sequences (read as tuples), mappings, unions with None, and unions of a scalar and a tuple.
        data: values returned by `json.loads`.
        where: start of error messages, for example the path of the file.
        error: class of the errors that are raised.

    Raises:
        CrowdganError: an unknown or missing key, a value of the wrong type, or a value that the class rejects; the
            message names its location, for example `dataset.json.pictures[3].label`.
    """
    from cattrs.errors import BaseValidationError

    try:
        return _converter().structure(data, cls)
    except BaseValidationError as group:
        path, reason = _first_problem(group)
        raise error(f"{where}{path}: {reason}") from None
    except (JsonTypeError, CrowdganError) as problem:
        raise error(f"{where}: {problem}") from None


def register_tagged(base: type, tag: str, classes: Mapping[str, type]) -> None:
    """Declares that values of type `base` are of one of several classes, named in JSON by the key `tag`.

    Call it in the module that defines the classes.
    """
    _TAGGED[base] = (tag, classes)
    _converter.cache_clear()


@lru_cache(maxsize=1)
def _converter() -> Converter:
    """The converter, created on first use: importing cattrs takes about 45 ms."""
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True)
    for scalar in TYPE_NAMES:
        converter.register_structure_hook(scalar, _read_scalar)
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook_func(_is_literal, _read_literal)
    converter.register_structure_hook_factory(_is_tuple, _tuple_reader)
    converter.register_structure_hook_func(_is_mapping, lambda data, _: dict(_require_object(data)))
    converter.register_structure_hook_factory(_is_union_with_tuple, _union_reader)
    converter.register_structure_hook_factory(is_dataclass, _dataclass_reader)
    converter.register_unstructure_hook_factory(is_dataclass, _dataclass_writer)
    for base, (tag, classes) in _TAGGED.items():
        _add_tagged(converter, base, tag, classes)
    return converter


def _add_tagged(converter: Converter, base: type, tag: str, classes: Mapping[str, type]) -> None:
    names = {cls: name for name, cls in classes.items()}
    writers = {cls: _dataclass_writer(cls, converter) for cls in classes.values()}

    def write(value: Any) -> dict[str, Any]:
        return {tag: names[type(value)], **writers[type(value)](value)}

    def read(data: Any, _: type) -> Any:
        name = _require_object(data).get(tag)
        if not isinstance(name, str) or name not in classes:
            raise JsonTypeError(f"{tag} is {_shorten(name)}; it must be {' or '.join(classes)}")
        return converter.structure({key: item for key, item in data.items() if key != tag}, classes[name])

    converter.register_structure_hook_func(lambda cls: cls is base, read)
    converter.register_unstructure_hook_func(lambda cls: cls is base or cls in names, write)


def _dataclass_reader(cls: type, converter: Converter) -> Callable[[Any, type], Any]:
    from cattrs.gen import make_dict_structure_fn

    read: Callable[[Any, type], Any] = make_dict_structure_fn(cls, converter, **_overrides(cls))
    return lambda data, as_type: read(_require_object(data), as_type)


def _dataclass_writer(cls: type, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    from cattrs.gen import make_dict_unstructure_fn

    return make_dict_unstructure_fn(cls, converter, **_overrides(cls))


def _overrides(cls: Any) -> dict[str, Any]:
    from cattrs.gen import override

    if not is_dataclass(cls):
        return {}
    return {
        item.name: override(rename=item.metadata.get(_JSON_NAME), omit_if_default=_OMITTED in item.metadata)
        for item in fields(cls)
        if item.metadata.keys() & {_JSON_NAME, _OMITTED}
    }


def _read_scalar(value: Any, cls: Any) -> Any:
    if cls is float and type(value) is int:
        value = float(value) if abs(value) < 2**1023 else math.inf
    converted: Any = Path(value) if cls is Path and isinstance(value, str) else value
    if not isinstance(converted, cls) or (isinstance(converted, bool) and cls is not bool):
        raise JsonTypeError(f"found {_shorten(value)}; it must be {TYPE_NAMES[cls]}")
    if cls is float and not math.isfinite(converted):
        raise JsonTypeError(f"found {_shorten(value)}; it must be {TYPE_NAMES[float]}")
    return converted


def _read_literal(value: Any, cls: type) -> Any:
    allowed = get_args(cls)
    if not any(value == item and type(value) is type(item) for item in allowed):
        raise JsonTypeError(f"found {_shorten(value)}; it must be {' or '.join(map(str, allowed))}")
    return value


def _tuple_reader(cls: Any, converter: Converter) -> Callable[[Any, type], tuple[Any, ...]]:
    from cattrs.errors import IterableValidationError, IterableValidationNote

    items = get_args(cls)
    is_variadic = get_origin(cls) is Sequence or (len(items) == 2 and items[1] is Ellipsis)
    readers = [converter.get_structure_hook(item) for item in items if item is not Ellipsis]

    def read(value: Any, _: type) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or not (is_variadic or len(value) == len(items)):
            raise JsonTypeError(
                f"found {_shorten(value)}; it must be a list" + ("" if is_variadic else f" of {len(items)}")
            )
        result = []
        for index, item in enumerate(value):
            position = 0 if is_variadic else index
            try:
                result.append(readers[position](item, items[position]))
            except Exception as problem:
                problem.__notes__ = [IterableValidationNote(f"at index {index}", index, cls)]
                raise IterableValidationError(f"in {cls}", [problem], cls) from None
        return tuple(result)

    return read


def _union_reader(cls: Any, converter: Converter) -> Callable[[Any, type], Any]:
    """A reader of a union of a tuple with a scalar, None or both, distinguished by the JSON type."""
    members = get_args(cls)
    tuples = next(item for item in members if get_origin(item) is tuple)
    scalar = next((item for item in members if item in TYPE_NAMES), tuples)

    def read(value: Any, _: type) -> Any:
        if value is None and type(None) in members:
            return None
        member = tuples if isinstance(value, (list, tuple)) else scalar
        return converter.get_structure_hook(member)(value, member)

    return read


def _is_literal(cls: Any) -> bool:
    return get_origin(cls) is Literal


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) in (tuple, Sequence)


def _is_union_with_tuple(cls: Any) -> bool:
    return get_origin(cls) in (Union, types.UnionType) and any(get_origin(item) is tuple for item in get_args(cls))


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is not None and isinstance(get_origin(cls), type) and issubclass(get_origin(cls), Mapping)


def _require_object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise JsonTypeError(f"found {_shorten(data)}; it must be a JSON object")
    return data


def _first_problem(group: BaseException) -> tuple[str, str]:
    """Location and reason of the first problem, for example `.pictures[3].label` and `found true; …`."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    path = ""
    problem: BaseException = group
    while isinstance(problem, BaseValidationError) and problem.exceptions:
        json_names = {name: item.rename or name for name, item in _overrides(problem.cl).items()}
        problem = problem.exceptions[0]
        for note in getattr(problem, "__notes__", ()):
            name, index = getattr(note, "name", None), getattr(note, "index", None)
            path += f".{json_names.get(name, name)}" if name is not None else f"[{index}]" if index is not None else ""
    if isinstance(problem, ForbiddenExtraKeysError):
        return path, f"unknown key {', '.join(sorted(problem.extra_fields))}"
    if isinstance(problem, KeyError):
        return path.rpartition(".")[0], f"the key {problem.args[0]} is missing"
    return path, str(problem)


def _shorten(value: object) -> str:
    return f"{json.dumps(value, ensure_ascii=False, default=str):.{SHOWN_CHARACTERS}}"


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")
