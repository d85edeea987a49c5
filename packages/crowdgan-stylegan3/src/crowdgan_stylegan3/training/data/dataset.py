"""The images of a dataset, in the order in which training sees them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_stylegan3.config import MAX_RESOLUTION, MIN_RESOLUTION
from crowdgan_stylegan3.training.data.labels import TrainingLabels, labels_of
from crowdgan_stylegan3.training.data.sampler import ImageSampler

Batch = tuple[Tensor, Tensor]
"""Images `[N, 3, H, W]` uint8 and labels `[N, label_dim]` float32."""


PREFETCH_BATCHES = 4
"""Batches that each worker prepares ahead."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """An open dataset, and what training makes of it."""

    path: Path
    reader: DatasetReader
    resolution: int
    """Side of the images in pixels."""
    labels: TrainingLabels


@contextmanager
def open_training_data(path: Path, *, conditional: bool | None) -> Iterator[TrainingData]:
    """The dataset of a run.

    Args:
        path: the dataset.
        conditional: whether labels are used; None for where there are some.

    Raises:
        ConfigError: its images are not square, their side is no power of two in range, or labels are missing.
        DatasetError: there is no such dataset, a damaged one, or an empty one.
    """
    with closing(open_dataset(path)) as reader:
        if not len(reader):
            raise DatasetError(f"{path}: it holds no images")
        labels = labels_of(reader.metadata, str(path), conditional=conditional)
        yield TrainingData(path=path, reader=reader, resolution=_side_px(reader, path), labels=labels)


def _side_px(reader: DatasetReader, path: Path) -> int:
    """The side of the images.

    Raises:
        ConfigError: they are not square, or it is no power of two in range.
    """
    height, width = reader.image(0).shape[:2]
    if height != width or height & (height - 1) or not MIN_RESOLUTION <= height <= MAX_RESOLUTION:
        near = min(max(MIN_RESOLUTION, 1 << (min(height, width).bit_length() - 1)), MAX_RESOLUTION)
        raise ConfigError(
            f"{path}: its images are {width}x{height} px; training needs squares whose side is a power of two from "
            f"{MIN_RESOLUTION} to {MAX_RESOLUTION}: crowdgan convert --source {path} --dest squares.zip "
            f"--resolution {near}x{near}"
        )
    return int(height)


class ImageDataset(Dataset[Batch]):
    """Images `[3, H, W]` uint8 and labels `[label_dim]` by number; each process opens the dataset for itself.

    With `mirror` there are twice as many: the second half is the first, left to right.
    """

    def __init__(self, path: Path, labels: TrainingLabels, *, mirror: bool) -> None:
        self._path, self._mirror = path, mirror
        self._vectors = torch.from_numpy(labels.vectors)
        self._open: tuple[int, DatasetReader] | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self._vectors) * (2 if self._mirror else 1)

    def __getitem__(self, index: int) -> Batch:
        """One image and its label.

        Raises:
            DatasetError: the image is damaged.
        """
        turned, number = divmod(index, len(self._vectors))
        pixels = self._reader().image(number)
        pixels = pixels[:, ::-1] if turned else pixels
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), self._vectors[number]

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to open it."""
        return {**self.__dict__, "_open": None}

    def _reader(self) -> DatasetReader:
        if self._open is None or self._open[0] != os.getpid():
            self._open = os.getpid(), open_dataset(self._path)
        return self._open[1]


def batches(images: ImageDataset, order: ImageSampler, *, workers: int, device: torch.device) -> Iterator[Batch]:
    """The batches of one process, without end, prepared ahead by worker processes; 0 of them for none."""
    loader: DataLoader[Batch] = DataLoader(
        images,
        batch_sampler=order,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=PREFETCH_BATCHES if workers else None,
        worker_init_fn=_leave_signals_alone,
        generator=torch.Generator(),
    )
    return iter(loader)


def _leave_signals_alone(_worker: int) -> None:
    """Leaves signals, which may reach all processes at once, to the one that trains: it then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
