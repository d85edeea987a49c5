"""Levels of service as bands behind a curve of density, with their names at the right."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from crowdgan_plot.density.series_table import Levels
from crowdgan_plot.style import MUTED_COLOUR, class_colours, truncate_text

LEVEL_ALPHA = 0.45
"""Opacity of the colours of the levels, which are those of density maps."""

NAME_PT, LINE_HEIGHT = 11.0, 1.3
"""Maximum size of the names in points, and the distance of two names in sizes."""

NAME_CHARACTERS = 14
"""Maximum number of characters of a name."""

AXES_FRACTION = 0.75
"""Height of all axes as a fraction of that of the figure, approximately; the layout is not final yet."""

LEADER_START, LEADER_END, NAME_START = 1.004, 1.017, 1.022
"""Ends of the line from a band to its name, and the start of the name, in widths of the axes."""


def draw_levels(axes: Axes, levels: Levels, top: float) -> None:
    """Draws the levels up to the density `top` as bands, and their names, also those of thin bands."""
    edges = [0.0, *levels.bounds.values, np.inf]
    bands = [(low, min(high, top)) for low, high in itertools.pairwise(edges) if low < top]
    for (low, high), colour in zip(bands, class_colours(len(levels.classes)), strict=False):
        axes.axhspan(low, high, color=colour, alpha=LEVEL_ALPHA, linewidth=0, zorder=0)
        if low > 0:
            axes.axhline(low, color="white", linewidth=1.2, zorder=0.5)
    size_pt = min(NAME_PT, _height_pt(axes) / LINE_HEIGHT / len(bands))
    middles = [(low + high) / 2 / top for low, high in bands]
    heights = spread_positions(middles, LINE_HEIGHT * size_pt / _height_pt(axes))
    for name, middle, height in zip(levels.classes, middles, heights, strict=False):
        leader: dict[str, Any] = {"color": MUTED_COLOUR, "linewidth": 0.8, "clip_on": False}
        axes.plot([LEADER_START, LEADER_END], [middle, height], transform=axes.transAxes, **leader)
        text: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "va": "center", "fontsize": size_pt}
        axes.text(NAME_START, height, truncate_text(name, NAME_CHARACTERS), **text)


def spread_positions(positions: Sequence[float], distance: float) -> list[float]:
    """Increasing positions from 0 to 1, moved apart to a minimum distance where they are nearer.

    Args:
        positions: increasing, from 0 to 1.
        distance: at most 1 / number of positions.
    """
    moved = list(positions)
    for number, position in enumerate(moved):
        low = distance / 2 if number == 0 else moved[number - 1] + distance
        moved[number] = max(position, low)
    for number in reversed(range(len(moved))):
        high = 1 - distance / 2 if number == len(moved) - 1 else moved[number + 1] - distance
        moved[number] = min(moved[number], high)
    return moved


def _height_pt(axes: Axes) -> float:
    """Approximate height of the axes in points."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return 72 * AXES_FRACTION * float(figure.get_figheight()) / len(figure.axes)
