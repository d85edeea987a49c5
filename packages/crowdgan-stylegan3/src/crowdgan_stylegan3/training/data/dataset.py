"""Images and labels of a training dataset, loaded in batches by worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
from crowdgan_stylegan3.training.data.labels import TrainingLabels, training_labels
from crowdgan_stylegan3.training.data.sampler import ImageSampler

Batch = tuple[Tensor, Tensor]
"""Images `[N, 3, H, W]` uint8 and labels `[N, label_dim]` float32."""

PREFETCH_BATCHES = 4
"""Batches that each worker process loads in advance."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingData:
    """An open dataset whose images and labels are valid for training."""

    path: Path
    """Path of the dataset."""
    reader: DatasetReader
    """Reader of the dataset."""
    resolution: int
    """Side of the images in pixels."""
    labels: TrainingLabels
    """Labels of all images."""

    def __repr__(self) -> str:
        """One line, without the labels."""
        return f"TrainingData({str(self.path)!r}, {len(self.reader)} images, {self.resolution}x{self.resolution})"


@contextmanager
def open_training_data(path: Path, *, conditional: bool | None) -> Iterator[TrainingData]:
    """Opens a dataset for training.

    Args:
        path: path of the dataset.
        conditional: whether to use its labels; None uses them if there are any.

    Raises:
        ConfigError: the images are not square, their side is not a power of two in the range of the networks, or
            required labels are missing.
        DatasetError: the dataset does not exist, is damaged, or is empty.
    """
    with open_dataset(path) as reader:
        if not len(reader):
            raise DatasetError(f"{path}: the dataset contains no images")
        labels = training_labels(reader.metadata, str(path), conditional=conditional)
        yield TrainingData(path=path, reader=reader, resolution=_image_side_px(reader, path), labels=labels)


def _image_side_px(reader: DatasetReader, path: Path) -> int:
    """Side of the images in pixels.

    Raises:
        ConfigError: the images are not square, or their side is not a power of two in the range of the networks.
    """
    height, width = reader.image(0).shape[:2]
    if height != width or height & (height - 1) or not MIN_RESOLUTION <= height <= MAX_RESOLUTION:
        nearest = min(max(MIN_RESOLUTION, 1 << (min(height, width).bit_length() - 1)), MAX_RESOLUTION)
        raise ConfigError(
            f"{path}: the images are {width}x{height} px; training requires square images whose side is a power of "
            f"two from {MIN_RESOLUTION} to {MAX_RESOLUTION}; convert them: crowdgan convert --source {path} "
            f"--dest squares.zip --resolution {nearest}x{nearest}"
        )
    return int(height)


class ImageDataset(Dataset[Batch]):
    """Images `[3, H, W]` uint8 and labels `[label_dim]` by index; each process opens its own reader.

    With `mirror` the dataset has twice the length: the second half repeats the first, flipped left to right.
    """

    def __init__(self, path: Path, labels: TrainingLabels, *, mirror: bool) -> None:
        self._path, self._mirror = path, mirror
        self._vectors = torch.from_numpy(labels.vectors)
        self._process_reader: tuple[int, DatasetReader] | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self._vectors) * (2 if self._mirror else 1)

    def __getitem__(self, index: int) -> Batch:
        """One image and its label.

        Raises:
            DatasetError: the image is damaged.
        """
        is_flipped, number = divmod(index, len(self._vectors))
        pixels = self._reader().image(number)
        pixels = pixels[:, ::-1] if is_flipped else pixels
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), self._vectors[number]

    def __getstate__(self) -> dict[str, Any]:
        """State for a worker process, without the open reader."""
        return {**self.__dict__, "_process_reader": None}

    def _reader(self) -> DatasetReader:
        """The reader of the current process; a file handle must not be shared after a fork."""
        if self._process_reader is None or self._process_reader[0] != os.getpid():
            self._process_reader = os.getpid(), open_dataset(self._path)
        return self._process_reader[1]


def load_batches(images: ImageDataset, sampler: ImageSampler, *, workers: int, device: torch.device) -> Iterator[Batch]:
    """Endless batches of one rank.

    Args:
        images: the dataset.
        sampler: image indices of each batch.
        workers: worker processes that load batches in advance; 0 loads them in this process.
        device: compute device; for a GPU, batches are in pinned memory.
    """
    loader: DataLoader[Batch] = DataLoader(
        images,
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=PREFETCH_BATCHES if workers else None,
        worker_init_fn=_ignore_stop_signals,
        generator=torch.Generator(),
    )
    return iter(loader)


def _ignore_stop_signals(_worker: int) -> None:
    """Ignores Ctrl-C and termination signals, which may reach all processes: the training process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
