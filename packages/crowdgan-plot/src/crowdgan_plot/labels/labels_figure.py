"""Figures of dataset labels: class balance, density distribution, and agreement of several labellings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.inspection import class_boundaries, class_counts, class_name
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.labels.agreement import Agreement, compare_labels, density_of
from crowdgan_plot.style import (
    DENSITY_COLOUR_MAP,
    LINE_COLOURS,
    MUTED_COLOUR,
    format_thousands,
    legend_label,
    plot_style,
    prepare_figure,
    truncate_text,
    wrap_text,
)

PANEL_IN = (4.4, 3.9)
"""Width and height of a panel in inches."""

HISTOGRAM_BINS = 30

MAX_CLASS_COLOUR = 0.88
"""Upper end of the class colours in the colour map, 0 to 1; lighter colours are hard to see on white."""

BOUNDARY_TEXT_WIDTH = 0.12
"""Width of the number above a class boundary, as a fraction of the axes."""

LIGHT_CELL_FRACTION = 0.6
"""Fraction of the largest count above which a matrix cell is light and needs dark text."""

LEGEND_COLUMNS = 4

NAME_CHARACTERS = 34
"""Maximum characters per line of titles and axis labels."""

UNKNOWN_UNIT = "unknown unit"


@dataclass(frozen=True, kw_only=True)
class NamedDataset:
    """Name and metadata of a dataset."""

    name: str
    metadata: DatasetMetadata

    @property
    def density_axis(self) -> str:
        """Axis label of the density, with unit."""
        return f"density ({self.metadata.unit or UNKNOWN_UNIT})"

    @property
    def classes(self) -> list[tuple[str, str, list[ImageRecord]]]:
        """Name, colour and images of each class, by increasing density; one entry for all images without classes."""
        metadata = self.metadata
        if metadata.label_kind != "class":
            return [("images", LINE_COLOURS[0], list(metadata.images))]
        names = list(class_counts(metadata))
        by_class: dict[str, list[ImageRecord]] = {name: [] for name in names}
        for record in metadata.images:
            if isinstance(record.label, int):
                by_class[class_name(metadata, record.label)].append(record)
        return [(name, colour, by_class[name]) for name, colour in zip(names, class_colours(len(names)), strict=True)]


@plot_style()
def plot_labels(*datasets: str | Path | NamedDataset, title: str | None = None, figure: Figure | None = None) -> Figure:
    """A figure of dataset labels, one row per dataset: class balance, density distribution, person counts.

    Several datasets, labelled versions of the same images, are compared with the first one: by a confusion matrix of
    the classes, or for continuous labels by a scatter plot.

    Args:
        datasets: paths of datasets.
        title: title of the figure.
        figure: figure to draw into, which is cleared and resized; None for a new one.

    Raises:
        ConfigError: no datasets.
        DatasetError: a dataset cannot be read, or has neither labels nor densities.
    """
    if not datasets:
        raise ConfigError("no datasets given")
    named = name_datasets(datasets)
    for dataset in named:
        if dataset.metadata.label_kind is None and all(density_of(item) is None for item in dataset.metadata.images):
            raise DatasetError(f"{dataset.name}: no labels and no densities; add them with `crowdgan label`")
    columns = 3 if len(named) == 1 else 4
    figure = prepare_figure(figure, (columns * PANEL_IN[0], len(named) * PANEL_IN[1] + 0.5))
    grid = figure.add_gridspec(len(named), columns)
    for row, dataset in enumerate(named):
        panels = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_balance(panels[0], dataset)
        _draw_distribution(panels[1], dataset)
        _draw_person_counts(panels[2], dataset)
    for row, dataset in enumerate(named[1:], 1):
        cell = grid[:, 3] if len(named) == 2 else grid[row, 3]
        _draw_agreement(figure.add_subplot(cell), named[0], dataset)
    if title:
        figure.suptitle(title)
    return figure


def name_datasets(datasets: Sequence[str | Path | NamedDataset]) -> list[NamedDataset]:
    """Metadata of datasets, named by their file names, or by their paths if file names are equal.

    Raises:
        ConfigError: no format matches a path.
        DatasetError: a dataset does not exist or cannot be read.
    """
    paths = [Path(item) for item in datasets if not isinstance(item, NamedDataset)]
    is_unique = len({path.name for path in paths}) == len(paths)
    return [
        item
        if isinstance(item, NamedDataset)
        else NamedDataset(name=Path(item).name if is_unique else str(item), metadata=_read_metadata(Path(item)))
        for item in datasets
    ]


def class_colours(count: int) -> list[str]:
    """Colours of classes by increasing density: dark to light."""
    positions = np.linspace(0, MAX_CLASS_COLOUR, max(count, 2))[:count]
    return [mpl.colors.to_hex(mpl.colormaps[DENSITY_COLOUR_MAP](position)) for position in positions]


def group_nearby(values: Sequence[float], distance: float) -> list[list[float]]:
    """Increasing values in groups: a value closer than `distance` to the previous one joins its group."""
    groups: list[list[float]] = []
    for value in values:
        if groups and value - groups[-1][-1] < distance:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups


def _read_metadata(path: Path) -> DatasetMetadata:
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    with open_dataset(path) as reader:
        return reader.metadata


def _draw_balance(axes: Axes, dataset: NamedDataset) -> None:
    """Draws the number of images of each class."""
    classes = dataset.classes
    counts = [len(records) for _, _, records in classes]
    axes.set_title(wrap_text(truncate_text(dataset.name, NAME_CHARACTERS), NAME_CHARACTERS), loc="left")
    names, colours = [name for name, _, _ in classes], [colour for _, colour, _ in classes]
    bars = axes.bar(names, counts, color=colours, width=0.8 if len(classes) > 1 else 0.3)
    total = max(sum(counts), 1)
    axes.bar_label(bars, [f"{count:,}\n{count / total:.0%}" for count in counts], padding=2, fontsize=12)
    axes.set_ylim(0, 1.22 * max([*counts, 1]))
    axes.set_ylabel("images")
    format_thousands(axes.yaxis)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("class, by increasing density" if dataset.metadata.classes else "no classes")
    if max(len(name) for name, _, _ in classes) * len(classes) > NAME_CHARACTERS:
        axes.tick_params(axis="x", labelrotation=30)
    if len(classes) == 1:
        axes.set_xlim(-1, 1)


def _draw_distribution(axes: Axes, dataset: NamedDataset) -> None:
    """Draws a histogram of the densities, stacked by class, with the class boundaries in its range.

    Boundaries that are approximated from the densities are marked by ≈.
    """
    values = [[value for item in records if (value := density_of(item)) is not None] for *_, records in dataset.classes]
    axes.set_xlabel(wrap_text(f"{dataset.density_axis}{_scale_text(dataset.metadata)}", NAME_CHARACTERS))
    all_values = list(itertools.chain(*values))
    if not all_values:
        _draw_placeholder(axes, "no densities")
        return
    low, high = min(all_values), max(all_values)
    edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM_BINS + 1)
    axes.hist(values, bins=edges.tolist(), stacked=True, color=[colour for _, colour, _ in dataset.classes])
    boundaries = [item.value for item in class_boundaries(dataset.metadata) if low <= item.value <= high]
    sign = "" if dataset.metadata.class_bounds is not None else "≈ "
    for boundary in boundaries:
        axes.axvline(boundary, color=LINE_COLOURS[1], linestyle="--")
    above: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    for group in group_nearby(boundaries, BOUNDARY_TEXT_WIDTH * (edges[-1] - edges[0])):
        text = sign + ", ".join(f"{boundary:.3g}" for boundary in group)
        axes.text(sum(group) / len(group), 1.0, text, fontsize=11, color=LINE_COLOURS[1], **above)
    axes.set_ylabel("images")
    format_thousands(axes.yaxis)


def _scale_text(metadata: DatasetMetadata) -> str:
    """The name of the scale that defines the classes, for an axis label; empty without one."""
    scale = None if metadata.class_bounds is None else metadata.class_bounds.scale
    return f", classes of {scale}" if scale else ""


def _draw_person_counts(axes: Axes, dataset: NamedDataset) -> None:
    """Draws the density against the number of people, one point per image."""
    point_count = 0
    for name, colour, records in dataset.classes:
        pairs = [(item.person_count, density_of(item)) for item in records]
        points = np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)
        size = float(np.clip(6000 / max(len(points), 1), 6, 40))
        axes.scatter(
            points[:, 0], points[:, 1], s=size, color=colour, alpha=0.75, linewidths=0, label=legend_label(name)
        )
        point_count += len(points)
    axes.set(xlabel="people in the measured region", ylabel=wrap_text(dataset.density_axis, NAME_CHARACTERS))
    if not point_count:
        _draw_placeholder(axes, "no person counts with densities")
    elif dataset.metadata.classes:
        position: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}
        axes.legend(ncols=LEGEND_COLUMNS, fontsize=11, handletextpad=0.2, columnspacing=1.2, **position)


def _draw_agreement(axes: Axes, first: NamedDataset, second: NamedDataset) -> None:
    """Draws a confusion matrix of two labellings, or a scatter plot if one has no classes."""
    agreement = compare_labels(first.metadata, second.metadata)
    if not agreement.image_count:
        _draw_placeholder(axes, f"no image of {truncate_text(second.name, NAME_CHARACTERS)}\nis in {first.name}")
    elif agreement.confusion is None:
        x, y = agreement.densities[:, ::-1].T
        axes.scatter(x, y, s=20, color=LINE_COLOURS[0], alpha=0.6, linewidths=0)
    else:
        _draw_confusion_matrix(axes, agreement.confusion)
        axes.set_xticks(range(len(second.metadata.classes)), second.metadata.classes)
        axes.set_yticks(range(len(first.metadata.classes)), first.metadata.classes)
    axes.set_title(_agreement_text(agreement), fontsize=13)
    axes.set_xlabel(_axis_name(second, has_classes=agreement.confusion is not None))
    axes.set_ylabel(_axis_name(first, has_classes=agreement.confusion is not None))


def _draw_confusion_matrix(axes: Axes, counts: npt.NDArray[np.int64]) -> None:
    axes.imshow(counts, cmap=DENSITY_COLOUR_MAP, vmin=0, aspect="equal")
    font_size = 13 if max(counts.shape) <= 4 else 11
    for row, column in np.ndindex(counts.shape):
        colour = "black" if counts[row, column] > LIGHT_CELL_FRACTION * counts.max() else "white"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=font_size)
    axes.grid(visible=False)


def _agreement_text(agreement: Agreement) -> str:
    lines = [f"{agreement.image_count:,} images in both"]
    if agreement.same_class_fraction is not None:
        lines.append(f"same class: {agreement.same_class_fraction:.0%}")
    if agreement.spearman is not None:
        lines.append(f"Spearman: {agreement.spearman:.2f}")
    return "\n".join(lines)


def _axis_name(dataset: NamedDataset, *, has_classes: bool) -> str:
    quantity = "class" if has_classes else dataset.density_axis
    return wrap_text(f"{truncate_text(dataset.name, NAME_CHARACTERS)}: {quantity}", NAME_CHARACTERS)


def _draw_placeholder(axes: Axes, text: str) -> None:
    """Writes a text in the middle of empty axes."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED_COLOUR)
    axes.set(xticks=[], yticks=[])
