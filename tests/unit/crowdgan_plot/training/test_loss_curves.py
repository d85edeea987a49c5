"""What the figures of runs hold."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.style import LINE_COLOURS
from crowdgan_plot.training.loss_curves import KIMG_AXIS, LossPlotConfig, align_runs, draw_losses, select_runs
from crowdgan_plot.training.quantities import quantity
from crowdgan_plot.training.series import moving_average
from crowdgan_plot.training.stats import KIMG, RunStats
from tests.support.run_folders import stats_lines


def made_up(name: str, count: int, seed: int = 0, **changes: np.ndarray) -> RunStats:
    lines = stats_lines(count, seed=seed)
    told = [{key: entry["mean"] for key, entry in line.items() if isinstance(entry, dict)} for line in lines]
    means = {key: np.array([line.get(key, np.nan) for line in told]) for key in told[0]}
    return RunStats(name=name, kimg=means[KIMG], means={**means, **changes})


def drawn(figure: Figure, runs: list[RunStats], settings: LossPlotConfig) -> None:
    draw_losses(figure, align_runs(runs, settings), settings)


def test_one_run_shows_both_losses_with_their_values(figure: Figure) -> None:
    run = made_up("one", 50)
    drawn(figure, [run], LossPlotConfig())
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
    runs = [made_up("first", 300), made_up("second", 150, 1), made_up("third", 9, 2)]
    drawn(figure, runs, LossPlotConfig())
    [axes] = figure.axes
    joins = [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == "_join"]
    assert joins == [1196, 1196 + 596]
    curves = [line for line in axes.get_lines() if line.get_label() != "_join"]
    assert [len(line.get_xdata()) for line in curves] == [300, 135, 9] * 2
    assert [line.get_color() for line in curves] == [*[LINE_COLOURS[0]] * 3, *[LINE_COLOURS[1]] * 3]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["generator G", "discriminator D"]
    assert [text.get_text().strip() for text in axes.texts] == ["first", "second", ""]


def test_separate_runs_have_a_panel_per_key_and_a_colour_each(figure: Figure) -> None:
    drawn(figure, [made_up("one", 30), made_up("two", 40)], LossPlotConfig(separate=True))
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


def test_smoothing_draws_means_over_faint_values(figure: Figure) -> None:
    run = made_up("one", 50)
    drawn(figure, [run], LossPlotConfig(keys=("Loss/G/loss",), smooth_kimg=40.0))
    raw, mean = figure.axes[0].get_lines()
    assert raw.get_ydata().tolist() == run.means["Loss/G/loss"].tolist()
    assert raw.get_alpha() < 0.5
    assert mean.get_ydata().tolist() == moving_average(run.kimg, run.means["Loss/G/loss"], 40.0).tolist()


def test_keys_of_one_unit_share_a_panel(figure: Figure) -> None:
    keys = ("Loss/G/loss", "Loss/scores/real/dense", "Progress/augment", "Loss/scores/fake", "Resources/cpu_mem_gb")
    drawn(figure, [made_up("one", 30)], LossPlotConfig(keys=keys))
    labels = [[line.get_label() for line in axes.get_lines()] for axes in figure.axes]
    assert labels == [
        ["generator G"],
        ["real, dense", "generated images"],
        ["augmentation p (0–1)"],
        ["Resources/cpu_mem_gb"],
    ]
    assert figure.axes[3].get_ylabel().replace("\n", " ") == "Resources/cpu_mem_gb: memory (GB)"
    assert figure.get_figheight() > 10


def test_a_logarithmic_axis_and_a_title_are_drawn_when_asked_for(figure: Figure) -> None:
    drawn(figure, [made_up("one", 30)], LossPlotConfig(log=True, title="$x$ of 7"))
    figure.draw_without_rendering()
    [axes] = figure.axes
    assert axes.get_yscale() == "log"
    assert "$" not in "".join(label.get_text() for label in axes.get_yticklabels(which="both"))
    assert figure.get_suptitle() == "$x$ of 7"


def test_what_is_told_at_snapshots_alone_is_drawn_from_one_to_the_next(figure: Figure) -> None:
    key = "Collapse/spread/dense"
    run = made_up("one", 45)
    drawn(figure, [run], LossPlotConfig(keys=(key,)))
    [line] = figure.axes[0].get_lines()
    assert line.get_xdata().tolist() == [0, 40, 80, 120, 160]
    assert line.get_ydata().tolist() == run.means[key][::10].tolist()
    assert line.get_marker() == "o"
    assert select_runs([run], LossPlotConfig(keys=(key,)))[1] == []


def test_a_single_value_is_seen(figure: Figure) -> None:
    drawn(figure, [made_up("one", 1)], LossPlotConfig())
    assert [line.get_marker() for line in figure.axes[0].get_lines()] == ["o", "o"]


def test_runs_without_anything_to_draw_are_left_out_and_named() -> None:
    gaps = np.array([1.0, np.nan, np.inf, -1.0, 0.0])
    holed = made_up("holed", 5, **{"Loss/G/loss": gaps})
    empty = RunStats(name="empty", kimg=np.empty(0), means={})
    other = RunStats(name="other", kimg=np.arange(2.0), means={"b": np.ones(2), "a": np.ones(2)}, notes=("other: cut",))
    half = RunStats(name="half", kimg=np.arange(2.0), means={"Loss/G/loss": np.ones(2)})
    usable, notes = select_runs([holed, empty, other, half], LossPlotConfig(log=True))
    assert [run.name for run in usable] == ["holed", "half"]
    assert notes == [
        "holed: Loss/G/loss has no finite value in 2 of 5 lines: gaps",
        "empty: it has no lines yet: left out",
        "other: cut",
        "other: it has no Loss/G/loss and no Loss/D/loss: left out; it has a, b",
        "half: it has no Loss/D/loss",
    ]


def test_values_that_a_logarithmic_axis_hides_are_said() -> None:
    run = made_up("run", 3, **{"Loss/G/loss": np.array([1.0, 0.0, -1.0])})
    assert select_runs([run], LossPlotConfig(log=True))[1] == [
        "run: Loss/G/loss is 0 or below in 2 lines, which a logarithmic axis does not show"
    ]
    assert select_runs([run], LossPlotConfig())[1] == []


def test_no_usable_run_is_an_error_that_says_what_there_is() -> None:
    run = RunStats(name="run", kimg=np.arange(2.0), means={"Loss/X": np.ones(2)})
    with pytest.raises(DatasetError) as caught:
        select_runs([run], LossPlotConfig(keys=("Loss/Y",)))
    assert str(caught.value) == "run: it has no Loss/Y: left out; it has Loss/X"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keys": ()}, "no keys are given"),
        ({"smooth_kimg": -1.0}, "--smooth -1.0: the window must be 0 kimg or wider"),
        ({"smooth_kimg": float("nan")}, "--smooth nan: the window must be 0 kimg or wider"),
        ({"skip_lines": -1}, "--skip -1: the number of lines must be 0 or above"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LossPlotConfig(**changes)  # type: ignore[arg-type]


def test_an_unknown_key_goes_by_its_own_name() -> None:
    assert quantity("My/key").name == quantity("My/key").axis == "My/key"
    assert quantity("Collapse/spread/dense").name == "dense"


def test_the_figure_looks_as_it_did(figure: Figure, looks_like: object) -> None:
    drawn(figure, [made_up("first", 300), made_up("second", 150, 1)], LossPlotConfig(smooth_kimg=40.0))
    looks_like(figure, "losses")  # type: ignore[operator]
