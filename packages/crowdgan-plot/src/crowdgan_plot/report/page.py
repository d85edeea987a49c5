"""One page of a training run: its statistics, samples over time and settings, in one file that needs no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from crowdgan_core.errors import CrowdganError, DatasetError
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.report.charts import KINDS, chart
from crowdgan_plot.report.previews import (
    GridPreview,
    SampleGridFile,
    flatten_options,
    read_options,
    row_names,
    sample_grids,
    shown_grid,
    tile_size,
)
from crowdgan_plot.training.quantities import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from crowdgan_plot.training.stats import RunStats, read_stats

MAX_FRAMES = 60
"""Grids of a time-lapse; more would make a page that is slow to open."""

SMOOTHED_FROM = 200
"""Lines from which means are drawn over the values, unless another window is asked for."""

SMOOTHED_SHARE = 0.02
"""Their window as a share of the run."""

SHARP_BELOW_PX = 400
"""Width of a grid below which its pixels are shown as squares, not blurred."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page, and what to say of it."""

    text: str
    notes: tuple[str, ...]
    """What was missing or left out."""


def run_page(run: Path, smooth_kimg: float | None = None, progress: Progress | None = None) -> Page:
    """The page of a run.

    Args:
        run: its folder.
        smooth_kimg: window of the means that are drawn over the values; None chooses one for long runs.
        progress: told of each grid of samples; large ones take a second each.

    Raises:
        DatasetError: it is no folder of a run, its statistics are empty, or its settings are damaged.
    """
    if not run.is_dir():
        raise DatasetError(f"{run}: there is no such folder; name the folder of a run")
    stats = read_stats(run)
    if not len(stats):
        raise DatasetError("; ".join([f"{stats.name}: it has no lines yet", *stats.notes]))
    options = read_options(run)
    notes = list(stats.notes)
    reals, fakes = sample_grids(run)
    chosen = evenly_spaced(fakes, MAX_FRAMES)
    if len(chosen) < len(fakes):
        notes.append(f"{len(chosen)} of {len(fakes)} sample grids are shown, evenly spread")
    tile = tile_size(options)
    progress = progress or NullProgress()
    progress.start("reading samples", len(chosen) + (reals is not None))
    both = ([reals] if reals else [], chosen)
    real_shown, shown = (list(_shown(grids, tile, notes, progress)) for grids in both)
    window = _window(stats) if smooth_kimg is None else smooth_kimg
    drawn = [(kind, chart(kind, stats, number, window)) for number, kind in enumerate(KINDS)]
    notes += [f"no chart of {kind.title.lower()}: stats.jsonl has no such values" for kind, svg in drawn if not svg]
    text = Template(files("crowdgan_plot.report").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(stats.name),
        facts="\n".join(f"<li><b>{html.escape(value)}</b><span>{name}</span></li>" for name, value in _facts(stats)),
        samples=_samples(real_shown, shown, row_names(reals) if reals else []),
        charts="\n".join(
            f"<article><h3>{kind.title}</h3><p>{kind.text}</p>{svg}</article>" for kind, svg in drawn if svg
        ),
        settings=_table(flatten_options(options)) or "<p>The folder holds no training_options.json.</p>",
        notes=_notes(notes),
    )
    return Page(text=text, notes=tuple(notes))


def _shown(
    grids: Iterable[SampleGridFile], tile: tuple[int, int] | None, notes: list[str], progress: Progress
) -> Iterable[GridPreview]:
    """Grids that can be read; a note is made of the others, such as one that is being written."""
    for grid in grids:
        try:
            yield shown_grid(grid, tile)
        except CrowdganError as error:
            notes.append(f"{error}: left out")
        progress.advance()


def _window(stats: RunStats) -> float:
    return SMOOTHED_SHARE * float(np.ptp(stats.kimg)) if len(stats) >= SMOOTHED_FROM else 0.0


def _facts(stats: RunStats) -> list[tuple[str, str]]:
    """Names and values of what is shown first."""
    facts = [("length of the training", f"{stats.kimg[-1]:,.6g} kimg"), ("lines of statistics", f"{len(stats):,}")]
    wanted = (
        ("Timing/total_sec", "time so far", _duration),
        ("Timing/sec_per_kimg", "speed", lambda value: f"{value:.3g} s/kimg"),
        (GENERATOR_LOSS, "last loss of G", lambda value: f"{value:.3g} nats"),
        (DISCRIMINATOR_LOSS, "last loss of D", lambda value: f"{value:.3g} nats"),
        ("Progress/augment", "augmentation p", lambda value: f"{value:.3g}"),
    )
    for key, name, shown in wanted:
        values = stats.means.get(key, np.empty(0))
        finite = values[np.isfinite(values)]
        if len(finite):
            facts.append((name, shown(float(finite[-1]))))
    return facts


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"


def _samples(reals: Sequence[GridPreview], fakes: Sequence[GridPreview], rows: Sequence[str]) -> str:
    if not reals and not fakes:
        return "<p>The folder holds no grids of samples.</p>"
    named = f" Rows from above: {html.escape(', '.join(rows))}." if rows else ""
    text = f"<p>Real images.{named}</p>"
    parts = [f'<figure class="{_sharpness(reals)}">{_image(reals[0])}{text}</figure>'] if reals else []
    if fakes:
        parts.append(
            f'<figure class="{_sharpness(fakes)}"><div id="film">{"".join(map(_image, fakes))}</div>'
            '<div class="controls" id="controls" hidden><button id="play" type="button">play</button>'
            f'<input id="slider" type="range" min="0" max="{len(fakes) - 1}" value="0" aria-label="time">'
            '<output id="when"></output></div><p>Generated images over the training.</p></figure>'
        )
    return f'<div class="samples">{"".join(parts)}</div>'


def _sharpness(grids: Sequence[GridPreview]) -> str:
    return "sharp" if grids[0].size[1] < SHARP_BELOW_PX else "smooth"


def _image(grid: GridPreview) -> str:
    data = base64.b64encode(grid.jpeg).decode("ascii")
    height, width = grid.size
    return (
        f'<img alt="{html.escape(grid.label)}" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    text = "\n".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>\n{text}\n</table>" if text else ""


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if notes else ""
