"""The table at the end of `label` and `convert`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from crowdgan_core.cli.texts import printable
from crowdgan_core.summary import Summary, counted


def print_summary(summary: Summary, dest: Path) -> None:
    """Prints what became of the pictures: in, out, skipped and why, class balance, value range."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [("pictures in", f"{summary.pictures_in}"), ("pictures out", f"{summary.pictures_out}")]
    rows += [("skipped", counted(reason, names)) for reason, names in summary.skipped.items()]
    for index, name in enumerate(summary.classes):
        count = summary.label_counts[index]
        rows.append((name, f"{count} ({count / summary.pictures_out:.0%})"))
    if summary.value_range is not None:
        low, high = summary.value_range
        rows.append(("density", f"{low:.4g} to {high:.4g} {summary.unit}"))
    rows.append(("time", f"{summary.elapsed_s:.1f} s{_rate(summary)}"))
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    for name, text in rows:
        table.add_row(Text(printable(name)), Text(printable(text), overflow="fold"))
    click.echo(printable(str(dest)))
    Console().print(table)
    sheet = f"{dest.with_suffix('')}-sheet.png"
    click.echo(printable(f"Look at it: crowdgan inspect {shlex.quote(str(dest))} --contact-sheet {shlex.quote(sheet)}"))


def _rate(summary: Summary) -> str:
    """The speed, where a coarse clock has seen any time pass."""
    return f", {summary.pictures_in / summary.elapsed_s:.1f} pictures/s" if summary.elapsed_s > 0 else ""
