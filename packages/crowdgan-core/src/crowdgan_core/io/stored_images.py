"""Handles of images on disk or in memory: the `StoredImage` protocol and its four implementations."""

from __future__ import annotations

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
class ImageFile:
    """An image in one file."""

    path: Path

    @property
    def where(self) -> str:
        """Path of the file."""
        return str(self.path)

    def open(self) -> Image.Image:
        """Opens the image without decoding its pixels."""
        try:
            size = self.path.stat().st_size
            if size > MAX_IMAGE_BYTES:
                raise DatasetError(f"{self.path}: {size} bytes; the maximum is {MAX_IMAGE_BYTES} bytes")
            data = self.path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror})") from error
        return open_bytes(data, self.where)


@dataclass(frozen=True)
class ZipImage:
    """An image in a ZIP archive."""

    archive: Path
    name: str

    @property
    def where(self) -> str:
        """Path of the archive and name of the entry."""
        return f"{self.archive}:{self.name}"

    def open(self) -> Image.Image:
        """Opens the image without decoding its pixels."""
        return open_bytes(read_entry(self.archive, self.name), self.where)


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
