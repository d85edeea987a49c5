"""Handles of images on disk or in memory: the `StoredImage` protocol and its implementations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import MAX_IMAGE_BYTES, read_entry
from crowdgan_core.io.images import open_bytes


class StoredImage(Protocol):
    """A handle of an image that every process can open; picklable, and small unless it contains the pixels."""

    @property
    def where(self) -> str:
        """Location for messages: the file, and the name inside an archive."""
        ...

    def open(self) -> Image.Image:
        """Opens the image as stored, without rotation or conversion; pixels may be decoded later.

        Raises:
            DatasetError: the image is missing, damaged, encrypted or too large.
        """
        ...


@dataclass(frozen=True)
class FileImage(ABC):
    """An encoded image in a file, alone or with others."""

    path: Path
    """The file."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Location for messages."""

    @abstractmethod
    def read(self) -> bytes:
        """Reads the encoded image.

        Raises:
            DatasetError: the image is missing, damaged, encrypted or too large.
        """

    def open(self) -> Image.Image:
        """Opens the image without decoding its pixels."""
        return open_bytes(self.read(), self.where)


@dataclass(frozen=True)
class ImageFile(FileImage):
    """An image in one file."""

    @property
    def where(self) -> str:
        """Path of the file."""
        return str(self.path)

    def read(self) -> bytes:
        """Reads the file."""
        with _wrap_read_errors(self.path):
            size = self.path.stat().st_size
            if size > MAX_IMAGE_BYTES:
                raise DatasetError(f"{self.path}: {size} bytes; the maximum is {MAX_IMAGE_BYTES} bytes")
            return self.path.read_bytes()


@dataclass(frozen=True)
class ZipImage(FileImage):
    """An image in a ZIP archive."""

    name: str

    @property
    def where(self) -> str:
        """Path of the archive and name of the entry."""
        return f"{self.path}:{self.name}"

    def read(self) -> bytes:
        """Reads the entry."""
        return read_entry(self.path, self.name)


@dataclass(frozen=True)
class FileRange(FileImage):
    """An image in a part of an uncompressed archive."""

    offset: int
    """Position of its first byte in the file."""
    num_bytes: int
    """Size in bytes."""
    name: str
    """Name in the archive, for messages."""

    @property
    def where(self) -> str:
        """Path of the archive and name of the image."""
        return f"{self.path}:{self.name}"

    def read(self) -> bytes:
        """Reads the part of the file."""
        with _wrap_read_errors(self.path), self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.num_bytes)


@dataclass(frozen=True)
class EncodedImage:
    """An encoded image in memory."""

    data: bytes = field(repr=False)
    where: str

    def open(self) -> Image.Image:
        """Opens the image without decoding its pixels."""
        return open_bytes(self.data, self.where)


@dataclass(frozen=True, eq=False)
class ArrayImage:
    """An image with its pixels in memory, `[height, width]` or `[height, width, 3]` uint8."""

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    where: str

    def open(self) -> Image.Image:
        """Opens the image."""
        return Image.fromarray(self.pixels)


@contextmanager
def _wrap_read_errors(path: Path) -> Iterator[None]:
    """Converts an `OSError` to a `DatasetError` that names the file."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
