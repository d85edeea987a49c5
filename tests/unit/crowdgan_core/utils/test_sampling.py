"""Evenly spaced subsets."""

from __future__ import annotations

import pytest

from crowdgan_core.utils.sampling import evenly_spaced


@pytest.mark.parametrize(
    ("items", "count", "expected"),
    [
        (range(10), 4, [0, 3, 6, 9]),
        (range(10), 2, [0, 9]),
        (range(10), 1, [0]),
        (range(10), 0, []),
        (range(3), 3, [0, 1, 2]),
        (range(3), 8, [0, 1, 2]),
        ([], 4, []),
    ],
)
def test_selected_items_are_evenly_spaced_and_in_order(items: list[int], count: int, expected: list[int]) -> None:
    assert evenly_spaced(items, count) == expected
