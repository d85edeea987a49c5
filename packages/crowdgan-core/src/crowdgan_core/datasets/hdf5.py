"""HDF5 datasets: `/images` `[N, H, W, 3]` uint8 with one chunk per image, `/labels`, `/names`, metadata as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetWriter
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.io.codec import loads_strict
from crowdgan_core.io.stored_images import ArrayImage, StoredImage
from crowdgan_core.utils.arrays import ImageArray

if TYPE_CHECKING:
    import h5py

METADATA_NAME = "crowdgan"
"""Attribute of the file that holds the metadata record as JSON."""

VERSIONS = ("v108", "latest")
"""Oldest and newest file format: from HDF5 1.8 on an attribute may hold more than 64 KiB of text."""


class Hdf5Format:
    """One HDF5 file; h5py is imported when it is used, so that commands which do not use it start fast."""

    name = "hdf5"
    suffixes = "NAME.h5 or NAME.hdf5"

    def matches(self, path: Path) -> bool:
        """Whether the path ends in .h5 or .hdf5."""
        return path.suffix.lower() in (".h5", ".hdf5")

    def encode(self, pixels: ImageArray) -> bytes:
        """The samples as they are."""
        return pixels.tobytes()

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        """A writer for a new file."""
        import h5py

        with atomic_path(dest, overwrite=overwrite) as partial:
            with wrap_os_errors(dest):
                file = h5py.File(partial, "w", libver=VERSIONS)
            try:
                yield _Hdf5Writer(file, dest)
            except BaseException:
                _abandon(file)
                raise
            with wrap_os_errors(dest):
                file.close()

    def open(self, path: Path) -> Hdf5Reader:
        """A reader for a file."""
        return Hdf5Reader(path)


class _Hdf5Writer:
    def __init__(self, file: h5py.File, dest: Path) -> None:
        self._file = file
        self._dest = dest
        self._images: h5py.Dataset | None = None
        self._count = 0

    def add(self, encoded: bytes, size: tuple[int, int]) -> str:
        """Adds one image as a chunk of its own, without a copy through HDF5's conversion."""
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
                kind = np.int64 if metadata.label_kind == "class" else np.float32
                labels = np.array([record.label for record in metadata.images], kind)
                self._file.create_dataset("labels", data=labels)
            text = json.dumps(metadata.to_json(), allow_nan=False)
            self._file.attrs.create(METADATA_NAME, np.bytes_(text.encode("ascii")))


class Hdf5Reader:
    """An open HDF5 dataset."""

    def __init__(self, path: Path) -> None:
        import h5py

        self._path = path
        with _damage_named(path):
            self._file = h5py.File(path, "r")
        try:
            with _damage_named(path):
                self._images = self._checked_images()
                self.metadata = DatasetMetadata.from_json(loads_strict(self._metadata_text()), str(path))
            if len(self.metadata.images) != len(self):
                found = f"{len(self)} images and {len(self.metadata.images)} records of images"
                raise DatasetError(f"{path}: {found}; the numbers must be equal")
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        """Number of images."""
        return 0 if self._images is None else len(self._images)

    def image(self, index: int) -> ImageArray:
        """Pixels of one image, `[height, width, 3]` uint8."""
        assert self._images is not None
        with _damage_named(self._path):
            return np.asarray(self._images[index])

    def stored_image(self, index: int) -> StoredImage:
        """One image, with its pixels: a file of HDF5 is open in one process."""
        return ArrayImage(self.image(index), f"{self._path}:{self.metadata.images[index].name}")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _metadata_text(self) -> bytes:
        """The metadata attribute, of fixed length: texts of variable length are refused.

        They lie in a heap that libhdf5 may read for ever where it is damaged.
        """
        kind = self._file.attrs.get_id(METADATA_NAME).dtype
        if kind.kind != "S":
            raise DatasetError(f"{self._path}: the attribute {METADATA_NAME} must be a text of fixed length")
        return bytes(self._file.attrs[METADATA_NAME])

    def _checked_images(self) -> h5py.Dataset | None:
        """The dataset `/images`; None in a file without images."""
        import h5py

        images = self._file.get("images")
        if images is None:
            return None
        if not isinstance(images, h5py.Dataset) or images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise DatasetError(f"{self._path}: /images must be uint8 of shape [N, height, width, 3]")
        if 0 in images.shape[1:3]:
            raise DatasetError(f"{self._path}: /images has images of {images.shape[2]}x{images.shape[1]} px")
        return images


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turns what h5py raises on files that are missing, damaged or none of ours into a `DatasetError`."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{path}: there is no such file") from None
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path}: no crowdgan dataset, or a damaged one ({error})") from error


def _abandon(file: h5py.File) -> None:
    """Closes a file that is given up, also where closing fails as writing did: it is removed anyway."""
    with suppress(OSError, RuntimeError):
        file.close()
