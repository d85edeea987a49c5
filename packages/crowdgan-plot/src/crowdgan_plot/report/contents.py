"""Charts and facts of a run, which the report and the viewer show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.utils.formatting import format_duration
from crowdgan_plot.report.charts import CHARTS, RunChart, draw_chart
from crowdgan_plot.report.metric_charts import metric_charts
from crowdgan_plot.training.quantities import DISCRIMINATOR_LOSS_KEY, GENERATOR_LOSS_KEY
from crowdgan_plot.training.stats import RunStats

SMOOTH_MIN_LINES = 200
"""Number of lines from which curves are smoothed by default."""

SMOOTH_FRACTION = 0.02
"""Default width of the moving average, as a fraction of the run."""

FACTS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Timing/total_sec", "elapsed time", format_duration),
    ("Timing/sec_per_kimg", "speed", lambda value: f"{value:.3g} s/kimg"),
    (GENERATOR_LOSS_KEY, "last loss of G", lambda value: f"{value:.3g} nats"),
    (DISCRIMINATOR_LOSS_KEY, "last loss of D", lambda value: f"{value:.3g} nats"),
    ("Progress/augment", "augmentation p", lambda value: f"{value:.3g}"),
)
"""Key, name and formatting of the last values that summarise a run."""


def run_charts(run: RunFolder, stats: RunStats, smooth_kimg: float | None = None) -> list[RunChart]:
    """The charts of a run: metrics, and then statistics; they are drawn on demand.

    Args:
        run: the run folder.
        stats: its statistics.
        smooth_kimg: width of the moving average in kimg; None for 2 % of a run of 200 lines or more.

    Raises:
        DatasetError: a file cannot be read.
    """
    window_kimg = _default_window(stats) if smooth_kimg is None else smooth_kimg
    of_statistics = [
        RunChart(
            title=spec.title,
            description=spec.description,
            draw=partial(draw_chart, spec, stats, window_kimg),
            has_values=bool(spec.available_keys(stats)),
        )
        for spec in CHARTS
    ]
    return [*metric_charts(run), *of_statistics]


def _default_window(stats: RunStats) -> float:
    """Default width of the moving average in kimg."""
    return SMOOTH_FRACTION * float(np.ptp(stats.kimg)) if len(stats) >= SMOOTH_MIN_LINES else 0.0


def run_facts(stats: RunStats) -> list[tuple[str, str]]:
    """Names and values that summarise a run: progress, time, speed and the last losses."""
    facts = [("training progress", f"{stats.kimg[-1]:,.6g} kimg"), ("lines of statistics", f"{len(stats):,}")]
    for key, name, format_value in FACTS:
        values = stats.means.get(key, np.empty(0))
        finite = values[np.isfinite(values)]
        if len(finite):
            facts.append((name, format_value(float(finite[-1]))))
    return facts
