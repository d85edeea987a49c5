"""Figures of dataset labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.labels.agreement import compare_labels
from crowdgan_plot.labels.labels_figure import NamedDataset, class_colours, group_nearby, plot_labels

CLASSES = ("sparse", "medium", "dense")


def labelled_dataset(
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


def draw(*datasets: NamedDataset) -> Figure:
    figure = plot_labels(*datasets)
    figure.draw_without_rendering()
    return figure


def test_the_balance_shows_count_and_percentage_of_every_class() -> None:
    balance = draw(labelled_dataset([0, 0, 0, 2])).axes[0]
    assert [bar.get_height() for bar in balance.patches] == [3, 0, 1]
    assert [text.get_text() for text in balance.texts] == ["3\n75%", "0\n0%", "1\n25%"]
    assert [label.get_text() for label in balance.get_xticklabels()] == list(CLASSES)
    assert [to_hex(bar.get_facecolor()) for bar in balance.patches] == class_colours(3)
    assert balance.get_title(loc="left") == "a.zip"


def test_the_distribution_stacks_the_classes_and_marks_the_class_boundaries() -> None:
    axes = draw(labelled_dataset([0, 0, 1, 2, 2], [1.0, 2, 4, 8, 31])).axes[1]
    assert sum(bar.get_height() for bar in axes.patches) >= 5
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [3, 6]
    assert [text.get_text() for text in axes.texts] == ["≈ 3, 6"], "boundaries are approximate"
    assert axes.get_xlabel() == "density (persons)"


def test_the_distribution_marks_exact_class_boundaries_in_its_range_and_names_the_scale() -> None:
    dataset = labelled_dataset([0, 0, 1, 1, 1], [1.0, 2, 4, 8, 31])
    bounds = ClassBounds(values=(2.5, 47.0), scale="crowd-safety")
    axes = draw(replace(dataset, metadata=replace(dataset.metadata, class_bounds=bounds))).axes[1]
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [2.5]
    assert [text.get_text() for text in axes.texts] == ["2.5"]
    assert axes.get_xlabel().replace("\n", " ") == "density (persons), classes of crowd-safety"


def test_person_counts_are_points_in_the_colour_of_their_class() -> None:
    axes = draw(labelled_dataset([0, 1, 2, 2], [1.0, 2, 3, None])).axes[2]
    assert [points.get_offsets().tolist() for points in axes.collections] == [[[10, 1]], [[20, 2]], [[30, 3]]]
    assert [to_hex(points.get_facecolor()[0]) for points in axes.collections] == class_colours(3)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(CLASSES)


def test_two_labellings_are_compared_by_a_confusion_matrix() -> None:
    one, other = labelled_dataset([0, 0, 1, 2]), labelled_dataset([0, 1, 1, 2, 0], name="b.h5")
    figure = draw(one, other)
    assert len(figure.axes) == 7
    matrix = figure.axes[6]
    assert matrix.images[0].get_array().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert [text.get_text() for text in matrix.texts] == ["1", "1", "0", "0", "1", "0", "0", "0", "1"]
    assert matrix.get_title() == "4 images in both\nsame class: 75%\nSpearman: 0.83"
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("b.h5: class", "a.zip: class")


def test_a_third_labelling_is_compared_with_the_first() -> None:
    figure = draw(
        labelled_dataset([0, 1, 2]), labelled_dataset([0, 1, 2], name="b"), labelled_dataset([2, 1, 0], name="c")
    )
    assert [axes.get_title().splitlines()[-1] for axes in figure.axes[9:]] == [
        "Spearman: 1.00",
        "Spearman: -1.00",
    ]


def test_datasets_without_common_images_show_a_message() -> None:
    figure = draw(labelled_dataset([0, 1]), labelled_dataset([0, 1], name="b", first=7))
    assert [text.get_text() for text in figure.axes[6].texts] == ["no image of b\nis in a.zip"]


def test_continuous_labels_are_compared_by_a_scatter_plot() -> None:
    records = tuple(
        ImageRecord(name=f"{i}.png", source=f"p{i}", label=(value,)) for i, value in enumerate((0.5, 1.5, 3.5))
    )
    values = NamedDataset(name="v", metadata=DatasetMetadata(unit="persons/m²", label_kind="value", images=records))
    figure = draw(labelled_dataset([0, 1, 2]), values)
    assert [bar.get_height() for bar in figure.axes[3].patches] == [3]
    assert [text.get_text() for text in figure.axes[5].texts] == ["no person counts with densities"]
    scatter = figure.axes[6]
    assert scatter.collections[0].get_offsets().tolist() == [[0.5, 0], [1.5, 1], [3.5, 2]]
    assert scatter.get_ylabel() == "a.zip: density (persons)"
    assert scatter.get_xlabel() == "v: density (persons/m²)"


def test_a_dataset_without_densities_shows_its_class_balance() -> None:
    records = tuple(ImageRecord(name=f"{i}.png", label=i % 2) for i in range(5))
    official = NamedDataset(name="o", metadata=DatasetMetadata(label_kind="class", classes=("0", "1"), images=records))
    balance, distribution, _ = draw(official).axes
    assert [bar.get_height() for bar in balance.patches] == [3, 2]
    assert [text.get_text() for text in distribution.texts] == ["no densities"]


def test_a_dataset_without_labels_and_densities_is_an_error() -> None:
    bare = DatasetMetadata(images=(ImageRecord(name="a.png"),))
    with pytest.raises(DatasetError, match="bare.zip: no labels and no densities; add them with `crowdgan label`"):
        plot_labels(NamedDataset(name="bare.zip", metadata=bare))


def test_plotting_no_datasets_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no datasets given"):
        plot_labels()


def test_tied_densities_share_their_mean_rank() -> None:
    first = labelled_dataset([0, 0, 0, 0], [5.0, 1, 5, 7])
    second = labelled_dataset([0, 0, 0, 0], [1.0, 2, 3, 4])
    spearman = compare_labels(first.metadata, second.metadata).spearman
    assert spearman == pytest.approx(np.corrcoef([1.5, 0, 1.5, 3], [0, 1, 2, 3])[0, 1])


def test_a_rank_correlation_needs_three_images_and_different_densities() -> None:
    two, three = labelled_dataset([0, 1]).metadata, labelled_dataset([0, 1, 2]).metadata
    assert compare_labels(two, two).spearman is None
    assert compare_labels(three, labelled_dataset([1, 1, 1]).metadata).spearman is None
    assert compare_labels(labelled_dataset([1, 1, 1]).metadata, three).spearman is None
    assert compare_labels(three, labelled_dataset([0, 1, 2], first=9).metadata).spearman is None


def test_classes_of_different_names_have_a_confusion_matrix_but_no_agreement() -> None:
    records = tuple(ImageRecord(name=f"{i}.png", source=f"p{i}", label=i) for i in range(2))
    levels = DatasetMetadata(label_kind="class", classes=("A", "B"), images=records)
    agreement = compare_labels(labelled_dataset([2, 0]).metadata, levels)
    assert agreement.same_class_fraction is None
    assert agreement.confusion is not None
    assert agreement.confusion.tolist() == [[0, 1], [0, 0], [1, 0]]


def test_nearby_boundaries_are_grouped() -> None:
    assert group_nearby([1.0, 1.5, 4, 9, 9.9], 1) == [[1, 1.5], [4], [9, 9.9]]


def test_the_figure_equals_the_baseline_image(compare_with_baseline: Any) -> None:
    rng = np.random.default_rng(0)
    densities = np.sort(rng.gamma(2.0, 1.5, 60)).tolist()
    one = labelled_dataset([int(value > 2) + int(value > 4) for value in densities], densities)
    other = labelled_dataset([int(value > 2.5) + int(value > 4) for value in densities], densities, name="b.zip")
    compare_with_baseline(draw(one, other), "labels")
