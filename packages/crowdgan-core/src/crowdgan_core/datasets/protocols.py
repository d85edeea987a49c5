"""Training datasets on disk: what one holds, and the contract of a format that writes and reads it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.utils.arrays import ImageArray


class DatasetWriter(Protocol):
    """A dataset that is being written beside its destination."""

    def add(self, encoded: bytes, size: tuple[int, int]) -> str:
        """Adds one image as the format's `encode` made it, of `size` (height, width); returns its name.

        All images of a dataset have one size.
        """
        ...

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes labels and metadata: the last call."""
        ...


class DatasetReader(Protocol):
    """An open dataset that is being read."""

    @property
    def metadata(self) -> DatasetMetadata:
        """The metadata record."""
        ...

    def __len__(self) -> int:
        """Number of images."""
        ...

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8.

        Raises:
            DatasetError: the image is damaged.
        """
        ...

    def stored_image(self, index: int) -> StoredImage:
        """One image as other processes can open it.

        Raises:
            DatasetError: as `image`.
        """
        ...

    def close(self) -> None:
        """Closes the dataset's files."""
        ...


class DatasetFormat(Protocol):
    """A way to store a dataset. Picklable: workers encode with it."""

    @property
    def name(self) -> str:
        """For messages and `crowdgan plugins`."""
        ...

    @property
    def suffixes(self) -> str:
        """What its paths look like, for messages, for example `NAME.h5 or NAME.hdf5`."""
        ...

    def matches(self, path: Path) -> bool:
        """Whether a destination or a dataset with this path is of this format, judged by its name and kind."""
        ...

    def encode(self, pixels: ImageArray) -> bytes:
        """The bytes that `DatasetWriter.add` stores for one image; runs in worker processes."""
        ...

    def create(self, dest: Path, *, overwrite: bool) -> AbstractContextManager[DatasetWriter]:
        """A writer for a new dataset, which appears at `dest`, whole, when the context ends without an error.

        Raises:
            DatasetError: the destination exists and `overwrite` is False, or it cannot be written.
        """
        ...

    def open(self, path: Path) -> DatasetReader:
        """A reader for a dataset.

        Raises:
            DatasetError: the path holds no dataset of this format, or a damaged one.
        """
        ...
