"""A made-up dataset whose classes differ in brightness, and networks that train on it in a blink."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels

CLASSES = ("sparse", "medium", "dense")

SIDE = 16


def made_up_image(number: int, label: int, size: tuple[int, int] = (SIDE, SIDE)) -> ImageArray:
    """An image whose brightness tells its class, and whose first pixel its number."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(60 * label, 60 * label + 80, (*size, 3)).astype(np.uint8)
    pixels[0, 0] = number
    return pixels


def write_dataset(
    dest: Path, count: int = 24, *, labels: str | None = "class", size: tuple[int, int] = (SIDE, SIDE)
) -> Path:
    """A dataset of images that are labelled by class, by value, or not at all."""
    form = format_for(dest, installed_plugins().dataset_formats.values())
    records = []
    with form.create(dest, overwrite=False) as writer:
        for number in range(count):
            which = number % len(CLASSES)
            name = writer.add(form.encode(made_up_image(number, which, size)), size)
            value = {"class": which, "value": (which + number / 100,), None: None}[labels]
            records.append(ImageRecord(name=name, label=value, density=float(which) if labels else None))
        metadata = DatasetMetadata(
            estimator="grid" if labels else None,
            unit="persons per cell" if labels else None,
            classes=CLASSES if labels == "class" else (),
            label_kind=labels,
            region="crop" if labels else None,
        )
        writer.finish(metadata.with_images(records))
    return dest


def small_choices(**changes: object) -> TrainOptions:
    """Choices for a network that trains in a blink."""
    base: dict[str, object] = {
        "data": Path("crowds.zip"),
        "batch": 4,
        "channel_base": 64,
        "channel_max": 8,
        "mapping_layers": 1,
        "workers": 0,
    }
    return TrainOptions(**{**base, **changes})  # type: ignore[arg-type]


def small_settings(label_dim: int = 3, **changes: object) -> TrainingConfig:
    """Settings of such a network on images of 16x16."""
    return resolve_config(small_choices(**changes), resolution=SIDE, label_dim=label_dim)


CLASS_LABELS = TrainingLabels(vectors=np.eye(3, dtype=np.float32), kind="class", classes=CLASSES)
"""Labels of three images, one per class."""
