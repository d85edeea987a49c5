"""Selection and order of the images of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from crowdgan_core.datasets.inspection import ambiguous_images, class_boundaries
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_plot.viewer.dataset.selection import HISTOGRAM_BINS, SORT_KEYS, RecordTable, Selection, SortKey

DENSITIES = (2.0, 0.5, None, 1.5, 0.5, 4.0)
LABELS = (1, 0, 2, 1, 0, 2)
COUNTS = (20, None, 7, 15, 5, 20)
SOURCES = ("b", "C", None, "a", "a", "Zoo 5")


def metadata(**changes: object) -> DatasetMetadata:
    """Six images in three classes with boundaries at 1 and 3; the density of the third is unknown."""
    columns = zip(DENSITIES, LABELS, COUNTS, SOURCES, strict=True)
    images = tuple(
        ImageRecord(name=f"img{5 - index}.png", density=density, label=label, person_count=count, source=source)
        for index, (density, label, count, source) in enumerate(columns)
    )
    dataset = DatasetMetadata(
        estimator="grid",
        classes=("sparse", "medium", "dense"),
        class_bounds=ClassBounds(values=(1.0, 3.0)),
        label_kind="class",
        images=images,
    )
    return replace(dataset, **changes)  # type: ignore[arg-type]


def select(dataset: DatasetMetadata | None = None, **selection: object) -> list[int]:
    return RecordTable(dataset or metadata()).select(Selection(**selection)).tolist()  # type: ignore[arg-type]


def test_without_filters_all_images_are_selected_in_the_order_of_the_dataset() -> None:
    assert select() == [0, 1, 2, 3, 4, 5]
    assert select(descending=True) == [5, 4, 3, 2, 1, 0]


def test_classes_are_combined() -> None:
    assert select(classes=frozenset({0})) == [1, 4]
    assert select(classes=frozenset({0, 2})) == [1, 2, 4, 5]
    assert select(classes=frozenset()) == []


def test_a_range_of_densities_includes_its_ends_and_excludes_unknown_densities() -> None:
    assert select(min_density=1.5) == [0, 3, 5]
    assert select(max_density=1.5) == [1, 3, 4]
    assert select(min_density=0.5, max_density=2.0) == [0, 1, 3, 4]
    assert select(min_density=3.0, max_density=1.0) == []


def test_unknown_densities_are_included_excluded_or_the_only_ones() -> None:
    assert select(unknown="include") == [0, 1, 2, 3, 4, 5]
    assert select(unknown="exclude") == [0, 1, 3, 4, 5]
    assert select(unknown="only") == [2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("IMG3", [2]), ("zoo 5", [5]), ("c", [1]), ("a", [3, 4]), ("none", []), (".png", [0, 1, 2, 3, 4, 5])],
)
def test_names_and_source_names_are_searched_in_any_case(text: str, expected: list[int]) -> None:
    assert select(search=text) == expected


def test_ambiguous_images_are_those_of_inspect() -> None:
    records = tuple(ImageRecord(name=f"{index}", density=index / 50, label=index // 50) for index in range(150))
    dataset = metadata(images=records)
    expected = {record.name for record in ambiguous_images(dataset, class_boundaries(dataset))}
    assert {records[index].name for index in select(dataset, only_ambiguous=True)} == expected
    assert 0 < len(expected) < 150


@pytest.mark.parametrize(
    ("key", "ascending", "descending"),
    [
        ("density", [1, 4, 3, 0, 5, 2], [5, 0, 3, 1, 4, 2]),
        ("persons", [4, 2, 3, 0, 5, 1], [0, 5, 3, 2, 4, 1]),
        ("name", [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]),
        ("source", [1, 5, 3, 4, 0, 2], [0, 3, 4, 5, 1, 2]),
        ("distance", [1, 3, 4, 0, 5, 2], [0, 5, 1, 3, 4, 2]),
    ],
)
def test_equal_images_keep_their_order_and_unknown_values_are_last(
    key: SortKey, ascending: Sequence[int], descending: Sequence[int]
) -> None:
    assert select(sort=key) == ascending
    assert select(sort=key, descending=True) == descending


def test_filters_and_order_are_combined() -> None:
    assert select(classes=frozenset({0, 1}), min_density=0.5, search="a", sort="density", descending=True) == [3, 4]


def test_images_without_labels_and_densities_have_only_names_to_sort_by() -> None:
    images = tuple(ImageRecord(name=f"{index}.png") for index in range(3))
    table = RecordTable(DatasetMetadata(images=images))
    assert table.sort_keys == ["dataset", "name"]
    assert table.histogram() is None
    assert table.boundaries == ()
    for key in SORT_KEYS:
        assert table.select(Selection(sort=key)).tolist() == [0, 1, 2]
    assert table.select(Selection(only_ambiguous=True)).tolist() == []
    assert table.select(Selection(unknown="only")).tolist() == [0, 1, 2]


def test_an_empty_dataset_has_no_images() -> None:
    table = RecordTable(DatasetMetadata())
    assert table.select(Selection(sort="density", search="x")).tolist() == []
    assert table.histogram() is None


def test_a_continuous_label_of_one_number_is_a_density() -> None:
    images = tuple(ImageRecord(name=f"{value}", label=(value,)) for value in (3.0, 1.0, 2.0))
    dataset = DatasetMetadata(label_kind="value", images=images)
    assert select(dataset, sort="density") == [1, 2, 0]
    assert select(dataset, max_density=2.0) == [1, 2]


def test_label_vectors_are_no_densities() -> None:
    images = (ImageRecord(name="a", label=(1.0, 2.0)), ImageRecord(name="b", label=(0.0, 1.0)))
    assert "density" not in RecordTable(DatasetMetadata(label_kind="value", images=images)).sort_keys


def test_the_histogram_counts_known_densities_by_class() -> None:
    histogram = RecordTable(metadata()).histogram()
    assert histogram is not None
    edges, counts = histogram
    assert edges.shape == (HISTOGRAM_BINS + 1,)
    assert (edges[0], edges[-1]) == (0.5, 4.0)
    assert counts.sum(axis=1).tolist() == [2, 2, 1]
    assert counts[0, 0] == 2
    assert counts[2, -1] == 1


def test_the_histogram_has_one_row_without_classes() -> None:
    images = tuple(replace(record, label=None) for record in metadata().images)
    histogram = RecordTable(metadata(images=images, classes=(), class_bounds=None, label_kind=None)).histogram()
    assert histogram is not None
    assert histogram[1].sum(axis=1).tolist() == [5]


def test_the_histogram_of_equal_densities_has_one_bar() -> None:
    histogram = RecordTable(DatasetMetadata(images=(ImageRecord(name="a", density=2.0),) * 3)).histogram()
    assert histogram is not None
    assert np.count_nonzero(histogram[1]) == 1
    assert histogram[1].sum() == 3
