"""Images of a dataset or of another source, as a set that metrics compare."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import format_size


class StoredImages(ABC):
    """Stored images of one size, optionally followed by their copies mirrored left to right.

    Args:
        description: for messages and tables, for example `crowds.zip`.
        count: number of stored images.
        mirror: whether mirrored copies are appended.

    Raises:
        DatasetError: there are no images, or the first one is damaged.
    """

    def __init__(self, description: str, count: int, *, mirror: bool) -> None:
        if count == 0:
            raise DatasetError(f"{description}: contains no images")
        self._description, self._count, self.mirror = description, count, mirror
        height, width, _ = self._read(0).shape
        self._size = (height, width)
        self._hash: str | None = None

    @property
    def description(self) -> str:
        """Text for messages and tables, for example `crowds.zip with mirrored copies`."""
        return f"{self._description} with mirrored copies" if self.mirror else self._description

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        return self._size

    def __len__(self) -> int:
        """Number of images, including mirrored copies."""
        return self._count * (2 if self.mirror else 1)

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images `[batch_size, height, width, 3]` in order; the last batch may be smaller.

        Raises:
            DatasetError: an image is damaged, or has another size than the first one.
        """
        for start in range(0, len(self), batch_size):
            yield np.stack([self._image(index) for index in range(start, min(start + batch_size, len(self)))])

    def content_hash(self) -> str:
        """SHA-256 of size and pixels of all images in hexadecimal; names and paths do not affect it.

        Raises:
            DatasetError: as for `batches`.
        """
        if self._hash is None:
            digest = hashlib.sha256(f"{format_size(self.size)} mirror={self.mirror}".encode())
            for index in range(self._count):
                digest.update(np.ascontiguousarray(self._image(index)).data)
            self._hash = digest.hexdigest()
        return self._hash

    def _image(self, index: int) -> ImageArray:
        is_mirrored, number = divmod(index, self._count)
        pixels = self._read(number)
        if pixels.shape[:2] != self.size:
            found = format_size((pixels.shape[0], pixels.shape[1]))
            raise DatasetError(
                f"{self._where(number)}: the image is {found} px and {self._where(0)} is {format_size(self.size)} px; "
                f"metrics require images of one size; convert them: crowdgan convert --resolution"
            )
        return pixels[:, ::-1] if is_mirrored else pixels

    @abstractmethod
    def _read(self, index: int) -> ImageArray:
        """Pixels of a stored image."""

    @abstractmethod
    def _where(self, index: int) -> str:
        """Location of a stored image for messages."""


class DatasetImages(StoredImages):
    """Images of an open dataset.

    Args:
        reader: reader of the dataset, which must stay open.
        indices: indices of the images in the dataset; None for all images.
        mirror: whether copies mirrored left to right are appended.
    """

    def __init__(self, reader: DatasetReader, indices: Sequence[int] | None = None, *, mirror: bool = False) -> None:
        self.reader, self.indices = reader, range(len(reader)) if indices is None else indices
        super().__init__(str(reader.path), len(self.indices), mirror=mirror)

    def _read(self, index: int) -> ImageArray:
        return self.reader.image(self.indices[index])

    def _where(self, index: int) -> str:
        return f"{self.reader.path}:{self.reader.metadata.images[self.indices[index]].name}"


class SourceImages(StoredImages):
    """Images of a source, for example of a folder.

    Args:
        source: the indexed source.
        description: for messages, for example `folder: images`.
        mirror: whether copies mirrored left to right are appended.
    """

    def __init__(self, source: SourceReader, description: str, *, mirror: bool = False) -> None:
        self._handles = [item.image for item in source]
        super().__init__(description, len(self._handles), mirror=mirror)

    def _read(self, index: int) -> ImageArray:
        handle = self._handles[index]
        return np.asarray(to_upright_rgb(handle.open(), handle.where))

    def _where(self, index: int) -> str:
        return self._handles[index].where
