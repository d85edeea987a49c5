"""The table at the end of `label` and `convert`."""

from __future__ import annotations

from pathlib import Path

import click

from crowdgan_core.summary import Summary, counted


def print_summary(summary: Summary, dest: Path) -> None:
    """Prints what became of the pictures: in, out, skipped and why, class balance, value range."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{dest}", title_justify="left", show_header=False)
    table.add_row("pictures in", f"{summary.pictures_in}")
    table.add_row("pictures out", f"{summary.pictures_out}")
    for reason, names in summary.skipped.items():
        table.add_row("skipped", counted(reason, names))
    for index, name in enumerate(summary.classes):
        count = summary.label_counts[index]
        table.add_row(name, f"{count} ({count / summary.pictures_out:.0%})")
    if summary.value_range is not None:
        low, high = summary.value_range
        table.add_row("density", f"{low:.4g} to {high:.4g} {summary.unit}")
    table.add_row("time", f"{summary.elapsed_s:.1f} s, {summary.pictures_in / summary.elapsed_s:.1f} pictures/s")
    Console().print(table)
    click.echo(f"Look at it: crowdgan inspect {dest} --contact-sheet {dest.with_suffix('')}-sheet.png")
