"""Class boundaries: classes of densities, text, and options."""

from __future__ import annotations

import pytest

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import ConfigError


def test_a_boundary_belongs_to_the_class_above_or_below() -> None:
    bounds = ClassBounds(values=(2.0, 3.0), included_above=(True, False))
    assert [bounds.class_index(value) for value in (-1, 1.99, 2, 2.5, 3, 3.01)] == [0, 0, 1, 1, 1, 2]
    assert bounds.describe(("sparse", "medium", "dense")) == "sparse < 2 <= medium <= 3 < dense"
    assert bounds.describe(("below 2", "2 to 3", "above 3")) == "below 2, 2 to 3, above 3"


def test_boundaries_belong_to_the_class_above_by_default() -> None:
    assert ClassBounds(values=(2.0, 3.0)).included_above == (True, True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), None),
        (("medium_from", "dense_from"), "--set medium_from=VALUE --set dense_from=VALUE"),
        (("scale",), "--set scale=VALUE,VALUE"),
    ],
)
def test_the_options_are_described_as_settings(options: tuple[str, ...], text: str | None) -> None:
    assert ClassBounds(values=(2.0, 3.0), options=options).settings_text() == text


@pytest.mark.parametrize("values", [(2.0, 2.0), (3.0, 2.0), (float("nan"),), (1.0, float("inf"))])
def test_boundaries_that_do_not_increase_are_an_error(values: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="they must be finite numbers that increase"):
        ClassBounds(values=values)


def test_a_wrong_number_of_flags_is_an_error() -> None:
    with pytest.raises(ConfigError, match="included_above has 1 values for 2 boundaries"):
        ClassBounds(values=(1.0, 2.0), included_above=(True,))
