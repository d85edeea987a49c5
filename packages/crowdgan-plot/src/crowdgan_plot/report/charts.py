"""Charts as pieces of a page: SVG whose colours the page chooses, so that it reads in light and dark."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from crowdgan_plot.style import INK, LINE_COLOURS, RC, legend_above, plot_style, thousands
from crowdgan_plot.training.loss_curves import draw_curves
from crowdgan_plot.training.quantities import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from crowdgan_plot.training.series import AlignedRuns, concatenate_runs
from crowdgan_plot.training.stats import RunStats

CHART_IN = (7.0, 3.3)

PAGE_COLOURS = {
    INK: "--ink",
    RC["grid.color"]: "--line",
    "#ffffff": "--card",
    **{colour: f"--c{number}" for number, colour in enumerate(LINE_COLOURS)},
}
"""Colour of a figure to the page's variable that takes its place."""

NOT_SHOWN = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|\s(?:width|height)=\"[\d.]+pt\"", re.DOTALL
)
"""What an SVG file has and a piece of a page has not."""


@dataclass(frozen=True, kw_only=True)
class ChartKind:
    """Something to be shown of a run."""

    title: str
    text: str
    """What it tells, in a sentence."""
    keys: tuple[str, ...] = ()
    prefix: str | None = None
    """Start of further keys that are shown, one per class."""

    def found(self, stats: RunStats) -> list[str]:
        """The keys that the run has values of."""
        named = [key for key in self.keys if key in stats.means]
        started = [key for key in stats.means if self.prefix is not None and key.startswith(self.prefix)]
        return [key for key in (*named, *started) if np.isfinite(stats.means[key]).any()]


KINDS = (
    ChartKind(
        title="Losses", text="Of the generator and the discriminator.", keys=(GENERATOR_LOSS, DISCRIMINATOR_LOSS)
    ),
    ChartKind(
        title="Scores",
        text="What the discriminator says of real and of generated images; far apart, it tells them with ease.",
        keys=("Loss/scores/real", "Loss/scores/fake"),
    ),
    ChartKind(
        title="Real scores per class",
        text="A class whose score runs ahead is learnt by heart, or too small.",
        prefix="Loss/scores/real/",
    ),
    ChartKind(
        title="Spread per class",
        text="How much generated images of a class differ; one that falls towards 0 has collapsed.",
        prefix="Collapse/spread/",
    ),
    ChartKind(
        title="Augmentation",
        text="The probability that ADA sets, so that the discriminator does not learn the images by heart.",
        keys=("Progress/augment",),
    ),
    ChartKind(title="R1 penalty", text="Squared gradient of D at real images.", keys=("Loss/r1_penalty",)),
    ChartKind(title="Speed", text="Seconds per thousand real images.", keys=("Timing/sec_per_kimg",)),
)


def chart(kind: ChartKind, stats: RunStats, number: int, smooth_kimg: float) -> str:
    """A chart of a run as SVG for a page, its ids unlike those of charts with other numbers; empty without values."""
    keys = kind.found(stats)
    if not keys:
        return ""
    return page_svg(_figure(concatenate_runs([stats], 0), keys, smooth_kimg), number, kind.title)


def page_svg(figure: Figure, number: int, label: str) -> str:
    """A figure as SVG for a page: without a size of its own, in the page's colours."""
    file = io.StringIO()
    with plot_style():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = NOT_SHOWN.sub("", file.getvalue())
    for start in ('id="', 'href="#', "url(#"):
        text = text.replace(start, f"{start}c{number}-")
    for colour, variable in PAGE_COLOURS.items():
        text = text.replace(colour.lower(), f"var({variable})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1).strip()


def _figure(arrangement: AlignedRuns, keys: Sequence[str], smooth_kimg: float) -> Figure:
    with plot_style():
        figure = Figure(figsize=CHART_IN, layout="constrained")
        axes = figure.subplots()
        draw_curves(axes, arrangement, keys, smooth_kimg=smooth_kimg)
        axes.set_xlabel("kimg (thousands of real images)")
        thousands(axes.xaxis)
        legend_above(figure, axes)
    return figure
