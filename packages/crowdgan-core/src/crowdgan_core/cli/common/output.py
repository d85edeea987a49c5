"""Tables and messages for the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crowdgan_core.utils.formatting import count_and_list

if TYPE_CHECKING:
    from crowdgan_core.density.class_bounds import ClassBounds
    from crowdgan_core.models.card import ModelCard
    from crowdgan_core.models.generation.conditioning import Conditioning
    from crowdgan_core.pipeline.summary import BuildSummary

MAX_TABLE_WIDTH = 10_000
"""Maximum table width outside a terminal, in characters."""


def print_summary(summary: BuildSummary, dest: Path) -> None:
    """Prints the summary of a dataset build: images read, written and skipped, class balance, density range.

    Classes without images are reported on stderr, with the distribution of the densities.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [("images read", f"{summary.num_read}"), ("images written", f"{summary.num_written}")]
    if summary.num_resumed:
        rows.append(("written before", f"{summary.num_resumed}"))
    rows += [("skipped", count_and_list(category, names)) for category, names in summary.skipped.items()]
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
    _print_empty_classes(summary)
    sheet = f"{dest.with_suffix('')}-sheet.png"
    click.echo(printable(f"Next step: crowdgan inspect {shlex.quote(str(dest))} --contact-sheet {shlex.quote(sheet)}"))


def warn_about_extrapolation(card: ModelCard, conditioning: Conditioning) -> None:
    """Prints a warning on stderr if a density is outside the range of the model's training data."""
    from crowdgan_core.models.generation.conditioning import extrapolation_warning, label_vector

    warning = extrapolation_warning(card, label_vector(card, conditioning))
    if warning is not None:
        click.echo(printable(f"warning: {warning}"), err=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left: Container[str] = ()) -> None:
    """Prints a table.

    Columns whose header is in `left` are left-aligned, and a narrow terminal wraps them; others are right-aligned.
    If stdout is not a terminal, the table is as wide as necessary and nothing is wrapped.
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
        wide = console.options.update(max_width=MAX_TABLE_WIDTH)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)


def print_skipped(skipped: Mapping[str, Sequence[str]]) -> None:
    """Prints skipped items on stderr, one line per category."""
    for category, names in skipped.items():
        click.echo(printable(f"skipped: {count_and_list(category, names)}"), err=True)


def printable(text: str) -> str:
    """The text on one line: line ends become spaces, unprintable characters their escape sequences."""
    return "".join(item if item.isprintable() else _escape(item) for item in " ".join(text.splitlines()))


def describe_bounds(bounds: ClassBounds, classes: Sequence[str], unit: str | None = None) -> str:
    """The class boundaries, for example `class boundaries: sparse < 2 <= dense (persons per cell)`."""
    notes = [unit, bounds.scale and f"scale {bounds.scale}"]
    text = "; ".join(note for note in notes if note)
    return f"class boundaries: {bounds.describe(classes)}{f' ({text})' if text else ''}"


def _print_empty_classes(summary: BuildSummary) -> None:
    """Reports the classes of a density estimator that have no images, and how to change the class boundaries."""
    if summary.estimator is None or not summary.empty_classes:
        return
    low, *quartiles, high = (f"{value:.4g}" for value in summary.density_quartiles())
    lines = [
        f"crowdgan: warning: no image has class {' or '.join(summary.empty_classes)}",
        f"  densities: {low} to {high}, quartiles {', '.join(quartiles)} ({summary.unit})",
        f"  {_boundary_hint(summary.estimator, summary.class_bounds, summary.classes)}",
    ]
    for line in lines:
        click.echo(printable(line), err=True)


def _boundary_hint(estimator: str, bounds: ClassBounds | None, classes: Sequence[str]) -> str:
    """The class boundaries of an estimator, and the options that change them."""
    if bounds is None:
        return f"the class boundaries may be options of the estimator: see crowdgan density {estimator}"
    settings = bounds.settings_text()
    remedy = f"change them with {settings}" if settings else f"{estimator} has no option that changes them"
    return f"{describe_bounds(bounds, classes)}; {remedy}"


def _rate(summary: BuildSummary) -> str:
    """Images per second; empty if a coarse clock measured no time."""
    return f", {summary.num_read / summary.elapsed_s:.1f} images/s" if summary.elapsed_s > 0 else ""


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
