"""What labels a dataset has: the balance of its classes, its densities, and how far two versions agree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.datasets.inspection import class_boundaries, class_counts, class_name
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_plot.labels.agreement import Agreement, compare_labels, density_of
from crowdgan_plot.style import DENSITY_MAP, FAINT, LINE_COLOURS, thousands, truncate_text, wrapped

PANEL_IN = (4.4, 3.9)
"""Width and height of a panel in inches."""

BINS = 30

LIGHTEST = 0.88
"""How far the colours of classes go into the map: its last ones are lost on white."""

BORDER_ROOM = 0.12
"""Room that the number of a border takes above the axes, as a share of their width."""

LIGHT_FROM = 0.6
"""Share of the largest number from which a cell is so light that its text must be dark."""

LEGEND_COLUMNS = 4

LONGEST_NAME = 34

UNKNOWN_UNIT = "no unit known"


@dataclass(frozen=True, kw_only=True)
class NamedDataset:
    """A dataset by its metadata."""

    name: str
    metadata: DatasetMetadata

    @property
    def axis(self) -> str:
        """The density with its unit, for an axis."""
        return f"density ({self.metadata.unit or UNKNOWN_UNIT})"

    @property
    def groups(self) -> list[tuple[str, str, list[ImageRecord]]]:
        """Name, colour and images of each class, from the least crowded; of all images where there are none."""
        metadata = self.metadata
        if metadata.label_kind != "class":
            return [("images", LINE_COLOURS[0], list(metadata.images))]
        names = list(class_counts(metadata))
        by_class: dict[str, list[ImageRecord]] = {name: [] for name in names}
        for record in metadata.images:
            if isinstance(record.label, int):
                by_class[class_name(metadata, record.label)].append(record)
        return [(name, colour, by_class[name]) for name, colour in zip(names, class_colours(len(names)), strict=True)]


def class_colours(count: int) -> list[str]:
    """Colours of classes from the least to the most crowded: dark to light."""
    places = np.linspace(0, LIGHTEST, max(count, 2))[:count]
    return [mpl.colors.to_hex(mpl.colormaps[DENSITY_MAP](place)) for place in places]


def labels_figure(datasets: Sequence[NamedDataset]) -> Figure:
    """The empty figure that `draw_labels` fills: a row per dataset.

    Raises:
        DatasetError: a dataset has neither labels nor densities.
    """
    for dataset in datasets:
        metadata = dataset.metadata
        if metadata.label_kind is None and all(density_of(record) is None for record in metadata.images):
            raise DatasetError(f"{dataset.name}: it has neither labels nor densities; crowdgan label makes them")
    columns = 3 if len(datasets) == 1 else 4
    return Figure(figsize=(columns * PANEL_IN[0], len(datasets) * PANEL_IN[1] + 0.5), layout="constrained")


def draw_labels(figure: Figure, datasets: Sequence[NamedDataset], title: str | None = None) -> None:
    """Draws datasets into an empty figure, a row each; several are compared with the first one."""
    grid = figure.add_gridspec(len(datasets), 3 if len(datasets) == 1 else 4)
    for row, dataset in enumerate(datasets):
        panels = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_balance(panels[0], dataset)
        _draw_distribution(panels[1], dataset)
        _draw_counts(panels[2], dataset)
    for row, dataset in enumerate(datasets[1:], 1):
        place = grid[:, 3] if len(datasets) == 2 else grid[row, 3]
        _draw_agreement(figure.add_subplot(place), datasets[0], dataset)
    if title:
        figure.suptitle(title)


def _draw_balance(axes: Axes, dataset: NamedDataset) -> None:
    groups = dataset.groups
    sizes = [len(records) for _, _, records in groups]
    axes.set_title(wrapped(truncate_text(dataset.name, LONGEST_NAME), LONGEST_NAME), loc="left")
    names, colours = [name for name, _, _ in groups], [colour for _, colour, _ in groups]
    bars = axes.bar(names, sizes, color=colours, width=0.8 if len(groups) > 1 else 0.3)
    total = max(sum(sizes), 1)
    axes.bar_label(bars, [f"{size:,}\n{size / total:.0%}" for size in sizes], padding=2, fontsize=12)
    axes.set_ylim(0, 1.22 * max([*sizes, 1]))
    axes.set_ylabel("images")
    thousands(axes.yaxis)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("class, from the least crowded" if dataset.metadata.classes else "no classes")
    if max(len(name) for name, _, _ in groups) * len(groups) > LONGEST_NAME:
        axes.tick_params(axis="x", labelrotation=30)
    if len(groups) == 1:
        axes.set_xlim(-1, 1)


def _draw_distribution(axes: Axes, dataset: NamedDataset) -> None:
    values = [[value for item in records if (value := density_of(item)) is not None] for *_, records in dataset.groups]
    axes.set_xlabel(wrapped(dataset.axis, LONGEST_NAME))
    every = list(itertools.chain(*values))
    if not every:
        _say_nothing(axes, "no densities")
        return
    low, high = min(every), max(every)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    axes.hist(values, bins=edges.tolist(), stacked=True, color=[colour for _, colour, _ in dataset.groups])
    borders = [border.value for border in class_boundaries(dataset.metadata)]
    for border in borders:
        axes.axvline(border, color=LINE_COLOURS[1], linestyle="--")
    above: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    for group in group_nearby(borders, BORDER_ROOM * (edges[-1] - edges[0])):
        text = ", ".join(f"{border:.3g}" for border in group)
        axes.text(sum(group) / len(group), 1.0, text, fontsize=11, color=LINE_COLOURS[1], **above)
    axes.set_ylabel("images")
    thousands(axes.yaxis)


def group_nearby(values: Sequence[float], room: float) -> list[list[float]]:
    """Rising values in groups: those nearer than `room` to the one before share its group."""
    groups: list[list[float]] = []
    for value in values:
        if groups and value - groups[-1][-1] < room:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups


def _draw_counts(axes: Axes, dataset: NamedDataset) -> None:
    found = 0
    for name, colour, records in dataset.groups:
        pairs = [(item.person_count, density_of(item)) for item in records]
        known = np.array([pair for pair in pairs if None not in pair], float).reshape(-1, 2)
        size = float(np.clip(6000 / max(len(known), 1), 6, 40))
        axes.scatter(known[:, 0], known[:, 1], s=size, color=colour, alpha=0.75, linewidths=0, label=name)
        found += len(known)
    axes.set(xlabel="persons in what was measured", ylabel=wrapped(dataset.axis, LONGEST_NAME))
    if not found:
        _say_nothing(axes, "no person counts with densities")
    elif dataset.metadata.classes:
        where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}
        axes.legend(ncols=LEGEND_COLUMNS, fontsize=11, handletextpad=0.2, columnspacing=1.2, **where)


def _draw_agreement(axes: Axes, first: NamedDataset, second: NamedDataset) -> None:
    found = compare_labels(first.metadata, second.metadata)
    if not found.images:
        _say_nothing(axes, f"no image of {truncate_text(second.name, LONGEST_NAME)}\nis in {first.name}")
    elif found.counts is None:
        x, y = found.densities[:, ::-1].T
        axes.scatter(x, y, s=20, color=LINE_COLOURS[0], alpha=0.6, linewidths=0)
    else:
        _draw_matrix(axes, found.counts)
        axes.set_xticks(range(len(second.metadata.classes)), second.metadata.classes)
        axes.set_yticks(range(len(first.metadata.classes)), first.metadata.classes)
    axes.set_title(_agreement_text(found), fontsize=13)
    axes.set_xlabel(_axis_name(second, has_classes=found.counts is not None))
    axes.set_ylabel(_axis_name(first, has_classes=found.counts is not None))


def _draw_matrix(axes: Axes, counts: npt.NDArray[np.int64]) -> None:
    """Draws a confusion matrix; each number is dark or light as its cell wants it."""
    axes.imshow(counts, cmap=DENSITY_MAP, vmin=0, aspect="equal")
    size = 13 if max(counts.shape) <= 4 else 11
    for row, column in np.ndindex(counts.shape):
        colour = "black" if counts[row, column] > LIGHT_FROM * counts.max() else "white"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=size)
    axes.grid(visible=False)


def _agreement_text(found: Agreement) -> str:
    parts = [f"{found.images:,} images in both"]
    if found.same_share is not None:
        parts.append(f"same class: {found.same_share:.0%}")
    if found.rank_correlation is not None:
        parts.append(f"rank correlation: {found.rank_correlation:.2f}")
    return "\n".join(parts)


def _axis_name(dataset: NamedDataset, *, has_classes: bool) -> str:
    what = "class" if has_classes else dataset.axis
    return wrapped(f"{truncate_text(dataset.name, LONGEST_NAME)}: {what}", LONGEST_NAME)


def _say_nothing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)
    axes.set(xticks=[], yticks=[])
