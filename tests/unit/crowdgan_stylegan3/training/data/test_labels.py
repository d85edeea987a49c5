"""Rows of sample grids and descriptions of continuous labels."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_stylegan3.training.data.labels import TrainingLabels, ascending_order


def continuous_labels(*columns: np.ndarray) -> TrainingLabels:
    return TrainingLabels(vectors=np.stack(columns, axis=1).astype(np.float32), kind="value", unit="persons")


def test_rows_of_single_numbers_are_quantiles() -> None:
    labels = continuous_labels(np.random.default_rng(0).permutation(101))
    names, rows = labels.sample_rows()
    assert rows.tolist() == [[5], [28], [50], [72], [95]]
    assert names == ["5 persons", "28 persons", "50 persons", "72 persons", "95 persons"]
    assert labels.describe() == "conditional on the density, 0 to 100 persons, median 50"


def test_rows_of_vectors_cover_all_numbers() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.uniform(1, 1.2, 500), rng.permutation(500) * 1.0
    third = second / 1000 + rng.normal(0, 0.001, 500)
    labels = continuous_labels(first, second, third)
    names, rows = labels.sample_rows()
    assert np.diff(rows[:, 1]).min() > 50, "the correlated numbers increase from row to row"
    assert np.diff(rows[:, 2]).min() > 0.05
    assert all(row.tolist() in labels.vectors.tolist() for row in rows), "rows are labels of the dataset"
    assert names[0] == ", ".join(f"{number:.3g}" for number in rows[0].tolist()) + " persons"


@pytest.mark.parametrize("sign", [1, -1])
def test_vectors_are_ordered_by_both_correlated_numbers(sign: int) -> None:
    first = np.random.default_rng(2).permutation(50) * 1.0
    order = ascending_order(np.stack([first, 1000 * sign * first], axis=1).astype(np.float32))
    assert first[order].tolist() == sorted(first.tolist())


def test_equal_labels_keep_their_order() -> None:
    assert ascending_order(np.ones((4, 2), np.float32)).tolist() == [0, 1, 2, 3]
    assert ascending_order(np.ones((4, 1), np.float32)).tolist() == [0, 1, 2, 3]


def test_vectors_are_not_described_as_densities() -> None:
    labels = continuous_labels(np.array([1.0, 25.0]), np.array([0.5, 4.0]))
    assert labels.describe() == "conditional on vectors of 2 numbers: 1 to 25, 0.5 to 4"
