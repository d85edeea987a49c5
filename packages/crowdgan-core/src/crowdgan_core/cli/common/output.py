"""Tables on stdout: the summary of `label` and `convert`, and those of commands that measure."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import click

from crowdgan_core.pipeline.summary import BuildSummary
from crowdgan_core.utils.formatting import count_and_list

MAX_WIDTH = 10_000
"""Characters of the widest table."""


def print_summary(summary: BuildSummary, dest: Path) -> None:
    """Prints what became of the images: in, out, skipped and why, class balance, value range."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [("images in", f"{summary.num_read}"), ("images out", f"{summary.num_written}")]
    rows += [("skipped", count_and_list(reason, names)) for reason, names in summary.skipped.items()]
    for index, name in enumerate(summary.classes):
        count = summary.label_counts[index]
        rows.append((name, f"{count} ({count / summary.num_written:.0%})"))
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


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left: Container[str] = ()) -> None:
    """Prints a table; columns are flush right but those whose header is among `left`, which a narrow terminal folds.

    Where stdout is no terminal, the table is as wide as it needs to be: no text is folded.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        is_left = header in left
        table.add_column(header, justify="left" if is_left else "right", overflow="fold", no_wrap=not is_left)
    for row in rows:
        table.add_row(*(Text(printable(text)) for text in row))
    console = Console()
    if not console.is_terminal:
        wide = console.options.update(max_width=MAX_WIDTH)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)


def print_skipped(skipped: Mapping[str, Sequence[str]]) -> None:
    """Says on stderr what was left out and why, a line per reason."""
    for reason, names in skipped.items():
        click.echo(printable(f"left out: {count_and_list(reason, names)}"), err=True)


def _rate(summary: BuildSummary) -> str:
    """The speed, where a coarse clock has seen any time pass."""
    return f", {summary.num_read / summary.elapsed_s:.1f} images/s" if summary.elapsed_s > 0 else ""


def printable(text: str) -> str:
    """The text on one line: line ends become spaces, what is no printable character its escape."""
    return "".join(item if item.isprintable() else _escaped(item) for item in " ".join(text.splitlines()))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
