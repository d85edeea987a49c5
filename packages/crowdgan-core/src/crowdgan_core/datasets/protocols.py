"""Interfaces of dataset formats, and of the readers and writers of datasets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import CrowdganError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.utils.arrays import ImageArray


class DatasetWriter(Protocol):
    """Writer of a new dataset, at a temporary path next to the destination."""

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        """Appends one image and returns its name in the dataset, which is not the name of another image.

        Args:
            encoded: result of the format's `encode`.
            size: `(height, width)` in pixels, equal for all images of a dataset.
            record: density, label and source of the image, for formats that store them beside it; its name is empty.
        """
        ...

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes the metadata; the last call.

        Args:
            metadata: the metadata of the dataset, with the records of all images and their names.
        """
        ...


class DatasetReader(ABC):
    """Reader of an open dataset; a context manager that closes it."""

    path: Path
    """File or folder of the dataset."""
    metadata: DatasetMetadata
    """Metadata of the dataset and its images."""

    @abstractmethod
    def stored_image(self, index: int) -> StoredImage:
        """Handle of one image that other processes can open, also after the reader is closed.

        Raises:
            DatasetError: the image is damaged.
        """

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8.

        Raises:
            DatasetError: the image is damaged.
        """
        stored = self.stored_image(index)
        return np.asarray(to_upright_rgb(stored.open(), stored.where))

    def image_size(self, index: int) -> tuple[int, int]:
        """`(height, width)` of one image in pixels, read without decoding the image if the format allows it.

        Raises:
            DatasetError: as for `image`.
        """
        height, width, _ = self.image(index).shape
        return height, width

    def close(self) -> None:  # noqa: B027 (most readers keep no file open)
        """Closes the files of the dataset, if any stay open."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.metadata.images)

    def __enter__(self) -> DatasetReader:
        """Returns the reader."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Closes the dataset."""
        self.close()

    def __repr__(self) -> str:
        """For example `DatasetReader('crowds.zip', 600 images, 256x256, 3 classes)`."""
        count, num_classes = len(self), len(self.metadata.classes)
        parts = [repr(self.path.name), "1 image" if count == 1 else f"{count} images"]
        if count:
            try:
                height, width = self.image_size(0)
                parts.append(f"{width}x{height}")
            except CrowdganError:
                pass  # the first image is damaged, or the reader is closed
        if num_classes:
            parts.append("1 class" if num_classes == 1 else f"{num_classes} classes")
        return f"DatasetReader({', '.join(parts)})"


class DatasetFormat(Protocol):
    """A dataset format. Implementations must be picklable, since worker processes call `encode`.

    A format that is not a `SequentialFormat` can only be read; `shards` is written shard by shard.
    """

    @property
    def name(self) -> str:
        """Name for messages and `crowdgan plugins`."""
        ...

    @property
    def suffixes(self) -> str:
        """Pattern of dataset paths for messages, for example `NAME.h5 or NAME.hdf5`."""
        ...

    def matches(self, path: Path) -> bool:
        """Whether a new or existing dataset at this path has this format, judged by its name and file type."""
        ...

    def encode(self, pixels: ImageArray) -> bytes:
        """Encodes one image as it is stored; called in worker processes."""
        ...

    def open(self, path: Path) -> DatasetReader:
        """Opens a dataset for reading.

        Raises:
            DatasetError: the dataset is missing or damaged, or has another format.
        """
        ...


@runtime_checkable
class SequentialFormat(DatasetFormat, Protocol):
    """A dataset format that is written image by image."""

    def create(self, dest: Path, *, overwrite: bool) -> AbstractContextManager[DatasetWriter]:
        """Creates a dataset by an atomic write: it appears at `dest` when the context ends without an error.

        Raises:
            DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
        """
        ...
