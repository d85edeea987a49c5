"""Range of the density slider, and the densities of the strip."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, class_names
from crowdgan_core.models.generation.sweep_steps import SweepRange, interpolated_step, is_logarithmic, sweep_steps

NUM_TILES = 7
"""Images of the strip, for continuous labels."""

MAX_CLASS_TILES = 9
"""Maximum number of images of the strip, for classes."""

UNKNOWN_RANGE = (0.0, 5.0)
"""Range of the slider if the model card does not state the densities of the training data."""


def density_controls(card: ModelCard) -> dict[str, Any] | None:
    """Range, unit and classes of the density slider, JSON-ready; None without labels or with one class."""
    if card.label_kind is None or (card.label_kind == "class" and card.label_dim == 1):
        return None
    if card.label_kind == "value" and card.label_dim > 1:
        return {"kind": "vector", "size": card.label_dim, "unit": card.unit}
    if card.label_kind == "class":
        return {"kind": "class", "low": 0, "high": card.label_dim - 1, "classes": class_names(card), "unit": card.unit}
    low, high = _value_range(card)
    return {"kind": "value", "low": low, "high": high, "logarithmic": is_logarithmic(low, high), "unit": card.unit}


def strip_densities(card: ModelCard) -> list[dict[str, Any]]:
    """Density and caption of each image of the strip, from sparse to dense; empty if the model cannot be swept."""
    if card.label_kind == "value" and card.label_dim == 1:
        first, last = _value_range(card)
        steps = sweep_steps(card, SweepRange(steps=NUM_TILES, first=first, last=last))
        values = [float(f"{step.vector[0]:.3g}") for step in steps]
        return [{"density": value, "caption": f"{value:g}"} for value in values]
    if card.label_kind == "class" and card.label_dim > 1:
        count, last = min(2 * card.label_dim - 1, MAX_CLASS_TILES), card.label_dim - 1
        positions = [round(2 * index * last / (count - 1)) / 2 for index in range(count)]  # classes and their middles
        return [
            {"density": position, "caption": " + ".join(interpolated_step(card, position).caption)}
            for position in positions
        ]
    return []


def _value_range(card: ModelCard) -> tuple[float, float]:
    """Lowest and highest density of the slider; around the density of the training data if there is only one."""
    if card.label_range is None:
        return UNKNOWN_RANGE
    low, high = card.label_range
    return (low, high) if low < high else (low - abs(low) / 2, high + abs(high)) if high else UNKNOWN_RANGE


def source_density(card: ModelCard, label: LabelVector) -> float | None:
    """The position of a label on the density slider; None if it is not on the slider.

    It is the density itself, or the index of a class, or a number between two neighbouring classes.
    """
    if card.label_kind == "value":
        return label[0] if len(label) == 1 else None
    position = float(sum(index * weight for index, weight in enumerate(label)))
    in_range = 0 <= position <= card.label_dim - 1
    return position if in_range and np.allclose(interpolated_step(card, position).vector, label, atol=1e-6) else None
