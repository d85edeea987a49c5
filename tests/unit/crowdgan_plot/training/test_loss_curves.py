"""Figures of training runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import KIMG_KEY
from crowdgan_plot.style import LINE_COLOURS
from crowdgan_plot.training.loss_curves import KIMG_AXIS, LOSS_KEYS, plot_losses, select_runs
from crowdgan_plot.training.quantities import quantity_of
from crowdgan_plot.training.series import moving_average
from crowdgan_plot.training.stats import RunStats
from tests.support.run_folders import stats_lines


def synthetic_run(name: str, count: int, seed: int = 0, **changes: np.ndarray) -> RunStats:
    lines = stats_lines(count, seed=seed)
    records = [{key: entry["mean"] for key, entry in line.items() if isinstance(entry, dict)} for line in lines]
    means = {key: np.array([record.get(key, np.nan) for record in records]) for key in records[0]}
    return RunStats(name=name, kimg=means[KIMG_KEY], means={**means, **changes})


def test_one_run_shows_both_losses_with_their_values(figure: Figure) -> None:
    run = synthetic_run("one", 50)
    assert plot_losses(run, figure=figure) is figure
    [axes] = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines) == ["generator G", "discriminator D"]
    for label, key in (("generator G", "Loss/G/loss"), ("discriminator D", "Loss/D/loss")):
        assert lines[label].get_xdata().tolist() == run.kimg.tolist()
        assert lines[label].get_ydata().tolist() == run.means[key].tolist()
    assert [line.get_color() for line in lines.values()] == list(LINE_COLOURS[:2])
    assert (axes.get_xlabel(), axes.get_ylabel()) == (KIMG_AXIS, "logistic loss (nats)")
    assert axes.get_legend() is not None


def test_joined_runs_share_colours_and_their_joins_are_marked_and_named(figure: Figure) -> None:
    runs = [synthetic_run("first", 300), synthetic_run("second", 150, 1), synthetic_run("third", 9, 2)]
    plot_losses(*runs, figure=figure)
    [axes] = figure.axes
    joins = [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == "_join"]
    assert joins == [1196, 1196 + 596]
    curves = [line for line in axes.get_lines() if line.get_label() != "_join"]
    assert [len(line.get_xdata()) for line in curves] == [300, 135, 9] * 2
    assert [line.get_color() for line in curves] == [*[LINE_COLOURS[0]] * 3, *[LINE_COLOURS[1]] * 3]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["generator G", "discriminator D"]
    assert [text.get_text().strip() for text in axes.texts] == ["first", "second", ""]


def test_separate_runs_have_a_panel_per_key_and_a_colour_each(figure: Figure) -> None:
    plot_losses(synthetic_run("one", 30), synthetic_run("two", 40), joined=False, figure=figure)
    assert [axes.get_ylabel().replace("\n", " ") for axes in figure.axes] == [
        "generator G: logistic loss (nats)",
        "discriminator D: logistic loss (nats)",
    ]
    for axes in figure.axes:
        assert [(line.get_label(), line.get_color()) for line in axes.get_lines()] == [
            ("one", LINE_COLOURS[0]),
            ("two", LINE_COLOURS[1]),
        ]
    assert [axes.get_legend() is not None for axes in figure.axes] == [True, False]


def test_smoothing_draws_the_moving_average_over_faint_values(figure: Figure) -> None:
    run = synthetic_run("one", 50)
    plot_losses(run, keys=["Loss/G/loss"], smooth_kimg=40.0, figure=figure)
    raw, mean = figure.axes[0].get_lines()
    assert raw.get_ydata().tolist() == run.means["Loss/G/loss"].tolist()
    assert raw.get_alpha() < 0.5
    assert mean.get_ydata().tolist() == moving_average(run.kimg, run.means["Loss/G/loss"], 40.0).tolist()


def test_keys_of_one_unit_share_a_panel(figure: Figure) -> None:
    keys = ("Loss/G/loss", "Loss/scores/real/dense", "Progress/augment", "Loss/scores/fake", "Resources/cpu_mem_gb")
    plot_losses(synthetic_run("one", 30), keys=keys, figure=figure)
    labels = [[line.get_label() for line in axes.get_lines()] for axes in figure.axes]
    assert labels == [
        ["generator G"],
        ["real, dense", "generated images"],
        ["augmentation p (0–1)"],
        ["Resources/cpu_mem_gb"],
    ]
    assert figure.axes[3].get_ylabel().replace("\n", " ") == "Resources/cpu_mem_gb: memory (GB)"
    assert figure.get_figheight() > 10


def test_a_logarithmic_axis_and_a_title_are_drawn_on_request(figure: Figure) -> None:
    plot_losses(synthetic_run("one", 30), log=True, title="$x$ of 7", figure=figure)
    figure.draw_without_rendering()
    [axes] = figure.axes
    assert axes.get_yscale() == "log"
    assert "$" not in "".join(label.get_text() for label in axes.get_yticklabels(which="both"))
    assert figure.get_suptitle() == "$x$ of 7"


def test_values_at_snapshots_only_are_connected_and_marked(figure: Figure) -> None:
    key = "Collapse/spread/dense"
    run = synthetic_run("one", 45)
    plot_losses(run, keys=[key], figure=figure)
    [line] = figure.axes[0].get_lines()
    assert line.get_xdata().tolist() == [0, 40, 80, 120, 160]
    assert line.get_ydata().tolist() == run.means[key][::10].tolist()
    assert line.get_marker() == "o"
    assert select_runs([run], [key], log=False)[1] == []


def test_a_single_value_has_a_marker(figure: Figure) -> None:
    plot_losses(synthetic_run("one", 1), figure=figure)
    assert [line.get_marker() for line in figure.axes[0].get_lines()] == ["o", "o"]


def test_runs_without_values_are_skipped_with_a_message() -> None:
    gaps = np.array([1.0, np.nan, np.inf, -1.0, 0.0])
    holed = synthetic_run("holed", 5, **{"Loss/G/loss": gaps})
    empty = RunStats(name="empty", kimg=np.empty(0), means={})
    other = RunStats(name="other", kimg=np.arange(2.0), means={"b": np.ones(2), "a": np.ones(2)}, notes=("other: cut",))
    half = RunStats(name="half", kimg=np.arange(2.0), means={"Loss/G/loss": np.ones(2)})
    usable, notes = select_runs([holed, empty, other, half], LOSS_KEYS, log=True)
    assert [run.name for run in usable] == ["holed", "half"]
    assert notes == [
        "holed: gaps, because Loss/G/loss is not finite in 2 of 5 lines",
        "empty: skipped, no lines yet",
        "other: cut",
        "other: skipped, no values of Loss/G/loss or Loss/D/loss; available keys: a, b",
        "half: no values of Loss/D/loss",
    ]


def test_messages_are_passed_on_before_the_figure_is_drawn(figure: Figure) -> None:
    notes: list[str] = []
    runs = [synthetic_run("one", 30), synthetic_run("two", 40), RunStats(name="three", kimg=np.empty(0), means={})]
    plot_losses(*runs, figure=figure, on_note=notes.append)
    assert notes == ["three: skipped, no lines yet", "two: dropped 4 lines after the join (--skip)"]


def test_values_hidden_by_a_logarithmic_axis_are_reported() -> None:
    run = synthetic_run("run", 3, **{"Loss/G/loss": np.array([1.0, 0.0, -1.0])})
    assert select_runs([run], LOSS_KEYS, log=True)[1] == [
        "run: Loss/G/loss is 0 or negative in 2 lines, which a logarithmic axis does not show"
    ]
    assert select_runs([run], LOSS_KEYS, log=False)[1] == []


def test_runs_without_any_values_are_an_error_that_lists_the_available_keys() -> None:
    run = RunStats(name="run", kimg=np.arange(2.0), means={"Loss/X": np.ones(2)})
    with pytest.raises(DatasetError) as caught:
        select_runs([run], ["Loss/Y"], log=False)
    assert str(caught.value) == ("no values to plot: run: skipped, no values of Loss/Y; available keys: Loss/X")
    with pytest.raises(DatasetError, match="no values to plot: no runs given"):
        plot_losses()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ()}, "no keys given"),
        ({"smooth_kimg": -1.0}, "--smooth -1.0: the width of the moving average must be 0 kimg or more"),
        ({"smooth_kimg": float("nan")}, "--smooth nan: the width of the moving average must be 0 kimg or more"),
        ({"skip_lines": -1}, "--skip -1: the number of lines must be 0 or more"),
    ],
)
def test_options_out_of_range_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plot_losses(synthetic_run("one", 3), **options)


def test_an_unknown_key_is_its_own_name_and_axis_label() -> None:
    assert quantity_of("My/key").name == quantity_of("My/key").axis == "My/key"
    assert quantity_of("Collapse/spread/dense").name == "dense"
    assert quantity_of("Metrics/kid_lite0").name == "kid_lite0"
    assert quantity_of("Metrics/kid50k_full").axis == quantity_of("Metrics/kid_lite0").axis
    assert quantity_of("Metrics/fid50k_full").axis != quantity_of("Metrics/fd_lite0").axis
    assert quantity_of("Metrics/density_fidelity_mae_floor").axis.startswith("density fidelity: mean error")
    assert quantity_of("Metrics/mine").name == quantity_of("Metrics/mine").axis == "mine"


def test_the_figure_equals_the_baseline_image(figure: Figure, compare_with_baseline: Any) -> None:
    plot_losses(synthetic_run("first", 300), synthetic_run("second", 150, 1), smooth_kimg=40.0, figure=figure)
    compare_with_baseline(figure, "losses")
