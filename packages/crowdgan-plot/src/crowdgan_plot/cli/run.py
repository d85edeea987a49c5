"""`crowdgan plot run`: one page of a training run."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.cli.common.progress_bars import progress_bar
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite, write_file
from crowdgan_plot.cli.figures import echo_notes
from crowdgan_plot.cli.options import PATH

SUFFIXES = (".html", ".htm")


@click.command("run")
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, default="run.html", show_default=True, help="Page to write: .html.")
@click.option(
    "--smooth",
    metavar="KIMG",
    type=click.FloatRange(min=0),
    help="Draw means over a window of so many kimg.  [default: 2 % of a run of 200 lines or more]",
)
@click.option("--overwrite", is_flag=True, help="Replace the page if it exists.")
def command(run: Path, out: Path, smooth: float | None, overwrite: bool) -> None:
    """Make a page of a training run: losses, scores, augmentation, speed, samples over time, settings.

    RUN is the folder of a run, ours or the official trainer's. The page is one file that needs no network.

    \b
    Examples:
      crowdgan plot run runs/00000-stylegan3-t
      crowdgan plot run runs/00000-stylegan3-t --out report.html --smooth 50 --overwrite
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {out}: its name must end in one of {', '.join(SUFFIXES)}")
    check_overwrite(out, overwrite=overwrite)
    from crowdgan_plot.report.page import run_page

    with progress_bar() as progress:
        page = run_page(run, smooth, progress)
    write_file(out, page.text.encode("utf-8"), overwrite=overwrite)
    echo_notes(page.notes)
    click.echo(printable(f"written: {out}"), err=True)
