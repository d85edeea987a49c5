"""Density estimates and options of estimators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import (
    OptionInfo,
    check_options,
    configure_estimator,
    estimator_options,
    option,
    parse_option_value,
)
from crowdgan_core.errors import ConfigError, PluginError
from crowdgan_core.scenes.scene import Scene


@dataclass(frozen=True, kw_only=True)
class Example(DensityEstimator):
    """An estimator with an option of each type."""

    name: ClassVar[str] = "example"
    unit: ClassVar[str] = "things"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    count: int = option(3, "a number of things")
    factor: float = option(0.5, "a factor")
    exact: bool = option(False, "whether to count exactly")
    scale: Literal["linear", "sqrt"] = option("linear", "a scale")
    bounds: tuple[float, ...] = option((1.0, 2.0), "bounds in metres")
    file: Path | None = option(None, "a file")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """A constant density."""
        return DensityEstimate(value=1.0, unit=self.unit, class_index=0)


def test_options_are_converted_from_text() -> None:
    settings = {"count": "7", "factor": "2e-1", "exact": "yes", "scale": "sqrt", "bounds": "1, 2.5", "file": "a/b"}
    expected = Example(count=7, factor=0.2, exact=True, scale="sqrt", bounds=(1.0, 2.5), file=Path("a/b"))
    assert configure_estimator(Example, settings) == expected
    assert configure_estimator(Example, {"file": "none"}) == Example()


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (
            "cuont",
            "1",
            "--set cuont: example has no such option; choose from count, factor, exact, scale, bounds, file",
        ),
        ("count", "1.5", "--set count=1.5: must be a whole number"),
        ("exact", "maybe", "--set exact=maybe: must be true or false"),
        ("scale", "log", "--set scale=log: no such choice; choose from linear, sqrt"),
        ("bounds", "1,b", "--set bounds=b: must be a number"),
    ],
)
def test_an_invalid_option_is_an_error_that_lists_the_choices(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure_estimator(Example, {key: text})
    assert str(caught.value) == message


def estimator_with(**annotations: Any) -> Any:
    """An estimator class with options of the given types."""
    defaults = dict.fromkeys(annotations)
    return dataclass(frozen=True)(type("Plugged", (Example,), {"__annotations__": annotations, **defaults}))


@pytest.mark.parametrize(
    "kind",
    [bool, Path, int | None, Literal["a", 3], Literal["a"] | None, tuple[int, ...], tuple[float, str], float | None],
)
def test_supported_types_of_options(kind: Any) -> None:
    check_options(estimator_with(option=kind))


@pytest.mark.parametrize(
    "kind", [dict, list[int], int | str, int | str | None, None | type(None), Any, tuple[list, ...]]
)
def test_an_unsupported_type_of_an_option_is_an_error_of_the_plugin(kind: Any) -> None:
    with pytest.raises(
        PluginError, match="^density estimator example: option area has the type .*; it must be bool, int"
    ):
        check_options(estimator_with(area=kind))


def test_a_name_that_is_a_field_is_an_error_of_the_plugin() -> None:
    with pytest.raises(PluginError, match=r"name is a field, and hence an option; declare it as name: ClassVar\[str\]"):
        check_options(dataclass(frozen=True)(type("A", (Example,), {"__annotations__": {"name": str}, "name": "a"})))


def test_a_tuple_of_fixed_length_has_values_of_each_type() -> None:
    assert parse_option_value(tuple[float, str], "2, b", "--set x") == (2.0, "b")
    with pytest.raises(ConfigError, match="^--set x=1: must be 2 values separated by commas$"):
        parse_option_value(tuple[float, str], "1", "--set x")


@dataclass(frozen=True, kw_only=True)
class Strict(Example):
    """An estimator that rejects values with an error that is not for the user."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("count must be positive")


def test_an_exception_in_the_constructor_of_an_estimator_names_it() -> None:
    assert configure_estimator(Strict, {"count": "1"}) == Strict(count=1)
    with pytest.raises(PluginError, match="^density estimator example failed: options: ValueError: count must be pos"):
        configure_estimator(Strict, {"count": "0"})


def test_options_are_listed_with_type_default_and_help() -> None:
    assert estimator_options(Example) == [
        OptionInfo("count", "int", 3, "a number of things"),
        OptionInfo("factor", "float", 0.5, "a factor"),
        OptionInfo("exact", "bool", False, "whether to count exactly"),
        OptionInfo("scale", "linear|sqrt", "linear", "a scale"),
        OptionInfo("bounds", "float,…", (1.0, 2.0), "bounds in metres"),
        OptionInfo("file", "Path or none", None, "a file"),
    ]


def test_fit_is_the_identity_unless_overridden() -> None:
    estimator = Example()
    assert estimator.fit([]) is estimator


def test_a_density_estimate_has_a_value_or_a_reason() -> None:
    assert DensityEstimate.unknown("things", "too dark").reason == "too dark"
    with pytest.raises(ValueError, match="either value and class_index, or a reason"):
        DensityEstimate(value=1.0, unit="things", class_index=None)
    with pytest.raises(ValueError, match="either value and class_index, or a reason"):
        DensityEstimate(value=None, unit="things", class_index=None)
