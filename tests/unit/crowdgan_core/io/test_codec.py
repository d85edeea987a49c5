"""The JSON codec: round trips, strict checks of keys and types, and errors that name the location."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io import codec


@dataclass(frozen=True, kw_only=True)
class Shape:
    sides: int = 3


@dataclass(frozen=True, kw_only=True)
class Circle(Shape):
    radius: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Square(Shape):
    side: float = 2.0


codec.register_tagged(Shape, "type", {"circle": Circle, "square": Square})


@dataclass(frozen=True, kw_only=True)
class Item:
    name: str
    label: int | tuple[float, ...] | None = None
    density: float | None = None
    note: str = field(default="", metadata=codec.omitted_default())


@dataclass(frozen=True, kw_only=True)
class AllTypes:
    items: tuple[Item, ...] = field(default=(), metadata=codec.json_name("pictures"))
    kind: Literal["class", "value"] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (1, 2)
    count: int = 3
    flag: bool = False
    path: Path | None = None
    span: tuple[float, float] | None = None
    shape: Shape = field(default_factory=Circle)

    def __post_init__(self) -> None:
        if self.count > 10:
            raise ConfigError("count is too large")


VALUE = AllTypes(
    items=(Item(name="a", label=(1.0, 2.0)), Item(name="b", label=3, density=0.5)),
    kind="class",
    options={"x": [1, {"y": None}]},
    path=Path("a/b"),
    span=(0.5, 2.0),
    shape=Square(side=4.0),
)


def read(data: object) -> AllTypes:
    return codec.from_json(AllTypes, data, "file.json", DatasetError)


def test_a_value_is_equal_after_a_round_trip_through_json() -> None:
    assert read(json.loads(json.dumps(codec.to_json(VALUE)))) == VALUE


def test_a_field_can_be_omitted_if_it_has_its_default() -> None:
    assert "note" not in codec.to_json(Item(name="a"))
    assert codec.to_json(Item(name="a", note="x"))["note"] == "x"
    for value in (Item(name="a"), Item(name="a", note="x")):
        assert codec.from_json(Item, codec.to_json(value), "item", DatasetError) == value


def test_json_has_custom_field_names_and_class_tags() -> None:
    data = codec.to_json(VALUE)
    assert [item["name"] for item in data["pictures"]] == ["a", "b"]
    assert "items" not in data
    assert data["shape"] == {"type": "square", "sides": 3, "side": 4.0}
    assert data["path"] == "a/b"


def test_missing_keys_have_default_values() -> None:
    assert read({}) == AllTypes()


def test_a_whole_number_is_accepted_as_a_float() -> None:
    density = read({"pictures": [{"name": "a", "density": 2}]}).items[0].density
    assert density == 2.0
    assert isinstance(density, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "file.json: found 3; it must be a JSON object"),
        ({"items": []}, "file.json: unknown key items"),
        ({"pictures": 3}, "file.json.pictures: found 3; it must be a list"),
        ({"pictures": "ab"}, 'file.json.pictures: found "ab"; it must be a list'),
        ({"pictures": [{"nme": "a"}]}, "file.json.pictures[0]: the key name is missing"),
        ({"pictures": [{"name": "a", "z": 1}]}, "file.json.pictures[0]: unknown key z"),
        ({"pictures": [{"name": 1}]}, "file.json.pictures[0].name: found 1; it must be a string"),
        ({"pictures": [{"name": "a", "label": True}]}, "pictures[0].label: found true; it must be a whole number"),
        ({"pictures": [{"name": "a", "label": [1, "x"]}]}, 'label[1]: found "x"; it must be a finite number'),
        ({"pictures": [{"name": "a", "density": float("inf")}]}, "density: found Infinity; it must be a finite number"),
        ({"pictures": [{"name": "a", "density": 10**400}]}, "it must be a finite number"),
        ({"count": True}, "file.json.count: found true; it must be a whole number"),
        ({"count": 1.5}, "file.json.count: found 1.5; it must be a whole number"),
        ({"count": 11}, "file.json: count is too large"),
        ({"flag": 1}, "file.json.flag: found 1; it must be true or false"),
        ({"kind": "x"}, 'file.json.kind: found "x"; it must be class or value'),
        ({"size": [1]}, "file.json.size: found [1]; it must be a list of 2"),
        ({"size": [1, "a"]}, 'file.json.size[1]: found "a"; it must be a whole number'),
        ({"options": 3}, "file.json.options: found 3; it must be a JSON object"),
        ({"path": 3}, "file.json.path: found 3; it must be a path"),
        ({"shape": {"type": "line"}}, 'file.json.shape: type is "line"; it must be circle or square'),
        ({"shape": {"type": "circle", "side": 1.0}}, "file.json.shape: unknown key side"),
    ],
)
def test_invalid_data_is_an_error_that_names_the_location(data: object, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(data)
    assert str(caught.value).startswith("file.json")
    assert message in str(caught.value)


def test_nan_and_infinity_are_not_valid_json() -> None:
    for text in ("NaN", "[Infinity]", '{"a": -Infinity}'):
        with pytest.raises(ValueError, match="is not valid JSON"):
            codec.loads_strict(text)
