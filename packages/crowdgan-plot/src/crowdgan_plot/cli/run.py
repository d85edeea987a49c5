"""`crowdgan plot run`: HTML report of a training run."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_plot.cli.figures import echo_note
from crowdgan_plot.cli.options import PATH, overwrite_option
from crowdgan_plot.output import import_matplotlib


@click.command("run")
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, default="run.html", show_default=True, help="Output file (.html).")
@click.option(
    "--smooth",
    metavar="KIMG",
    type=click.FloatRange(min=0),
    help="Moving average in kimg.  [default: 2 % of a run of 200+ lines]",
)
@overwrite_option
def command(run: Path, out: Path, smooth: float | None, overwrite: bool) -> None:
    """Write a self-contained HTML report of a training run.

    The report shows losses, scores, augmentation and speed, samples over time, and all options. RUN is a run folder,
    of crowdgan or the official trainer.

    \b
    Examples:
      crowdgan plot run runs/00000-stylegan3-t
      crowdgan plot run runs/00000-stylegan3-t --out report.html --smooth 50 --overwrite
    """
    import_matplotlib()
    from crowdgan_plot.report.page import write_run_report

    with progress_bar() as progress:
        path = write_run_report(run, out, smooth_kimg=smooth, overwrite=overwrite, progress=progress, on_note=echo_note)
    echo_note(f"wrote {path}")
