"""`crowdgan inspect`: what is in a dataset, or what a model says of itself."""

from __future__ import annotations

import io
import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from crowdgan_core.api import open_dataset
from crowdgan_core.cli.common.model_report import print_model
from crowdgan_core.cli.common.output import printable
from crowdgan_core.datasets.contact_sheet import contact_sheet
from crowdgan_core.datasets.inspection import DatasetReport, inspect_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import write_file
from crowdgan_core.models.card import MODEL_SUFFIX

DOUBTFUL_SHOWN = 10
"""Doubtful images that are named."""

BAR_CELLS = 40
"""Length of the longest bar of the class histogram, in characters."""


@click.command("inspect")
@click.argument("path", metavar="DATASET|MODEL", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a report with all metadata, or the model's card.")
@click.option("--contact-sheet", "sheet", type=click.Path(path_type=Path), help="Write a PNG with samples per class.")
@click.option("--overwrite", is_flag=True, help="Replace the contact sheet if it exists.")
def command(path: Path, as_json: bool, sheet: Path | None, overwrite: bool) -> None:
    """Show what is in a dataset: size, classes and their balance, doubtful images near a class border.

    Of a model, a .safetensors file, show its card: what labels mean, how it was made, and the backend that loads it.

    \b
    Examples:
      crowdgan inspect crowds.zip
      crowdgan inspect crowds.h5 --contact-sheet crowds.png
      crowdgan inspect crowds.zip --json
      crowdgan inspect model.safetensors
    """
    if path.suffix.lower() == MODEL_SUFFIX:
        if sheet is not None:
            raise ConfigError(f"--contact-sheet: {path} is a model; crowdgan generate makes images of it")
        print_model(path, as_json=as_json)
    else:
        _inspect_dataset(path, as_json, sheet, overwrite)


def _inspect_dataset(dataset: Path, as_json: bool, sheet: Path | None, overwrite: bool) -> None:
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise ConfigError(f"--contact-sheet {sheet}: it is written as PNG, so its name must end in .png")
    with closing(open_dataset(dataset)) as reader:
        report = inspect_dataset(reader)
        if sheet is not None:
            data = io.BytesIO()
            contact_sheet(reader).save(data, "PNG")
            write_file(sheet, data.getvalue(), overwrite=overwrite)
        if as_json:
            click.echo(json.dumps({**asdict(report), "metadata": reader.metadata.to_json()}, indent=2))
        else:
            _print(report, reader.metadata, dataset)
    if sheet is not None:
        click.echo(printable(f"contact sheet: {sheet}"), err=True)


def _print(report: DatasetReport, metadata: DatasetMetadata, dataset: Path) -> None:
    size = f"{report.size[1]}x{report.size[0]} px" if report.size is not None else "empty"
    _say(f"{dataset}: {report.image_count} images, {size}")
    facts = {
        "source": metadata.source,
        "transform": metadata.transform,
        "estimator": metadata.estimator,
        "options": ", ".join(f"{name}={value}" for name, value in metadata.options.items()),
        "measured on": metadata.region,
        "labels": metadata.label_kind or "none",
        "written by": f"crowdgan-core {metadata.tool_version}" if metadata.tool_version else None,
    }
    for name, value in facts.items():
        if value:
            _say(f"  {name:12} {value}")
    if report.density_range is not None:
        low, middle, high = report.density_range
        _say(f"  {'density':12} {low:.4g} to {high:.4g} {metadata.unit}, median {middle:.4g}")
    if report.person_range is not None:
        fewest, median, most = report.person_range
        _say(f"  {'persons':12} {fewest} to {most} per image, median {median:g}")
    if report.unknown_count:
        _say(f"  {'cannot tell':12} {report.unknown_count} images")
    _print_histogram(report)
    for border in report.borders:
        _say(f"border between {border.below} and {border.above}: about {border.value:.4g} {metadata.unit}")
    if report.doubtful:
        _say(f"{len(report.doubtful)} images lie near a border; the nearest:")
    for record in report.doubtful[:DOUBTFUL_SHOWN]:
        _say(f"  {record.name}  {record.density:.4g}  ({record.source})")


def _print_histogram(report: DatasetReport) -> None:
    largest = max(report.class_counts.values(), default=0)
    total = sum(report.class_counts.values())
    for name, count in report.class_counts.items():
        bar = "█" * round(BAR_CELLS * count / largest) if largest else ""
        _say(f"  {name:>12} {count:6} {count / max(total, 1):4.0%} {bar}")


def _say(line: str) -> None:
    click.echo(printable(line))
