"""The HDF5 format: `/images` `[N, H, W, 3]` uint8, one chunk per image; `/labels`; `/names`; metadata as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader, DatasetWriter
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.stored_images import ArrayImage, StoredImage
from crowdgan_core.utils.arrays import ImageArray

if TYPE_CHECKING:
    import h5py

METADATA_ATTRIBUTE = "crowdgan"
"""File attribute that contains the metadata as JSON."""

LIBRARY_VERSIONS = ("v108", "latest")
"""Oldest and newest HDF5 file version; from version 1.8, attributes may be larger than 64 KiB."""


class Hdf5Format:
    """One HDF5 file. h5py is imported on first use, so that other commands start quickly."""

    name = "hdf5"
    suffixes = "NAME.h5 or NAME.hdf5"

    def matches(self, path: Path) -> bool:
        """Whether the path ends in .h5 or .hdf5."""
        return path.suffix.lower() in (".h5", ".hdf5")

    def encode(self, pixels: ImageArray) -> bytes:
        """The raw bytes of the pixels."""
        return pixels.tobytes()

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        """Creates a file."""
        import h5py

        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                file = h5py.File(partial, "w", libver=LIBRARY_VERSIONS, locking="best-effort")
            try:
                yield _Hdf5Writer(file, dest)
            except BaseException:
                _close_after_error(file)
                raise
            with wrap_os_errors(dest):
                file.close()

    def open(self, path: Path) -> Hdf5Reader:
        """Opens a file for reading."""
        return Hdf5Reader(path)


class _Hdf5Writer:
    def __init__(self, file: h5py.File, dest: Path) -> None:
        self._file = file
        self._dest = dest
        self._images: h5py.Dataset | None = None
        self._count = 0

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        """Appends one image as one chunk, without the copy of HDF5's type conversion."""
        with wrap_os_errors(self._dest):
            if self._images is None:
                shape = (*size, 3)
                self._images = self._file.create_dataset(
                    "images", (0, *shape), np.uint8, maxshape=(None, *shape), chunks=(1, *shape)
                )
            self._images.resize(self._count + 1, axis=0)
            self._images.id.write_direct_chunk((self._count, 0, 0, 0), encoded)
        self._count += 1
        return f"{self._count - 1:08d}"

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes names, labels and metadata."""
        with wrap_os_errors(self._dest):
            self._file.create_dataset("names", data=np.array([record.name for record in metadata.images], "S"))
            if metadata.label_kind is not None:
                dtype = np.int64 if metadata.label_kind == "class" else np.float32
                labels = np.array([record.label for record in metadata.images], dtype)
                self._file.create_dataset("labels", data=labels)
            text = json.dumps(metadata.to_json(), allow_nan=False)
            self._file.attrs.create(METADATA_ATTRIBUTE, np.bytes_(text.encode("ascii")))


class Hdf5Reader(DatasetReader):
    """An open HDF5 dataset."""

    def __init__(self, path: Path) -> None:
        import h5py

        self.path = path
        with _wrap_h5py_errors(path):
            self._file = h5py.File(path, "r", locking=False)
        try:
            with _wrap_h5py_errors(path):
                self._images = self._validate_images()
                self.metadata = DatasetMetadata.from_json(loads_strict(self._metadata_text()), str(path))
            if len(self.metadata.images) != len(self):
                counts = f"{len(self)} images and {len(self.metadata.images)} image records"
                raise DatasetError(f"{path}: {counts}; the numbers must be equal")
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        """Number of images."""
        return 0 if self._images is None else len(self._images)

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8."""
        assert self._images is not None
        with _wrap_h5py_errors(self.path):
            return np.asarray(self._images[index])

    def stored_image(self, index: int) -> StoredImage:
        """One image with its pixels, since an open HDF5 file cannot be shared between processes."""
        return ArrayImage(self.image(index), f"{self.path}:{self.metadata.images[index].name}")

    def image_size(self, _index: int) -> tuple[int, int]:
        """`(height, width)` of the images in pixels, which is the same for all."""
        assert self._images is not None
        height, width = self._images.shape[1:3]
        return int(height), int(width)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _metadata_text(self) -> bytes:
        """The metadata attribute, which must be a fixed-length string.

        Variable-length strings are stored in a heap; if the heap is damaged, libhdf5 may never return.
        """
        dtype = self._file.attrs.get_id(METADATA_ATTRIBUTE).dtype
        if dtype.kind != "S":
            raise DatasetError(f"{self.path}: attribute {METADATA_ATTRIBUTE} must be a fixed-length string")
        return bytes(self._file.attrs[METADATA_ATTRIBUTE])

    def _validate_images(self) -> h5py.Dataset | None:
        """The validated HDF5 dataset `/images`; None if the file has no images."""
        import h5py

        images = self._file.get("images")
        if images is None:
            return None
        if not isinstance(images, h5py.Dataset) or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise DatasetError(f"{self.path}: /images must be uint8 of shape [N, height, width, 3]")
        if 0 in images.shape[1:3]:
            size = f"{images.shape[2]}x{images.shape[1]} px"
            raise DatasetError(f"{self.path}: /images has images of {size}; width and height must be at least 1 px")
        return images


@contextmanager
def _wrap_h5py_errors(path: Path) -> Iterator[None]:
    """Converts exceptions of h5py on missing, damaged or foreign files to a `DatasetError`."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path}: damaged dataset, or not a crowdgan dataset ({error})") from error


def _close_after_error(file: h5py.File) -> None:
    """Closes a file after a write error and ignores further errors, since the file is removed."""
    with suppress(OSError, RuntimeError):
        file.close()
