"""What becomes of a figure that a command draws: a file, or a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import write_file
from crowdgan_plot.output import checked_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOWS = ("QtAgg", "TkAgg", "GTK4Agg", "GTK3Agg", "WxAgg", "MacOSX")
"""Ways of matplotlib to open a window; the first that works here is taken."""

Draw = Callable[["Figure"], None]
"""Draws into an empty figure."""


def echo_notes(notes: Iterable[str]) -> None:
    """Says on stderr what was left out or moved, a line each."""
    for note in notes:
        click.echo(printable(note), err=True)


def check_target(out: Path, *, show: bool, overwrite: bool) -> None:
    """Checks before any work that a figure can be written, or shown.

    Raises:
        ConfigError: no such kind of file, or no window can be opened.
        DatasetError: the file exists and is not to be replaced.
    """
    if show:
        choose_window()
    else:
        checked_output(out, overwrite=overwrite)


def finish(draw: Draw, figure: Callable[[], Figure], out: Path, *, show: bool, overwrite: bool) -> None:
    """Draws a figure, and writes it to a file or opens it in a window until that is closed."""
    if show:
        open_window(draw, figure()).show()
    else:
        save(draw, figure(), out, overwrite=overwrite)
        click.echo(printable(f"written: {out}"), err=True)


def save(draw: Draw, figure: Figure, out: Path, *, overwrite: bool) -> None:
    """Draws a figure and writes it to a file, whole or not at all."""
    from crowdgan_plot.style import encode_figure, plot_style

    with plot_style():
        draw(figure)
        data = encode_figure(figure, checked_output(out, overwrite=overwrite))
    write_file(out, data, overwrite=overwrite)


class PlotWindow:
    """An open window with a figure of pyplot's, the only place where that is used."""

    def __init__(self, size_in: tuple[float, float]) -> None:
        import matplotlib.pyplot as plt

        self._pyplot = plt
        self.figure = plt.figure(figsize=size_in, layout="constrained")

    @property
    def is_open(self) -> bool:
        """Whether the user has not closed it."""
        return self._pyplot.fignum_exists(self.figure.number)

    def redraw(self, draw: Draw, wait_s: float) -> None:
        """Draws anew and lets the window live for some seconds."""
        from crowdgan_plot.style import plot_style

        with plot_style():
            self.figure.clear()
            draw(self.figure)
            self._pyplot.pause(wait_s)

    def wait(self, wait_s: float) -> None:
        """Lets the window live for some seconds."""
        self._pyplot.pause(wait_s)

    def show(self) -> None:
        """Returns when the user has closed it."""
        self._pyplot.show(block=True)


def open_window(draw: Draw, like: Figure) -> PlotWindow:
    """A window with what is drawn, as large as an empty figure `like` it."""
    from crowdgan_plot.style import plot_style

    choose_window()
    with plot_style():
        window = PlotWindow(tuple(like.get_size_inches()))
        draw(window.figure)
    return window


def choose_window() -> None:
    """Makes matplotlib open windows.

    Raises:
        ConfigError: there is no display, or no library that opens windows.
    """
    import matplotlib.pyplot as plt

    for name in WINDOWS:
        try:
            plt.switch_backend(name)
        except ImportError:  # no such library, or no display: matplotlib raises this for both
            continue
        return
    raise ConfigError("--show: no window can be opened here (no display, or no Qt, Tk, GTK or wx); write --out")
