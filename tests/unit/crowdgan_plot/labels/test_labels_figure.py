"""What the figures of datasets' labels hold."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_plot.labels.agreement import compare_labels, ranks
from crowdgan_plot.labels.labels_figure import NamedDataset, class_colours, draw_labels, group_nearby, labels_figure
from crowdgan_plot.style import plot_style

CLASSES = ("sparse", "medium", "dense")


def labelled(
    labels: list[int], densities: list[float | None] | None = None, *, name: str = "a.zip", first: int = 0
) -> NamedDataset:
    values = densities or [float(label) for label in labels]
    records = [
        ImageRecord(name=f"{i}.png", source=f"p{first + i}", person_count=10 * (i + 1), density=value, label=label)
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    metadata = DatasetMetadata(
        estimator="grid", unit="persons", classes=CLASSES, label_kind="class", images=tuple(records)
    )
    return NamedDataset(name=name, metadata=metadata)


def drawn(*datasets: NamedDataset) -> Figure:
    with plot_style():
        figure = labels_figure(datasets)
        draw_labels(figure, datasets)
        figure.draw_without_rendering()
    return figure


def test_the_balance_shows_every_class_with_number_and_share() -> None:
    balance = drawn(labelled([0, 0, 0, 2])).axes[0]
    assert [bar.get_height() for bar in balance.patches] == [3, 0, 1]
    assert [text.get_text() for text in balance.texts] == ["3\n75%", "0\n0%", "1\n25%"]
    assert [label.get_text() for label in balance.get_xticklabels()] == list(CLASSES)
    assert [to_hex(bar.get_facecolor()) for bar in balance.patches] == class_colours(3)
    assert balance.get_title(loc="left") == "a.zip"


def test_the_distribution_stacks_the_classes_and_marks_their_borders() -> None:
    axes = drawn(labelled([0, 0, 1, 2, 2], [1.0, 2, 4, 8, 31])).axes[1]
    assert sum(bar.get_height() for bar in axes.patches) >= 5
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [3, 6]
    assert [text.get_text() for text in axes.texts] == ["3, 6"]
    assert axes.get_xlabel() == "density (persons)"


def test_persons_against_density_are_points_in_the_colour_of_their_class() -> None:
    axes = drawn(labelled([0, 1, 2, 2], [1.0, 2, 3, None])).axes[2]
    assert [points.get_offsets().tolist() for points in axes.collections] == [[[10, 1]], [[20, 2]], [[30, 3]]]
    assert [to_hex(points.get_facecolor()[0]) for points in axes.collections] == class_colours(3)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(CLASSES)


def test_two_versions_are_compared_by_a_confusion_matrix() -> None:
    one, other = labelled([0, 0, 1, 2]), labelled([0, 1, 1, 2, 0], name="b.h5")
    figure = drawn(one, other)
    assert len(figure.axes) == 7
    matrix = figure.axes[6]
    assert matrix.images[0].get_array().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert [text.get_text() for text in matrix.texts] == ["1", "1", "0", "0", "1", "0", "0", "0", "1"]
    assert matrix.get_title() == "4 images in both\nsame class: 75%\nrank correlation: 0.83"
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("b.h5: class", "a.zip: class")


def test_a_third_version_is_compared_with_the_first() -> None:
    figure = drawn(labelled([0, 1, 2]), labelled([0, 1, 2], name="b"), labelled([2, 1, 0], name="c"))
    assert [axes.get_title().splitlines()[-1] for axes in figure.axes[9:]] == [
        "rank correlation: 1.00",
        "rank correlation: -1.00",
    ]


def test_versions_of_other_images_have_nothing_to_compare() -> None:
    figure = drawn(labelled([0, 1]), labelled([0, 1], name="b", first=7))
    assert [text.get_text() for text in figure.axes[6].texts] == ["no image of b\nis in a.zip"]


def test_labels_that_are_values_are_compared_by_their_values() -> None:
    records = tuple(
        ImageRecord(name=f"{i}.png", source=f"p{i}", label=(value,)) for i, value in enumerate((0.5, 1.5, 3.5))
    )
    values = NamedDataset(name="v", metadata=DatasetMetadata(unit="persons/m²", label_kind="value", images=records))
    figure = drawn(labelled([0, 1, 2]), values)
    assert [bar.get_height() for bar in figure.axes[3].patches] == [3]
    assert [text.get_text() for text in figure.axes[5].texts] == ["no person counts with densities"]
    agreeing = figure.axes[6]
    assert agreeing.collections[0].get_offsets().tolist() == [[0.5, 0], [1.5, 1], [3.5, 2]]
    assert agreeing.get_ylabel() == "a.zip: density (persons)"
    assert agreeing.get_xlabel() == "v: density (persons/m²)"


def test_a_dataset_with_labels_alone_shows_their_balance() -> None:
    records = tuple(ImageRecord(name=f"{i}.png", label=i % 2) for i in range(5))
    official = NamedDataset(name="o", metadata=DatasetMetadata(label_kind="class", classes=("0", "1"), images=records))
    balance, distribution, _ = drawn(official).axes
    assert [bar.get_height() for bar in balance.patches] == [3, 2]
    assert [text.get_text() for text in distribution.texts] == ["no densities"]


def test_a_dataset_without_anything_to_draw_is_an_error() -> None:
    bare = DatasetMetadata(images=(ImageRecord(name="a.png"),))
    with pytest.raises(DatasetError, match="bare.zip: it has neither labels nor densities; crowdgan label makes them"):
        labels_figure([NamedDataset(name="bare.zip", metadata=bare)])


def test_equal_values_share_a_rank() -> None:
    assert ranks(np.array([5.0, 1, 5, 7])).tolist() == [1.5, 0, 1.5, 3]


def test_a_rank_correlation_needs_three_images_that_differ() -> None:
    assert compare_labels(labelled([0, 1]).metadata, labelled([0, 1]).metadata).rank_correlation is None
    assert compare_labels(labelled([0, 1, 2]).metadata, labelled([1, 1, 1]).metadata).rank_correlation is None


def test_classes_of_other_names_are_counted_but_not_called_the_same() -> None:
    records = tuple(ImageRecord(name=f"{i}.png", source=f"p{i}", label=i) for i in range(2))
    levels = DatasetMetadata(label_kind="class", classes=("A", "B"), images=records)
    found = compare_labels(labelled([2, 0]).metadata, levels)
    assert found.same_share is None
    assert found.counts is not None
    assert found.counts.tolist() == [[0, 1], [0, 0], [1, 0]]


def test_borders_that_are_near_share_their_text() -> None:
    assert group_nearby([1.0, 1.5, 4, 9, 9.9], 1) == [[1, 1.5], [4], [9, 9.9]]


def test_the_figure_looks_as_it_did(looks_like: object) -> None:
    rng = np.random.default_rng(0)
    densities = np.sort(rng.gamma(2.0, 1.5, 60)).tolist()
    one = labelled([int(value > 2) + int(value > 4) for value in densities], densities)
    other = labelled([int(value > 2.5) + int(value > 4) for value in densities], densities, name="b.zip")
    looks_like(drawn(one, other), "labels")  # type: ignore[operator]
