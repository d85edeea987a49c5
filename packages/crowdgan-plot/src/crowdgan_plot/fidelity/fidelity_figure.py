"""Figure of density fidelity: requested against measured density, confusion matrices, and ordering of pairs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from crowdgan_core.metrics.fidelity_report import FidelityReport, MeasuredImage, PredictorReport, read_report
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_plot.style import (
    DENSITY_COLOUR_MAP,
    LINE_COLOURS,
    MUTED_COLOUR,
    TEXT_COLOUR,
    PlainLogFormatter,
    plot_style,
    prepare_figure,
    truncate_text,
    wrap_text,
)

PANEL_IN = (4.6, 4.0)
"""Width and height of a panel in inches."""

GENERATED_COLOUR, REAL_COLOUR = LINE_COLOURS[0], LINE_COLOURS[4]
"""Colours of generated images, and of held-out real images."""

JITTER = 0.16
"""Largest horizontal displacement of a point from its class, in classes."""

PAIR_OFFSET = 0.2
"""Horizontal distance of generated and real images from the class, in classes."""

WINDOW_QUANTILES = (0.25, 0.5, 0.75)
"""Quantiles that are drawn as a box."""

MAX_POINTS = 1500
"""Points of one kind in a panel; more are thinned out evenly."""

NAME_CHARACTERS = 40
"""Maximum characters per line of a title."""

ABOVE: dict[str, Any] = {"bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
"""Place of a legend above the upper right corner of the axes."""

MIN_LABELLED_BAR = 0.12
"""Height below which the number is not drawn inside the bar."""

LIGHT_CELL = 0.6
"""Fraction above which a cell of the matrix is light and needs dark text."""


@plot_style()
def plot_fidelity(
    report: str | Path | FidelityReport, *, title: str | None = None, figure: Figure | None = None
) -> Figure:
    """A figure of density fidelity, one row per predictor.

    Left: measured density of generated and of held-out real images for each requested class or density. Middle:
    confusion matrix of generated images. Right: scores beside the floor, which real images reach, and chance.

    Args:
        report: report, or path of the JSON file that `crowdgan metrics density` wrote.
        title: title of the figure; None for the names of model and dataset.
        figure: figure to draw into, which is cleared and resized; None for a new one.

    Raises:
        DatasetError: the file cannot be read, or is not a report.
    """
    if not isinstance(report, FidelityReport):
        report = read_report(Path(report))
    rows = len(report.predictors)
    figure = prepare_figure(figure, (3 * PANEL_IN[0], rows * PANEL_IN[1] + 0.6))
    grid = figure.add_gridspec(rows, 3, width_ratios=(1.25, 0.95, 1.0))
    for row, predictor in enumerate(report.predictors):
        panels = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_measured(panels[0], report, row)
        _draw_confusion(panels[1], report, predictor)
        _draw_scores(panels[2], predictor)
    default = f"{report.images}: requested against measured density (dataset {report.data})"
    figure.suptitle(truncate_text(title or default, 3 * NAME_CHARACTERS))
    return figure


def _draw_measured(axes: Axes, report: FidelityReport, column: int) -> None:
    """Draws the measured density against the requested one."""
    predictor = report.predictors[column]
    if report.label_kind == "class":
        _draw_classes(axes, report, column)
    else:
        _draw_values(axes, report, column)
    _set_density_scale(axes, report, column)
    axes.set_title(predictor.name, loc="left", color=LINE_COLOURS[1] if predictor.is_void else TEXT_COLOUR)
    axes.set_ylabel(wrap_text(f"measured density ({report.unit})", NAME_CHARACTERS))
    legend = axes.legend(
        loc="lower right", ncols=3, handlelength=1.2, handletextpad=0.3, columnspacing=0.8, markerscale=2, **ABOVE
    )
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def _draw_classes(axes: Axes, report: FidelityReport, column: int) -> None:
    """Draws points and a box per class, and shades the densities that belong to the class."""
    edges = [0.0, *report.class_bounds, np.inf]
    for index, (low, high) in enumerate(itertools.pairwise(edges)):
        axes.fill_between([index - 0.45, index + 0.45], low, min(high, 1e9), color="#e8eef2", linewidth=0, zorder=0)
    for images, offset, colour, label in _kinds(report):
        for index in range(len(report.classes)):
            values = np.array([item.measured[column] for item in images if item.requested_class == index])
            _draw_box(axes, values, index + offset, colour, label if index == 0 else None)
    axes.set_xticks(range(len(report.classes)), [truncate_text(name, 14) for name in report.classes])
    axes.set_xlim(-0.5, len(report.classes) - 0.5)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("requested class (shaded: its densities)")


def _draw_box(axes: Axes, values: npt.NDArray[np.float64], x: float, colour: str, label: str | None) -> None:
    """Draws points, a box from the lower to the upper quartile, and the median."""
    if not len(values):
        return
    shown = np.sort(values)[:: max(1, len(values) // (MAX_POINTS // 3))]
    jitter = JITTER * np.random.default_rng(0).uniform(-1, 1, len(shown))
    axes.scatter(x + jitter, shown, s=12, color=colour, alpha=0.4, linewidths=0, label=label)
    low, middle, high = np.quantile(values, WINDOW_QUANTILES)
    box: dict[str, Any] = {"facecolor": "none", "edgecolor": "#333333", "linewidth": 1.2, "zorder": 3}
    axes.add_patch(mpl.patches.Rectangle((x - JITTER, low), 2 * JITTER, high - low, **box))
    axes.plot([x - JITTER, x + JITTER], [middle, middle], color="#111111", linewidth=2.2, zorder=4)


def _draw_values(axes: Axes, report: FidelityReport, column: int) -> None:
    """Draws points against the requested density, and the identity."""
    for images, _, colour, label in reversed(_kinds(report)):
        kept = images[:: max(1, len(images) // MAX_POINTS)]
        x, y = [item.requested for item in kept], [item.measured[column] for item in kept]
        axes.scatter(x, y, s=14, color=colour, alpha=0.45, linewidths=0, label=label)
    ends = [min(item.requested for item in report.measured), max(item.requested for item in report.measured)]
    axes.plot(ends, ends, color="#333333", linewidth=1.4, linestyle="--", label="as requested")
    axes.set_xlabel(wrap_text(f"requested density ({report.unit})", NAME_CHARACTERS))


def _kinds(report: FidelityReport) -> list[tuple[tuple[MeasuredImage, ...], float, str, str]]:
    """Images, offset, colour and name of generated and of real images."""
    name = "generated" if report.truncation_psi is not None else truncate_text(report.images, 20)
    return [
        (report.measured, -PAIR_OFFSET, GENERATED_COLOUR, name),
        (report.held_out, PAIR_OFFSET, REAL_COLOUR, "real"),
    ]


def _set_density_scale(axes: Axes, report: FidelityReport, column: int) -> None:
    """Sets a logarithmic y axis over the measured densities, linear near 0 if some are 0; and x axis for values."""
    values = np.array([item.measured[column] for item in (*report.measured, *report.held_out)])
    positive = values[values > report.log_offset / 10]
    has_zeros = len(positive) < len(values)
    if report.label_kind == "value":
        _set_log_scale(axes.xaxis, has_zeros, report.log_offset, minor_thresholds=(1.0, 0.4))
    _set_log_scale(axes.yaxis, has_zeros, report.log_offset, minor_thresholds=(2.5, 0.6))
    low = float(positive.min()) if len(positive) else report.log_offset
    axes.set_ylim(0 if has_zeros else low / 1.15, float(values.max()) * 1.15)


def _set_log_scale(axis: Axis, has_zeros: bool, offset: float, minor_thresholds: tuple[float, float]) -> None:
    """Makes an axis logarithmic with decimal numbers; linear below the offset if there are zeros."""
    setter = axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    if has_zeros:
        setter("symlog", linthresh=offset)
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        setter("log")
        axis.set_major_formatter(PlainLogFormatter())
        axis.set_minor_formatter(PlainLogFormatter(minor_thresholds=minor_thresholds))


def _draw_confusion(axes: Axes, report: FidelityReport, predictor: PredictorReport) -> None:
    """Draws the fractions of each requested class; below each, in brackets, those of real images."""
    generated, real = (_row_fractions(scores.confusion) for scores in (predictor.generated, predictor.held_out))
    axes.imshow(generated, cmap=DENSITY_COLOUR_MAP, vmin=0, vmax=1, aspect="equal")
    font_size = 13 if len(report.classes) <= 4 else 10
    for row, column in np.ndindex(generated.shape):
        colour = "black" if generated[row, column] > LIGHT_CELL else "white"
        text = f"{generated[row, column]:.0%}\n({real[row, column]:.0%})"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=font_size, linespacing=1.3)
    names = [truncate_text(name, 14) for name in report.classes]
    long = max(map(len, names)) > 8
    axes.set_xticks(range(len(names)), names, rotation=25 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="measured class", ylabel="requested class")
    axes.set_title("generated (real, held out)", loc="left", fontsize=12, color=MUTED_COLOUR)
    axes.grid(visible=False)


def _row_fractions(confusion: tuple[tuple[int, ...], ...]) -> npt.NDArray[np.float64]:
    counts = np.array(confusion, float)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _draw_scores(axes: Axes, predictor: PredictorReport) -> None:
    """Draws scores as bars, the floor as a line with a band of one standard error, and chance as a dotted line."""
    scores: list[tuple[str, MetricValue | None, MetricValue | None, float]] = [
        ("accuracy", predictor.generated.accuracy, predictor.held_out.accuracy, predictor.chance_accuracy),
        ("ordered\npairs", predictor.generated.ordering, predictor.held_out.ordering, 0.5),
        ("rank\ncorrelation", predictor.generated.spearman, predictor.held_out.spearman, 0.0),
    ]
    shown = [item for item in scores if item[1] is not None]
    for index, (_, value, floor, chance) in enumerate(shown):
        assert value is not None
        bar: dict[str, Any] = {"color": GENERATED_COLOUR, "alpha": 0.25 if predictor.is_void else 0.85}
        axes.bar(index, value.value, yerr=value.standard_error, capsize=4, width=0.62, **bar)
        colour = TEXT_COLOUR if predictor.is_void or value.value < MIN_LABELLED_BAR else "white"
        axes.text(index, 0.02, f"{value.value:.2f}", ha="center", va="bottom", color=colour, fontsize=13, zorder=5)
        ends = [index - 0.42, index + 0.42]
        if floor is not None:
            label = "real images (floor)" if index == 0 else None
            axes.plot(ends, [floor.value] * 2, color=REAL_COLOUR, linewidth=3.2, label=label)
            error = floor.standard_error or 0
            band: dict[str, Any] = {"color": REAL_COLOUR, "alpha": 0.25, "linewidth": 0, "zorder": 1.5}
            axes.fill_between(ends, floor.value - error, min(floor.value + error, 1.0), **band)
        label = "chance" if index == 0 else None
        axes.plot(ends, [chance] * 2, color="#333333", linestyle=":", linewidth=2.2, label=label)
    lowest = min([0.0, *(item[1].value - (item[1].standard_error or 0) for item in shown if item[1] is not None)])
    axes.set_ylim(lowest - 0.05 * (lowest < 0), 1.05)
    axes.set_xticks(range(len(shown)), [name for name, *_ in shown])
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower right", ncols=2, columnspacing=1.2, **ABOVE)
    if predictor.is_void:
        text = wrap_text(f"void: {predictor.void_reasons[0]}", NAME_CHARACTERS)
        box = {"facecolor": "white", "edgecolor": LINE_COLOURS[1], "boxstyle": "round"}
        place: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "bbox": box, "zorder": 6}
        axes.text(0.5, 0.5, text, color=LINE_COLOURS[1], fontsize=11, **place)
