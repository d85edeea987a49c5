"""The model card in the output of `crowdgan inspect`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from crowdgan_core.cli.common.output import printable
from crowdgan_core.models.card import ModelCard, read_card
from crowdgan_core.models.loading import missing_backend
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.flags import format_size

BYTES_PER_MB = 1e6

METRICS_KEY = "metrics"
"""Key in the provenance of a card of metrics at the end of training: values by name of the metric and key."""

FLOOR_SUFFIX = "_floor"
"""Suffix of the key of a floor: the value that real images reach."""


def print_model(path: Path, *, as_json: bool) -> None:
    """Prints a model card, as lines or as JSON; weights are not read, and the backend need not be installed.

    Raises:
        CheckpointError: missing file, or not a model.
    """
    card = read_card(path)
    if as_json:
        click.echo(json.dumps(card.to_json(), indent=2))
        return
    megabytes = path.stat().st_size / BYTES_PER_MB
    click.echo(printable(f"{path}: model of {format_size(card.resolution)} px images, {megabytes:.3g} MB"))
    for name, value in _facts(card):
        click.echo(printable(f"  {name:12} {value}"))


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    backends = installed_plugins().model_backends
    yield "backend", card.backend if card.backend in backends else missing_backend(card.backend, backends)
    yield "labels", _labels(card)
    if card.classes:
        yield "classes", ", ".join(card.classes)
    if card.unit is not None:
        yield "unit", card.unit
    if card.label_range is not None:
        yield "range", f"{card.label_range[0]:.3g} to {card.label_range[1]:.3g}"
    metrics = _metrics(card.provenance.get(METRICS_KEY))
    provenance = {key: value for key, value in card.provenance.items() if key != METRICS_KEY or not metrics}
    blocks = {"labelling": card.labelling, "settings": card.settings, "provenance": provenance, "metrics": metrics}
    for name, values in blocks.items():
        yield from _block(name, values)


def _metrics(by_name: Any) -> dict[str, str]:
    """Values of metrics by key, each with its floor if it has one; empty if the card has something else there."""
    try:
        values = {key: float(value) for results in by_name.values() for key, value in results.items()}
    except (AttributeError, TypeError, ValueError):
        return {}
    texts = {}
    for key, value in values.items():
        if key.endswith(FLOOR_SUFFIX) and key.removesuffix(FLOOR_SUFFIX) in values:
            continue  # shown beside its value
        floor = values.get(f"{key}{FLOOR_SUFFIX}")
        texts[key] = f"{value:.4g}" + ("" if floor is None else f" (floor {floor:.4g})")
    return texts


def _labels(card: ModelCard) -> str:
    if card.label_kind is None:
        return "none"
    if card.label_kind == "class":
        return f"{card.label_dim} classes"
    return "continuous density values" if card.label_dim == 1 else f"vectors of {card.label_dim} numbers"


def _block(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """One line per value; the first has the name of the block."""
    for index, (key, value) in enumerate(values.items()):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield ("" if index else name), f"{key}: {text}"
