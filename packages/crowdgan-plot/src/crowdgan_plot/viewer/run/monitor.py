"""The contents of a run folder, also while the run trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import RunFolder, image_size_of
from crowdgan_plot.report.charts import RunChart
from crowdgan_plot.report.contents import run_charts, run_facts
from crowdgan_plot.report.previews import (
    SampleGridFile,
    flatten_options,
    list_sample_grids,
    read_preview,
    read_row_names,
)
from crowdgan_plot.training.stats import RunStats, StatsReader


class RunMonitor:
    """Reads a run folder; new lines of the statistics are read by their position in the file.

    The methods are called in one thread. Nothing in the folder is changed or locked.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._reader: StatsReader | None = None
        self._stats: RunStats | None = None
        self._charts: list[RunChart] = []
        self._drawn: dict[int, bytes] = {}

    def poll(self) -> dict[str, Any]:
        """State of the run, JSON-ready.

        Raises:
            DatasetError: a file cannot be read.
        """
        self._read_stats()
        reals, fakes = list_sample_grids(self.run)
        snapshots = self.run.snapshots()
        stats = self._stats
        return {
            "lines": 0 if stats is None else len(stats),
            "facts": [] if stats is None or not len(stats) else run_facts(stats),
            "notes": [] if stats is None else stats.notes,
            "charts": [{"title": chart.title, "description": chart.description} for chart in self._charts],
            "grids": [grid.label for grid in fakes],
            "rows": [name for grid in reals for name in read_row_names(grid)],
            "has_reals": bool(reals),
            "snapshot": snapshots[-1][1].name if snapshots else None,
            "seconds_since_update": self._age_s(),
        }

    def options(self) -> list[tuple[str, str]]:
        """Names and values of the options of the run as text."""
        return list(flatten_options(self.run.options()))

    def chart(self, index: int) -> bytes:
        """A chart as an SVG file; drawn once per state of the statistics.

        Raises:
            ConfigError: no such chart.
        """
        if not 0 <= index < len(self._charts):
            raise ConfigError(f"chart {index}: the run has {len(self._charts)} charts")
        if index not in self._drawn:
            self._drawn[index] = self._charts[index].draw()
        return self._drawn[index]

    def reals(self) -> bytes:
        """The grid of real images as a JPEG file.

        Raises:
            ConfigError: there is none.
        """
        return self._preview(list_sample_grids(self.run)[0], 0)

    def grid(self, index: int) -> bytes:
        """A grid of generated images as a JPEG file.

        Raises:
            ConfigError: no such grid.
        """
        return self._preview(list_sample_grids(self.run)[1], index)

    def _preview(self, grids: Sequence[SampleGridFile], index: int) -> bytes:
        if not 0 <= index < len(grids):
            raise ConfigError(f"sample grid {index}: the run has {len(grids)}")
        return read_preview(grids[index], image_size_of(self.run.options())).jpeg

    def _read_stats(self) -> None:
        if self._reader is None:
            try:
                self._reader = StatsReader(self.run)
            except DatasetError:  # training has not written the file yet
                return
        if self._reader.poll() or self._stats is None:
            self._stats = self._reader.stats()
            charts = run_charts(self.run, self._stats) if len(self._stats) else []
            self._charts = [chart for chart in charts if chart.has_values]
            self._drawn = {}

    def _age_s(self) -> float | None:
        """Seconds since the statistics changed; None without them."""
        path: Path = self.run.stats_path
        try:
            return max(0.0, time.time() - path.stat().st_mtime)
        except OSError:
            return None
