"""Validated query parameters."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from crowdgan_core.errors import ConfigError
from crowdgan_plot.viewer.query import Query


def query(text: str) -> Query:
    return Query(QueryParams(text))


def test_parameters_are_read_with_their_defaults() -> None:
    item = query("seed=5&x=-0.25&mean=all&layers=0-3")
    assert item.has("seed", "other")
    assert (item.integer("seed", 0, 0, 9), item.integer("other", 3, 0, 9)) == (5, 3)
    assert (item.number("x", 0, -1, 1), item.number("y", 0.5, -1, 1)) == (-0.25, 0.5)
    assert (item.choice("mean", ("label", "all")), item.choice("noise", ("const", "none"))) == ("all", "const")
    assert (item.text("layers"), item.text("label", "1")) == ("0-3", "1")
    assert item.optional_integer("cutoff", 0, 9) is None
    assert not item.has("seed")
    item.end()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "2", "-1.5", "a", "1,5", "0x1", "1_0", "1_0e", " "])
def test_invalid_numbers_are_errors(value: str) -> None:
    with pytest.raises(ConfigError, match="x is .*; it must be a number from -1 to 1"):
        query(f"x={value}").number("x", 0, -1, 1)


@pytest.mark.parametrize("value", ["1.5", "10", "-1", "1e0", "٣", "9" * 100, "+1", "0x1", " 1"])
def test_invalid_integers_are_errors(value: str) -> None:
    with pytest.raises(ConfigError, match="seed is .*; it must be an integer from 0 to 9"):
        Query(QueryParams({"seed": value})).integer("seed", 0, 0, 9)


def test_unknown_repeated_and_long_parameters_are_errors() -> None:
    with pytest.raises(ConfigError, match="unknown parameter 'other'"):
        query("other=1").end()
    with pytest.raises(ConfigError, match="'seed' is given twice"):
        query("seed=1&seed=2")
    with pytest.raises(ConfigError, match="'label' has 1001 characters"):
        query(f"label={'1' * 1001}")
    with pytest.raises(ConfigError, match="mean is 'other'; choose from label, all"):
        query("mean=other").choice("mean", ("label", "all"))
