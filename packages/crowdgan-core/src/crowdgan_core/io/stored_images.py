"""Scene sources: what reads annotated or plain images, one file per kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import MAX_IMAGE_BYTES, read_entry

if TYPE_CHECKING:
    from PIL import Image
from crowdgan_core.io.images import open_bytes


class StoredImage(Protocol):
    """A stored image that any process can open: picklable, and small unless it holds the pixels itself."""

    @property
    def where(self) -> str:
        """The image's file, and its name inside an archive, for messages."""
        ...

    def open(self) -> Image.Image:
        """The stored image, not turned or converted; its pixels may be loaded later.

        Raises:
            DatasetError: it is missing, damaged, encrypted or too large.
        """
        ...


@dataclass(frozen=True)
class ImageFile:
    """An image in a file of its own."""

    path: Path

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def open(self) -> Image.Image:
        """The stored image, its pixels not yet loaded."""
        try:
            size = self.path.stat().st_size
            if size > MAX_IMAGE_BYTES:
                raise DatasetError(f"{self.path}: {size} bytes; images of at most {MAX_IMAGE_BYTES} bytes are read")
            data = self.path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be read ({error.strerror})") from error
        return open_bytes(data, self.where)


@dataclass(frozen=True)
class ZipImage:
    """An image inside a zip archive."""

    archive: Path
    name: str

    @property
    def where(self) -> str:
        """The archive and the entry."""
        return f"{self.archive}:{self.name}"

    def open(self) -> Image.Image:
        """The stored image, its pixels not yet loaded."""
        return open_bytes(read_entry(self.archive, self.name), self.where)


@dataclass(frozen=True)
class EncodedImage:
    """An encoded image in memory."""

    data: bytes
    where: str

    def open(self) -> Image.Image:
        """The stored image, its pixels not yet loaded."""
        return open_bytes(self.data, self.where)


@dataclass(frozen=True, eq=False)
class ArrayImage:
    """An image whose pixels are in memory, `[height, width]` or `[height, width, 3]` uint8."""

    pixels: npt.NDArray[np.uint8]
    where: str

    def open(self) -> Image.Image:
        """The image."""
        return Image.fromarray(self.pixels)
