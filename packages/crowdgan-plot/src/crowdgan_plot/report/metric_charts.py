"""Charts of quality metrics over training: the values in the files `metric-NAME.jsonl` of a run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes

from crowdgan_core.io.metric_records import MetricRecord, read_metric_records
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_plot.report.charts import RunChart, encode_chart
from crowdgan_plot.style import legend_label, line_style, wrap_text
from crowdgan_plot.training.loss_curves import AXIS_LABEL_CHARACTERS
from crowdgan_plot.training.quantities import METRIC_PREFIX, quantity_of

DESCRIPTION = "Quality metric of the snapshots, with standard errors where they are estimated."

HIDDEN_KEYS = ("density_fidelity_void",)
"""Keys of values that are not scores."""

CAP_SIZE_PT = 3
"""Length of the caps of error bars in points."""

RecordsByKey = Mapping[str, Sequence[MetricRecord]]
"""The records with a finite value of each key."""


def metric_charts(run: RunFolder) -> list[RunChart]:
    """Charts of the metrics of a run, one per axis label; empty without metrics.

    Raises:
        DatasetError: a file cannot be read.
    """
    charts: dict[str, dict[str, list[MetricRecord]]] = {}
    for path in run.metric_paths().values():
        for record in read_metric_records(path):
            for key, value in record.results.items():
                if math.isfinite(value) and key not in HIDDEN_KEYS:
                    axis = quantity_of(METRIC_PREFIX + key).axis
                    charts.setdefault(axis, {}).setdefault(key, []).append(record)
    return [
        RunChart(
            title=f"{axis[:1].upper()}{axis[1:]}",
            description=DESCRIPTION,
            draw=partial(encode_chart, partial(_draw_metrics, records_by_key=records_by_key, axis=axis)),
        )
        for axis, records_by_key in charts.items()
    ]


def _draw_metrics(axes: Axes, *, records_by_key: RecordsByKey, axis: str) -> None:
    """Draws values with standard errors, one curve per key."""
    for index, (key, records) in enumerate(records_by_key.items()):
        ordered = sorted(records, key=lambda record: record.kimg)
        errors = [record.standard_errors.get(key, math.nan) for record in ordered]
        axes.errorbar(
            [record.kimg for record in ordered],
            [record.results[key] for record in ordered],
            yerr=None if all(map(math.isnan, errors)) else errors,
            label=legend_label(quantity_of(METRIC_PREFIX + key).name),
            marker="o",
            markersize=4,
            capsize=CAP_SIZE_PT,
            **line_style(index),
        )
    axes.set_ylabel(wrap_text(axis, AXIS_LABEL_CHARACTERS))
    axes.margins(x=0.03)
