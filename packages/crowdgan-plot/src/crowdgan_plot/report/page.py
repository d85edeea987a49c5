"""HTML report of a training run: statistics, samples over time and options, in one self-contained file."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from crowdgan_core.errors import CrowdganError, DatasetError
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.io.html_page import check_html_path, facts_table_html, image_html, notes_html, render_page
from crowdgan_core.io.run_folder import RunFolder, image_size_of
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.report.charts import RunChart
from crowdgan_plot.report.contents import run_charts, run_facts
from crowdgan_plot.report.previews import (
    GridPreview,
    SampleGridFile,
    flatten_options,
    list_sample_grids,
    read_preview,
    read_row_names,
)
from crowdgan_plot.training.stats import read_stats

MAX_FRAMES = 60
"""Maximum number of sample grids in a report; more would make it slow to open."""

MIN_SMOOTHED_PX = 400
"""Width of a preview in pixels below which its pixels are drawn as squares."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A report, and messages about it."""

    page: str
    """HTML of the whole page."""
    notes: tuple[str, ...]
    """Messages about missing or skipped parts."""


def write_run_report(
    run: str | Path | RunFolder,
    dest: str | Path,
    *,
    smooth_kimg: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_note: Callable[[str], None] = logger.warning,
) -> Path:
    """Writes a self-contained HTML report of a run, and returns its path.

    Args:
        run: the run folder.
        dest: output file (.html).
        smooth_kimg: width of the moving average in kimg; None for 2 % of a run of 200 lines or more.
        overwrite: overwrite the file if it exists.
        progress: receives one step per sample grid.
        on_note: receives messages about missing or skipped parts.

    Raises:
        ConfigError: `dest` does not end in .html.
        DatasetError: not a run folder, no statistics, invalid options, or the file cannot be written.
    """
    dest = Path(dest)
    check_html_path(dest, overwrite=overwrite)
    report = render_report(run, smooth_kimg, progress)
    write_bytes(dest, report.page.encode("utf-8"), overwrite=overwrite)
    for note in report.notes:
        on_note(note)
    return dest


def render_report(
    run: str | Path | RunFolder, smooth_kimg: float | None = None, progress: Progress | None = None
) -> RunReport:
    """The report of a run; arguments and errors are those of `write_run_report`."""
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    if not folder.path.is_dir():
        raise DatasetError(f"{folder.path}: no such folder; it must be a run folder")
    stats = read_stats(folder)
    if not len(stats):
        raise DatasetError("; ".join([f"{stats.name}: no lines in the statistics yet", *stats.notes]))
    options = folder.options()
    notes = list(stats.notes)
    reals, fakes = list_sample_grids(folder)
    shown_fakes = evenly_spaced(fakes, MAX_FRAMES)
    if len(shown_fakes) < len(fakes):
        notes.append(f"{len(shown_fakes)} of {len(fakes)} sample grids are included, evenly spaced")
    image_size, progress = image_size_of(options), progress or NullProgress()
    progress.start("reading samples", len(reals) + len(shown_fakes))
    real_previews = _read_previews(reals, image_size, notes, progress)
    fake_previews = _read_previews(shown_fakes, image_size, notes, progress)
    charts = run_charts(folder, stats, smooth_kimg)
    missing = [chart.title.lower() for chart in charts if not chart.has_values]
    notes += [f"no chart of {title}: no such values in stats.jsonl" for title in missing]
    samples = _samples_html(real_previews, fake_previews, [name for grid in reals for name in read_row_names(grid)])
    content = "\n".join(
        [
            f"<h2>Samples</h2>\n{samples}",
            '<h2>Statistics</h2>\n<div class="charts">',
            *(_chart_html(chart) for chart in charts if chart.has_values),
            "</div>\n<h2>Options</h2>",
            facts_table_html(flatten_options(options)) or "<p>No training_options.json in the run folder.</p>",
            notes_html(notes),
        ]
    )
    page = render_page(
        stats.name, run_facts(stats), content, style=_read_resource("page.css"), script=_read_resource("samples.js")
    )
    return RunReport(page=page, notes=tuple(notes))


def _read_previews(
    grids: Iterable[SampleGridFile], image_size: tuple[int, int] | None, notes: list[str], progress: Progress
) -> list[GridPreview]:
    """Previews; a grid that cannot be read, for example while it is being written, is skipped with a note."""
    previews = []
    for grid in grids:
        try:
            previews.append(read_preview(grid, image_size))
        except CrowdganError as error:
            notes.append(f"{error}; skipped")
        progress.advance()
    return previews


def _chart_html(chart: RunChart) -> str:
    image = image_html(chart.title, chart.draw(), "svg+xml")
    return f"<article><h3>{chart.title}</h3><p>{chart.description}</p>{image}</article>"


def _samples_html(reals: Sequence[GridPreview], fakes: Sequence[GridPreview], row_names: Sequence[str]) -> str:
    if not reals and not fakes:
        return "<p>No sample grids in the run folder.</p>"
    rows = f" Rows from top to bottom: {html.escape(', '.join(row_names))}." if row_names else ""
    caption = f"<p>Real images.{rows}</p>"
    parts = [f'<figure class="{_sharpness(reals)}">{_preview_html(reals[0])}{caption}</figure>'] if reals else []
    if fakes:
        parts.append(
            f'<figure class="{_sharpness(fakes)}"><div id="film">{"".join(map(_preview_html, fakes))}</div>'
            '<div class="controls" id="controls" hidden><button id="play" type="button">play</button>'
            f'<input id="slider" type="range" min="0" max="{len(fakes) - 1}" value="0" aria-label="training progress">'
            '<output id="when"></output></div><p>Generated images over the course of training.</p></figure>'
        )
    return f'<div class="samples">{"".join(parts)}</div>'


def _sharpness(grids: Sequence[GridPreview]) -> str:
    return "sharp" if grids[0].size[1] < MIN_SMOOTHED_PX else "smooth"


def _preview_html(grid: GridPreview) -> str:
    height, width = grid.size
    return image_html(grid.label, grid.jpeg, "jpeg", f' width="{width}" height="{height}"')


def _read_resource(name: str) -> str:
    return files("crowdgan_plot.report").joinpath(name).read_text(encoding="utf-8")
