"""Charts of the run report: SVG files, as matplotlib writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from crowdgan_plot.style import add_legend_above, encode_figure, format_thousands, new_figure, plot_style
from crowdgan_plot.training.loss_curves import LOSS_KEYS, draw_curves
from crowdgan_plot.training.series import concatenate_runs
from crowdgan_plot.training.stats import RunStats

CHART_IN = (7.0, 3.3)
"""Width and height of a chart in inches."""

CHART_STYLE = {"savefig.transparent": True, "legend.frameon": False}
"""Changes of the style: the background is that of the page."""


@dataclass(frozen=True, kw_only=True)
class RunChart:
    """A chart of a run."""

    title: str
    description: str
    """One sentence of HTML."""
    draw: Callable[[], bytes]
    """Returns the chart as an SVG file with transparent background."""
    has_values: bool = True
    """Whether the run has values for it."""


@dataclass(frozen=True, kw_only=True)
class ChartSpec:
    """Title, description and keys of a chart."""

    title: str
    description: str
    """One sentence of HTML."""
    keys: tuple[str, ...] = ()
    prefix: str | None = None
    """Prefix of further keys, one per class."""

    def available_keys(self, stats: RunStats) -> list[str]:
        """Keys of the chart for which the run has finite values."""
        keys = [key for key in self.keys if key in stats.means]
        keys += [key for key in stats.means if self.prefix is not None and key.startswith(self.prefix)]
        return [key for key in keys if np.isfinite(stats.means[key]).any()]


CHARTS = (
    ChartSpec(title="Losses", description="Losses of generator and discriminator.", keys=LOSS_KEYS),
    ChartSpec(
        title="Scores",
        description="Discriminator output; a large gap means that real and generated images are easily separated.",
        keys=("Loss/scores/real", "Loss/scores/fake"),
    ),
    ChartSpec(
        title="Real scores per class",
        description="A class whose score rises above the others is overfitted, or has too few images.",
        prefix="Loss/scores/real/",
    ),
    ChartSpec(
        title="Diversity per class",
        description="RMS difference between generated images of a class; a decrease towards 0 is mode collapse.",
        prefix="Collapse/spread/",
    ),
    ChartSpec(
        title="Augmentation",
        description="Augmentation probability, which ADA increases when the discriminator overfits.",
        keys=("Progress/augment",),
    ),
    ChartSpec(
        title="R1 penalty",
        description="Squared gradient norm of the discriminator on real images.",
        keys=("Loss/r1_penalty",),
    ),
    ChartSpec(title="Speed", description="Seconds per thousand real images.", keys=("Timing/sec_per_kimg",)),
)


def draw_chart(spec: ChartSpec, stats: RunStats, smooth_kimg: float) -> bytes:
    """A chart of a run as an SVG file with transparent background."""
    keys = spec.available_keys(stats)
    runs = concatenate_runs([stats], 0)
    return encode_chart(lambda axes: draw_curves(axes, runs, keys, smooth_kimg=smooth_kimg))


def encode_chart(draw: Callable[[Axes], None]) -> bytes:
    """A chart over the training progress as an SVG file with transparent background.

    Args:
        draw: draws the curves and sets the label of the y axis.
    """
    with plot_style(**CHART_STYLE):
        figure = new_figure(CHART_IN)
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel("kimg (thousands of real images)")
        format_thousands(axes.xaxis)
        add_legend_above(figure, axes)
        return encode_figure(figure, "svg")
