"""Output of the figure that a command plots: a file, or a window."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_plot.output import check_figure_path, import_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOW_BACKENDS = ("QtAgg", "TkAgg", "GTK4Agg", "GTK3Agg", "WxAgg", "MacOSX")
"""Interactive matplotlib backends; the first one that works is used."""

Plot = Callable[["Figure | None"], "Figure"]
"""Draws into the given figure, or a new one for None, and returns it."""


def echo_note(note: str) -> None:
    """Prints a message of a plot function on stderr."""
    click.echo(printable(note), err=True)


def check_target(out: Path, *, show: bool, overwrite: bool) -> None:
    """Checks before any work that a figure can be written, or shown.

    Raises:
        ConfigError: the suffix is not a figure format, or no window can be opened.
        DatasetError: the file exists and `overwrite` is False.
    """
    if show:
        choose_window_backend()
    else:
        check_figure_path(out, overwrite=overwrite)
        import_matplotlib()


def save_or_show(plot: Plot, out: Path, *, show: bool, overwrite: bool) -> None:
    """Plots a figure, and writes it to a file or shows it in a window until the window is closed."""
    if show:
        PlotWindow(plot).show()
    else:
        from crowdgan_plot.style import save_figure

        save_figure(plot(None), out, overwrite=overwrite)
        echo_note(f"wrote {out}")


class PlotWindow:
    """An open window with a figure; the only use of pyplot.

    Raises:
        ConfigError: no window can be opened.
    """

    def __init__(self, plot: Plot) -> None:
        choose_window_backend()
        import matplotlib.pyplot as plt

        from crowdgan_plot.fonts import GLYPH_WARNING
        from crowdgan_plot.style import StableLayoutEngine, plot_style

        self._pyplot, self._plot_style = plt, plot_style
        warnings.filterwarnings("ignore", GLYPH_WARNING.pattern)  # one message names the characters
        with plot_style():
            self._figure = plt.figure(layout=StableLayoutEngine())
        try:
            self._draw(plot)
        except BaseException:
            plt.close(self._figure)
            raise

    @property
    def is_open(self) -> bool:
        """Whether the user has not closed the window."""
        return self._pyplot.fignum_exists(self._figure.number)

    def redraw(self, plot: Plot, wait_s: float) -> None:
        """Plots again and handles events of the window for `wait_s` seconds."""
        self._draw(plot)
        self.wait(wait_s)

    def wait(self, wait_s: float) -> None:
        """Handles events of the window for `wait_s` seconds."""
        with self._plot_style():
            self._pyplot.pause(wait_s)

    def show(self) -> None:
        """Shows the window and returns when the user closes it."""
        with self._plot_style():
            self._pyplot.show(block=True)

    def _draw(self, plot: Plot) -> None:
        from crowdgan_plot.fonts import render_with_fallback_fonts, warn_of_missing_glyphs

        plot(self._figure)
        with self._plot_style():
            render_with_fallback_fonts(self._figure, self._figure.draw_without_rendering, warn_of_missing_glyphs)


def choose_window_backend() -> None:
    """Switches matplotlib to a backend that opens windows.

    Raises:
        ConfigError: there is no display, or no window library.
    """
    import_matplotlib()
    import matplotlib.pyplot as plt

    for name in WINDOW_BACKENDS:
        try:
            plt.switch_backend(name)
        except ImportError:  # matplotlib raises this without the library and without a display
            continue
        return
    raise ConfigError("--show: no window can be opened (no display, or none of Qt, Tk, GTK and wx); use --out")
