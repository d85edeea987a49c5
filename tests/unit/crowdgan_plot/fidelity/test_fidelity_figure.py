"""The figure of density fidelity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from crowdgan_core.errors import DatasetError
from crowdgan_core.metrics.fidelity_report import FidelityReport, MeasuredImage, encode_report
from crowdgan_plot.fidelity.fidelity_figure import plot_fidelity
from crowdgan_plot.style import encode_figure, plot_style
from tests.support.fidelity_reports import CLASSES, example_report


def texts(figure: Figure) -> str:
    """All texts of the figure as SVG."""
    with plot_style():
        return encode_figure(figure, "svg").decode()


def with_zeros(report: FidelityReport) -> FidelityReport:
    """The report with some measured densities of 0."""
    measured = [
        MeasuredImage(
            name=item.name, requested_class=item.requested_class, requested=item.requested, measured=(0.0, 1.0)
        )
        for item in report.measured[::7]
    ]
    return replace(report, measured=(*report.measured, *measured))


def test_the_figure_shows_a_row_per_predictor_with_scores_and_floor() -> None:
    figure = plot_fidelity(example_report())
    assert len(figure.axes) == 6
    scores = figure.axes[2]
    assert [bar.get_height() for bar in scores.patches] == pytest.approx([0.7, 0.85, 0.7])
    floors = [line for line in scores.lines if len(set(line.get_ydata())) == 1 and line.get_linewidth() > 3]
    assert [line.get_ydata()[0] for line in floors] == pytest.approx([0.9, 0.95, 0.9])
    text = texts(figure)
    for expected in ("ridge", "cnn", *CLASSES, "model.safetensors", "crowds.zip", "70%", "(90%)", "persons per cell"):
        assert expected in text


def test_boxes_have_the_quartiles_of_the_measured_densities() -> None:
    report = example_report()
    axes = plot_fidelity(report).axes[0]
    values = [item.measured[0] for item in report.measured if item.requested_class == 0]
    low, high = np.quantile(values, [0.25, 0.75])
    box = axes.patches[0].get_bbox()
    assert (box.y0, box.y1) == pytest.approx((low, high))


def test_continuous_labels_are_plotted_against_the_requested_density() -> None:
    axes = plot_fidelity(example_report("value")).axes[0]
    assert axes.get_xlabel() == "requested density (persons per cell)"
    (identity,) = axes.lines
    assert np.array_equal(identity.get_xdata(), identity.get_ydata())


@pytest.mark.parametrize("label_kind", ["class", "value"])
def test_measured_densities_of_0_are_drawn(label_kind: str) -> None:
    axes = plot_fidelity(with_zeros(example_report(label_kind))).axes[0]
    assert axes.get_ylim()[0] == 0
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels
    assert all(float(text) >= 0 for text in labels if text)
    assert min(point[1] for item in axes.collections for point in np.asarray(item.get_offsets()).tolist()) == 0


def test_void_scores_are_marked_with_the_reason() -> None:
    figure = plot_fidelity(example_report(void=True))
    (note,) = [text.get_text() for text in figure.axes[2].texts if "void" in text.get_text()]
    assert note.startswith("void: the predictor does not measure")
    assert not [text for axes in figure.axes[3:] for text in axes.texts if "void" in text.get_text()]


def test_a_report_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(encode_report(example_report()))
    figures = plot_fidelity(path), plot_fidelity(example_report())
    first, second = ([text.get_text() for axes in figure.axes for text in axes.texts] for figure in figures)
    assert first == second
    with pytest.raises(DatasetError, match="cannot be read"):
        plot_fidelity(tmp_path / "missing.json")
