"""A synthetic dataset whose classes differ in brightness, and small networks that train on it in a short time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdgan_core import testing
from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.data.labels import TrainingLabels

CLASSES = ("sparse", "medium", "dense")

SIDE_PX = 16
"""Side of the images in pixels."""


def synthetic_image(index: int, class_index: int, size: tuple[int, int] = (SIDE_PX, SIDE_PX)) -> ImageArray:
    """Noise whose brightness increases with the class; the value of the first pixel is `index`."""
    rng = np.random.default_rng(index)
    pixels = rng.integers(60 * class_index, 60 * class_index + 80, (*size, 3)).astype(np.uint8)
    pixels[0, 0] = index
    return pixels


def write_dataset(
    dest: Path, count: int = 24, *, labels: str | None = "class", size: tuple[int, int] = (SIDE_PX, SIDE_PX)
) -> Path:
    """Writes a dataset of images labelled by class, by value, or without labels (None); returns its path."""
    dataset_format = format_for(dest, installed_plugins().dataset_formats.values())
    assert isinstance(dataset_format, SequentialFormat)
    images, records = [], []
    for index in range(count):
        class_index = index % len(CLASSES)
        images.append(synthetic_image(index, class_index, size))
        label = {"class": class_index, "value": (class_index + index / 100,), None: None}[labels]
        records.append(ImageRecord(name="", label=label, density=float(class_index) if labels else None))
    metadata = DatasetMetadata(
        estimator="grid" if labels else None,
        unit="persons per cell" if labels else None,
        classes=CLASSES if labels == "class" else (),
        label_kind=labels,
        region="crop" if labels else None,
        images=records,
    )
    testing.write_dataset(dataset_format, dest, images, metadata)
    return dest


def small_options(**changes: object) -> TrainOptions:
    """Options of a small network, with these changes."""
    defaults: dict[str, object] = {
        "data": Path("crowds.zip"),
        "batch": 4,
        "channel_base": 64,
        "channel_max": 8,
        "mapping_layers": 1,
        "workers": 0,
    }
    return TrainOptions(**{**defaults, **changes})  # type: ignore[arg-type]


def small_config(label_dim: int = 3, **changes: object) -> TrainingConfig:
    """Config of a small network on images of `SIDE_PX` x `SIDE_PX`, with these changes of the options."""
    return resolve_config(small_options(**changes), resolution=SIDE_PX, label_dim=label_dim)


CLASS_LABELS = TrainingLabels(vectors=np.eye(3, dtype=np.float32), kind="class", classes=CLASSES)
"""Labels of three images, one per class."""
