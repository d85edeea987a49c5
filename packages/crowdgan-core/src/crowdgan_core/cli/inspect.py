"""`crowdgan inspect`: summary of a dataset, or the card of a model."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import click

from crowdgan_core.api import open_dataset
from crowdgan_core.cli.common.format_help import FormatsCommand
from crowdgan_core.cli.common.model_report import print_model
from crowdgan_core.cli.common.output import describe_bounds, printable
from crowdgan_core.datasets.contact_sheet import contact_sheet
from crowdgan_core.datasets.inspection import DatasetReport, inspect_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.atomic import write_bytes
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_core.models.file_kind import EXPLANATIONS, check_local, identify_file
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.flags import format_size

MAX_LISTED_NAMES = 10
"""Ambiguous images, and images of another size, that are listed by name."""

HISTOGRAM_WIDTH = 40
"""Length of the longest bar of the class histogram, in characters."""


@click.command("inspect", cls=FormatsCommand)
@click.argument("path", metavar="DATASET|MODEL", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the full report, or the model card.")
@click.option(
    "--contact-sheet",
    "sheet",
    type=click.Path(path_type=Path),
    help="Write sample images of each class to this PNG.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite the contact sheet if it exists.")
def command(path: Path, as_json: bool, sheet: Path | None, overwrite: bool) -> None:
    """Summarise a dataset (size, classes, ambiguous images) or a model file.

    Formats of datasets: {dataset_formats}.

    For a model file (.safetensors) or the name of a pretrained model, print the model card: image size, labels,
    training data, and the backend that loads it.

    \b
    Examples:
      crowdgan inspect crowds.zip
      crowdgan inspect crowds.h5 --contact-sheet crowds.png
      crowdgan inspect crowds.zip --json
      crowdgan inspect model.safetensors
      crowdgan inspect crowds64
    """
    check_local(path)
    if path.suffix.lower() in ("", MODEL_SUFFIX):
        path = find_model(path, installed_plugins(), expected="file or folder", accepts_folder=True)
    if path.suffix.lower() == MODEL_SUFFIX:
        if sheet is not None:
            raise ConfigError(f"--contact-sheet: {path} is a model, not a dataset; use crowdgan generate")
        print_model(path, as_json=as_json)
    else:
        _inspect_dataset(path, as_json, sheet, overwrite)


def _inspect_dataset(dataset: Path, as_json: bool, sheet: Path | None, overwrite: bool) -> None:
    kind = identify_file(dataset) if dataset.is_file() else None
    if kind is not None and kind != "zip":
        raise DatasetError(f"{dataset}: {EXPLANATIONS[kind]}")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise ConfigError(f"--contact-sheet {sheet}: the file is a PNG; its name must end in .png")
    with open_dataset(dataset) as reader:
        report = inspect_dataset(reader)
        if sheet is not None:
            png = io.BytesIO()
            contact_sheet(reader).save(png, "PNG")
            write_bytes(sheet, png.getvalue(), overwrite=overwrite)
        if as_json:
            click.echo(json.dumps({**asdict(report), "metadata": reader.metadata.to_json()}, indent=2))
        else:
            _print(report, reader.metadata, dataset)
    if sheet is not None:
        click.echo(printable(f"contact sheet: {sheet}"), err=True)


def _print(report: DatasetReport, metadata: DatasetMetadata, dataset: Path) -> None:
    size = f"{format_size(report.size)} px" if report.size is not None else "empty"
    _echo(f"{dataset}: {report.image_count} images, {size}")
    for name, other_size in list(report.other_sizes.items())[:MAX_LISTED_NAMES]:
        _echo(f"  {'other size':12} {name} is {format_size(other_size)} px; training requires images of one size")
    if len(report.other_sizes) > MAX_LISTED_NAMES:
        _echo(f"  {'other size':12} {len(report.other_sizes)} images in all")
    facts = {
        "source": metadata.source,
        "transform": metadata.transform,
        "estimator": metadata.estimator,
        "options": ", ".join(f"{name}={value}" for name, value in metadata.options.items()),
        "region": metadata.region,
        "labels": _label_text(report, metadata),
        "written by": f"crowdgan-core {metadata.tool_version}" if metadata.tool_version else None,
    }
    for name, value in facts.items():
        if value:
            _echo(f"  {name:12} {value}")
    if report.density_range is not None:
        low, median, high = report.density_range
        _echo(f"  {'density':12} {low:.4g} to {high:.4g} {metadata.unit}, median {median:.4g}")
    if report.peak_range is not None:
        low, median, high = report.peak_range
        _echo(f"  {'peak':12} {low:.4g} to {high:.4g} {metadata.unit}, median {median:.4g}")
    if report.uncertain_count is not None:
        _echo(f"  {'uncertain':12} {report.uncertain_count} images: their 95 % interval includes a class boundary")
    if len(report.label_ranges) > 1 or report.density_range is None:
        for number, (low, median, high) in enumerate(report.label_ranges, 1):
            _echo(f"  {f'label {number}':12} {low:.4g} to {high:.4g}, median {median:.4g}")
    if report.person_range is not None:
        fewest, median_count, most = report.person_range
        _echo(f"  {'persons':12} {fewest} to {most} per image, median {median_count:g}")
    if report.unknown_count:
        _echo(f"  {'unknown':12} {report.unknown_count} images")
    _print_histogram(report)
    _print_boundaries(report, metadata)
    if report.ambiguous:
        _echo(f"{len(report.ambiguous)} ambiguous images near a class boundary; the nearest:")
    for record in report.ambiguous[:MAX_LISTED_NAMES]:
        _echo(f"  {record.name}  {record.density:.4g}  ({record.source})")


def _label_text(report: DatasetReport, metadata: DatasetMetadata) -> str:
    """Kind of the labels: `class`, `value`, `vectors of 2 numbers` or `none`."""
    dim = len(report.label_ranges)
    return f"vectors of {dim} numbers" if dim > 1 else metadata.label_kind or "none"


def _print_boundaries(report: DatasetReport, metadata: DatasetMetadata) -> None:
    if metadata.class_bounds is not None:
        _echo(describe_bounds(metadata.class_bounds, metadata.classes, metadata.unit))
        return
    for boundary in report.boundaries:
        place = f"class boundary {boundary.below} | {boundary.above}"
        _echo(f"{place}: about {boundary.value:.4g} {metadata.unit} (approximate, from the densities in the dataset)")


def _print_histogram(report: DatasetReport) -> None:
    largest = max(report.class_counts.values(), default=0)
    total = sum(report.class_counts.values())
    for name, count in report.class_counts.items():
        bar = "█" * round(HISTOGRAM_WIDTH * count / largest) if largest else ""
        _echo(f"  {name:>12} {count:6} {count / max(total, 1):4.0%} {bar}")


def _echo(line: str) -> None:
    click.echo(printable(line))
