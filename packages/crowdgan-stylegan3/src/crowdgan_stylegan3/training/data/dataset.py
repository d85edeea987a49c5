"""Images and labels of a training dataset, loaded in batches by worker processes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError, CrowdganError, DatasetError
from crowdgan_core.utils.parallel import WORKER_DIED_MESSAGE, explain_start_errors
from crowdgan_stylegan3.config import MAX_RESOLUTION, MIN_RESOLUTION
from crowdgan_stylegan3.training.data.labels import TrainingLabels, training_labels
from crowdgan_stylegan3.training.data.sampler import DrawnImage, ImageSampler

Batch = tuple[Tensor, Tensor]
"""Images `[N, 3, H, W]` uint8 and labels `[N, label_dim]` float32."""

LoadedBatch = tuple["Tensor | NDArray[Any]", ...] | CrowdganError
"""A batch as the loader returns it: tensors in shared memory, or arrays if none is left; or the error of an image."""

PREFETCH_BATCHES = 4
"""Batches that each worker process loads in advance."""

WORKER_DIED_PREFIX = "DataLoader worker (pid"
"""Start of torch's message when a worker process died."""


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

    def fingerprint(self) -> dict[str, object]:
        """Values that are equal for copies of the dataset: number and size of the images, hash of names and labels."""
        digest = hashlib.sha256(np.ascontiguousarray(self.labels.vectors).tobytes())
        digest.update("\n".join(record.name for record in self.reader.metadata.images).encode())
        return {
            "the number of images in --data": len(self.reader),
            "the side of the images in px": self.resolution,
            "the SHA-256 of names and labels in --data": digest.hexdigest(),
        }

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
        DatasetError: the dataset does not exist, is damaged, is empty, or has images of different sizes.
    """
    with open_dataset(path) as reader:
        if not len(reader):
            raise DatasetError(f"{path}: the dataset contains no images")
        labels = training_labels(reader.metadata, str(path), conditional=conditional)
        yield TrainingData(path=path, reader=reader, resolution=_image_side_px(reader, path), labels=labels)


def _image_side_px(reader: DatasetReader, path: Path) -> int:
    """Side of the images in pixels; reads the headers of all images.

    Raises:
        ConfigError: the images are not square, or their side is not a power of two in the range of the networks.
        DatasetError: an image has another size than the first one, or is damaged.
    """
    height, width = reader.image_size(0)
    advice = f"crowdgan convert --source {path} --dest squares.zip --resolution"
    nearest = min(max(MIN_RESOLUTION, 1 << (min(height, width).bit_length() - 1)), MAX_RESOLUTION)
    for index in range(1, len(reader)):
        other_height, other_width = reader.image_size(index)
        if (other_height, other_width) != (height, width):
            first, other = reader.metadata.images[0].name, reader.metadata.images[index].name
            raise DatasetError(
                f"{path}: {other} is {other_width}x{other_height} px and {first} is {width}x{height} px; training "
                f"requires images of one size; convert them: {advice} {nearest}x{nearest}"
            )
    if height != width or height & (height - 1) or not MIN_RESOLUTION <= height <= MAX_RESOLUTION:
        raise ConfigError(
            f"{path}: the images are {width}x{height} px; training requires square images whose side is a power of "
            f"two from {MIN_RESOLUTION} to {MAX_RESOLUTION}; convert them: {advice} {nearest}x{nearest}"
        )
    return height


class ImageDataset(Dataset[Batch]):
    """Images `[3, H, W]` uint8 with the labels for which they were drawn; each process opens its own reader.

    Indices from the number of images on stand for the images flipped left to right.
    """

    def __init__(self, path: Path, num_images: int) -> None:
        self._path, self._num_images = path, num_images
        self._process_reader: tuple[int, DatasetReader] | None = None

    def __getitem__(self, drawn: DrawnImage) -> Batch:
        """One image and its label `[label_dim]`.

        Raises:
            DatasetError: the image is damaged.
        """
        index, label = drawn
        is_flipped, number = divmod(index, self._num_images)
        pixels = self._reader().image(number)
        pixels = pixels[:, ::-1] if is_flipped else pixels
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), torch.from_numpy(label)

    def __getitems__(self, batch: list[DrawnImage]) -> LoadedBatch:
        """A batch of images and labels.

        The error of a damaged image is returned, because torch would replace it by one with a traceback as its message.
        """
        try:
            samples = [self[drawn] for drawn in batch]
        except CrowdganError as error:
            return error
        return tuple(_share(torch.stack(items)) for items in zip(*samples, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        """State for a worker process, without the open reader."""
        return {**self.__dict__, "_process_reader": None}

    def _reader(self) -> DatasetReader:
        """The reader of the current process; a file handle must not be shared after a fork."""
        if self._process_reader is None or self._process_reader[0] != os.getpid():
            self._process_reader = os.getpid(), open_dataset(self._path)
        return self._process_reader[1]


@contextmanager
def load_batches(
    images: ImageDataset, sampler: ImageSampler, *, workers: int, device: torch.device
) -> Iterator[Iterator[Batch]]:
    """Context with the endless batches of one rank; its worker processes end with it.

    Args:
        images: the dataset.
        sampler: images of each batch.
        workers: worker processes that load batches in advance; 0 loads them in this process.
        device: compute device; for a GPU, batches are in pinned memory.

    Raises:
        CrowdganError: worker processes cannot be started, or one died.
        DatasetError: an image is damaged; raised by the iterator when its batch is due.
    """
    loader: DataLoader[Any] = DataLoader(
        images,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_identity,  # type: ignore[arg-type]  # torch's type assumes lists of samples
        pin_memory=device.type == "cuda",
        prefetch_factor=PREFETCH_BATCHES if workers else None,
        worker_init_fn=_ignore_stop_signals,
        generator=torch.Generator(),
    )
    earlier_children = set(multiprocessing.active_children())
    batches: Iterator[LoadedBatch] | None = None
    try:
        with explain_start_errors(workers):
            if workers:
                _check_shared_memory(workers)
            batches = iter(loader)
        yield _received(batches)
    finally:
        _end_workers(batches, earlier_children)


def _check_shared_memory(workers: int) -> None:
    """Creates as many queues as torch does; a loader that fails to create them prints a further error when it is freed.

    Raises:
        OSError: too little shared memory for their semaphores.
    """
    queues: list[multiprocessing.Queue[Any]] = [multiprocessing.Queue() for _ in range(workers + 2)]
    for queue in queues:
        queue.close()


def _received(batches: Iterator[LoadedBatch]) -> Iterator[Batch]:
    """The batches as tensors; raises the errors that workers returned."""
    while True:
        try:
            batch = next(batches)
        except RuntimeError as error:
            if str(error).startswith(WORKER_DIED_PREFIX):
                raise CrowdganError(WORKER_DIED_MESSAGE) from error
            raise
        if isinstance(batch, CrowdganError):
            raise batch
        images, labels = map(torch.as_tensor, batch)
        yield images, labels


def _share(tensor: Tensor) -> Tensor | NDArray[Any]:
    """The tensor; in a worker process moved to shared memory, or as an array if too little shared memory is left.

    An array is sent through a pipe. A tensor that torch fails to share while sending would be lost without an error.
    """
    if get_worker_info() is None:
        return tensor
    try:
        tensor.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError:
        return tensor.numpy()
    return tensor


def _identity(batch: LoadedBatch) -> LoadedBatch:
    """The collate function of batches that the dataset has collated."""
    return batch


def _end_workers(batches: object, earlier_children: set[BaseProcess]) -> None:
    """Lets worker processes finish, and kills those that do not: they ignore the signal by which torch ends them."""
    if (shut_down := getattr(batches, "_shutdown_workers", None)) is not None:  # torch has no public method
        shut_down()
    for process in set(multiprocessing.active_children()) - earlier_children:
        process.kill()
        process.join()


def _ignore_stop_signals(_worker: int) -> None:
    """Ignores Ctrl-C and termination signals, which may reach all processes: the training process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
