"""Style of figures, and their encoding as files."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_plot.output import FigureFormat
from crowdgan_plot.style import (
    add_legend_above,
    encode_figure,
    legend_label,
    line_style,
    new_figure,
    plot_style,
    prepare_figure,
    save_figure,
    truncate_text,
)


@pytest.mark.parametrize(("file_format", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_equal_figures_give_equal_files(file_format: FigureFormat, start: bytes) -> None:
    files = []
    for _ in range(2):
        with plot_style():
            figure = new_figure()
            figure.subplots().plot([0, 1], [1, 0])
            files.append(encode_figure(figure, file_format))
    assert files[0] == files[1]
    assert files[0].startswith(start)


@pytest.mark.parametrize("error", [-1e-9, 1e-9])
def test_rounding_errors_of_the_layout_do_not_change_the_positions(
    error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def positions() -> list[list[float]]:
        figure = new_figure()
        for number in (1, 2):
            figure.add_subplot(1, 2, number).set(xlabel="x", ylabel=f"y{number}")
        figure.draw_without_rendering()
        return [list(axes.get_position(original=True).bounds) for axes in figure.axes]

    expected, execute = positions(), ConstrainedLayoutEngine.execute

    def execute_inexactly(self: ConstrainedLayoutEngine, fig: Figure) -> None:
        execute(self, fig)
        for axes in fig.axes:
            axes.set_position([value + error for value in axes.get_position(original=True).bounds])
            axes.set_in_layout(True)

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", execute_inexactly)
    assert positions() == expected
    assert expected[0][0] < expected[1][0]


def test_an_image_of_the_default_size_has_1500_by_840_pixels() -> None:
    with plot_style():
        assert Image.open(io.BytesIO(encode_figure(new_figure(), "png"))).size == (1500, 840)


def test_a_given_figure_is_cleared_and_resized(figure: Figure) -> None:
    figure.subplots()
    assert prepare_figure(figure, (3.0, 2.0)) is figure
    assert figure.get_axes() == []
    assert tuple(figure.get_size_inches()) == (3.0, 2.0)
    assert prepare_figure(None, (3.0, 2.0)) is not figure


def test_the_style_ends_with_its_context() -> None:
    before = dict(mpl.rcParams)
    with plot_style(**{"font.size": 20}):
        assert mpl.rcParams["font.size"] == 20
    assert dict(mpl.rcParams) == before


def test_earlier_settings_do_not_change_a_figure() -> None:
    def draw() -> bytes:
        with plot_style():
            figure = new_figure()
            figure.subplots().plot([0, 1], [1, 0], label="a")
            return encode_figure(figure, "png")

    expected = draw()
    changes = {"text.usetex": True, "savefig.bbox": "tight", "axes.facecolor": "red", "font.family": "serif"}
    with mpl.rc_context({**changes, "lines.marker": "o", "axes.prop_cycle": "cycler(color=['k'])"}):
        assert draw() == expected


def test_a_legend_shows_names_that_start_with_an_underscore(figure: Figure) -> None:
    axes = figure.subplots()
    for name in ("_first", "second", "__third"):
        axes.plot([0, 1], label=legend_label(name))
    add_legend_above(figure, axes)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text().lstrip("\N{ZERO WIDTH SPACE}") for text in legend.get_texts()] == [
        "_first",
        "second",
        "__third",
    ]


def test_an_inner_style_keeps_the_changes_of_the_outer_one() -> None:
    with plot_style(**{"font.size": 20}):
        with plot_style(**{"grid.linewidth": 3.0}):
            assert (mpl.rcParams["font.size"], mpl.rcParams["grid.linewidth"]) == (20, 3)
        assert (mpl.rcParams["font.size"], mpl.rcParams["grid.linewidth"]) == (20, 0.8)
    with plot_style():
        assert mpl.rcParams["font.size"] == 13


def test_lines_differ_in_colour_or_style() -> None:
    styles = [tuple(line_style(index).items()) for index in range(28)]
    assert len(set(styles)) == 28


def test_a_long_name_is_truncated() -> None:
    assert (truncate_text("abc", 3), truncate_text("abcd", 3), truncate_text("abcd", 1)) == ("abc", "ab…", "a…")


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_figure_is_saved_in_the_format_of_the_suffix(
    tmp_path: Path, figure: Figure, suffix: str, start: bytes
) -> None:
    path = tmp_path / f"a.{suffix}"
    save_figure(figure, str(path))
    assert path.read_bytes().startswith(start)
    with pytest.raises(DatasetError, match="already exists"):
        save_figure(figure, path)
    save_figure(figure, path, overwrite=True)
