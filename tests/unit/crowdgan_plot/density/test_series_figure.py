"""Figures of density over time."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.table_files import write_table
from crowdgan_plot.density.level_bands import spread_positions
from crowdgan_plot.density.series_figure import plot_series
from crowdgan_plot.density.series_table import read_series


def row(time_s: float, density: float | None, zone: str = "gate", **changes: Any) -> dict[str, Any]:
    """A row of a table of `crowdgan density series`."""
    return {
        "time_s": time_s,
        "image": f"frame {time_s:g}",
        "zone": zone,
        "person_count": 5,
        "density_per_m2": density,
        "interval_low_per_m2": None if density is None else 0.8 * density,
        "interval_high_per_m2": None if density is None else 1.3 * density,
        "smoothed_density_per_m2": None,
        "warning": None,
        "estimator": "ground",
        "scale": "0.5,1,2",
        **changes,
    }


ROWS = [row(10.0 * n, None if n == 3 else 0.2 + 0.2 * n) for n in range(6)]


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def legend_title(figure: Figure) -> str:
    return figure.legends[0].get_title().get_text()


def test_unknown_densities_are_gaps_and_levels_are_named() -> None:
    figure = plot_series(ROWS)
    (axes,) = figure.axes
    line = next(item for item in axes.lines if item.get_label() == "density")
    y = np.asarray(line.get_ydata(), float)
    assert np.isnan(y[3])
    assert y[[0, 1, 2, 4, 5]] == pytest.approx([0.2, 0.4, 0.6, 1.0, 1.2])
    assert texts(figure) == {"below 0.5", "0.5 to 1", "1 to 2"}
    assert legend(figure) == ["95 % interval", "density", "unknown"]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("gate", "time (s)")
    assert axes.get_ylim()[1] > 1.2


def test_each_zone_has_a_panel_with_the_same_scale() -> None:
    rows = [*ROWS, *(row(10.0 * n, 0.05 * n, "stage") for n in range(6))]
    figure = plot_series(rows)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["gate", "stage"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert [axes.get_title(loc="left") for axes in plot_series(rows, zones=["stage"]).axes] == ["stage"]
    with pytest.raises(ConfigError, match="no such zone other; choose from gate, stage"):
        plot_series(rows, zones=["other"])
    with pytest.raises(ConfigError, match="the table has 13 zones; choose at most 12"):
        plot_series([row(0, 1.0, str(number)) for number in range(13)])


def test_a_warning_of_all_frames_is_drawn_at_the_frame_that_it_names() -> None:
    warning = "the camera may have moved at frame_4: people's heights change by +9%; frames before it are affected, too"
    rows = [row(60.0 * n, 0.5, image=f"frame_{n}", warning=warning) for n in range(9)]
    (series,), _ = read_series(rows)
    assert series.warning_s == 240.0


def test_smoothed_densities_and_warnings_are_drawn() -> None:
    rows = [row(60.0 * n, 0.5, smoothed_density_per_m2=0.4, warning="moved" if n > 2 else None) for n in range(9)]
    figure = plot_series(rows)
    assert legend(figure) == ["95 % interval", "density of a frame", "moving median", "camera may have moved"]
    (axes,) = figure.axes
    assert axes.get_xlabel() == "time (min)"
    warning = next(item for item in axes.lines if item.get_label() == "camera may have moved")
    assert list(warning.get_xdata()) == [3.0, 3.0]


def test_high_intervals_are_cut_and_marked() -> None:
    figure = plot_series([row(n, 1.0, interval_high_per_m2=7.25 if n in (1, 4) else 1.3) for n in range(6)])
    (axes,) = figure.axes
    assert axes.get_ylim() == (0, 3.0)
    assert legend(figure) == ["95 % interval", "interval ends above the axis", "density"]
    marks = next(item for item in axes.lines if item.get_label() == "interval ends above the axis")
    assert list(marks.get_xdata()) == [1, 4]
    assert [text.get_text() for text in axes.texts if text.get_text().startswith("up")] == ["up to 7.2"]
    whole = plot_series([row(n, 1.0, interval_high_per_m2=2.5) for n in range(6)])
    assert whole.axes[0].get_ylim()[1] > 2.5
    assert legend(whole) == ["95 % interval", "density"]


def test_the_interval_of_a_frame_between_unknown_densities_is_a_bar() -> None:
    (axes,) = plot_series([row(n, None if n in (1, 3) else 1.0) for n in range(6)]).axes
    bars = next(item for item in axes.collections if isinstance(item, LineCollection))
    np.testing.assert_allclose(np.array(bars.get_segments()), [[[0, 0.8], [0, 1.3]], [[2, 0.8], [2, 1.3]]])


def test_thin_levels_are_named_beside_their_bands_without_overlap() -> None:
    figure = plot_series([row(n, 9.0, scale="fruin-walkway") for n in range(3)])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [*"ABCDEF"]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert all(low.y1 <= high.y0 for low, high in itertools.pairwise(boxes))
    assert axes.get_window_extent().y0 <= boxes[0].y0
    assert all(box.x0 > axes.get_window_extent().x1 for box in boxes)
    assert legend_title(figure) == "levels of service: fruin-walkway"
    assert legend_title(plot_series(ROWS)) == ""


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([], []),
        ([0.5], [0.5]),
        ([0.01], [0.1]),
        ([0.99], [0.9]),
        ([0.3, 0.4, 0.8], [0.3, 0.5, 0.8]),
        ([0.85, 0.9, 0.95], [0.5, 0.7, 0.9]),
        ([0.0, 0.0, 0.0, 1.0, 1.0], [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_positions_are_spread_only_as_far_as_necessary(positions: list[float], expected: list[float]) -> None:
    assert spread_positions(positions, 0.2) == pytest.approx(expected)


@pytest.mark.parametrize("densities", [[0.0, 0.0], [None, None], [1.5]])
def test_zones_without_people_or_known_density_are_drawn(densities: list[float | None]) -> None:
    figure = plot_series([row(n, density) for n, density in enumerate(densities)])
    figure.draw_without_rendering()
    assert math.isfinite(figure.axes[0].get_ylim()[1])


def test_without_the_estimator_no_levels_are_drawn() -> None:
    assert texts(plot_series([row(n, 1.0, estimator="not-installed") for n in range(3)])) == set()


@pytest.mark.parametrize("suffix", ["csv", "json", "xlsx", "parquet"])
def test_tables_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    for package in {"xlsx": ["openpyxl"], "parquet": ["pandas", "pyarrow"]}.get(suffix, []):
        pytest.importorskip(package)
    write_table(ROWS, tmp_path / f"series.{suffix}")
    ((series,), levels), ((expected,), _) = read_series(tmp_path / f"series.{suffix}"), read_series(ROWS)
    assert series.times_s == expected.times_s
    np.testing.assert_equal(series.densities_per_m2, expected.densities_per_m2)
    assert levels is not None
    assert levels.bounds.values == (0.5, 1.0, 2.0)


def test_other_tables_are_errors_that_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    for rows, reason in (
        ([], "the table has no rows"),
        ([{"image": "a", "zone": "b"}], "no column time_s; it must be a table of `crowdgan density series --out`"),
        ([row(0, 1.0), row(0, 1.0)], "time_s of gate does not increase from row to row"),
        ([row(0, 1.0, density_per_m2="much")], "row 1: density_per_m2 is 'much'; it must be a number, or empty"),
    ):
        write_table(rows, path, overwrite=True)
        with pytest.raises(DatasetError, match=reason) as error:
            plot_series(path)
        assert str(error.value).startswith(f"{path}: ")
