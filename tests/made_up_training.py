"""A made-up dataset whose classes differ in brightness, and networks that train on it in a blink."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdgan_core.dataset import DatasetMetadata, PictureRecord, Pixels
from crowdgan_core.datasets import format_of
from crowdgan_stylegan3.training.choices import Choices
from crowdgan_stylegan3.training.labels import TrainingLabels
from crowdgan_stylegan3.training.recipe import recipe
from crowdgan_stylegan3.training.settings import TrainingSettings

CLASSES = ("sparse", "medium", "dense")

SIDE = 16


def made_up_picture(number: int, label: int, size: tuple[int, int] = (SIDE, SIDE)) -> Pixels:
    """A picture whose brightness tells its class, and whose first pixel its number."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(60 * label, 60 * label + 80, (*size, 3)).astype(np.uint8)
    pixels[0, 0] = number
    return pixels


def write_dataset(
    dest: Path, count: int = 24, *, labels: str | None = "class", size: tuple[int, int] = (SIDE, SIDE)
) -> Path:
    """A dataset of pictures that are labelled by class, by value, or not at all."""
    form = format_of(dest)
    records = []
    with form.create(dest, overwrite=False) as writer:
        for number in range(count):
            which = number % len(CLASSES)
            name = writer.add(form.encode(made_up_picture(number, which, size)), size)
            value = {"class": which, "value": (which + number / 100,), None: None}[labels]
            records.append(PictureRecord(name=name, label=value, density=float(which) if labels else None))
        metadata = DatasetMetadata(
            estimator="grid" if labels else None,
            unit="persons per cell" if labels else None,
            classes=CLASSES if labels == "class" else (),
            label_kind=labels,
            region="crop" if labels else None,
        )
        writer.finish(metadata.with_pictures(records))
    return dest


def small_choices(**changes: object) -> Choices:
    """Choices for a network that trains in a blink."""
    base: dict[str, object] = {
        "data": Path("crowds.zip"),
        "batch": 4,
        "channel_base": 64,
        "channel_max": 8,
        "mapping_layers": 1,
        "workers": 0,
    }
    return Choices(**{**base, **changes})  # type: ignore[arg-type]


def small_settings(label_dim: int = 3, **changes: object) -> TrainingSettings:
    """Settings of such a network on pictures of 16x16."""
    return recipe(small_choices(**changes), resolution=SIDE, label_dim=label_dim)


CLASS_LABELS = TrainingLabels(vectors=np.eye(3, dtype=np.float32), kind="class", classes=CLASSES)
"""Labels of three pictures, one per class."""
