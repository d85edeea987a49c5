"""MNIST and similar datasets as gzip-compressed IDX files, as read by the official dataset tool.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits (with a description of the IDX format).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, single_path

IMAGES_SUFFIX, LABELS_SUFFIX = "-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz"
"""Suffixes of the image and label file of a dataset, which are in the same folder."""

MAGIC_3D, MAGIC_1D = 0x00000803, 0x00000801
"""Magic numbers of IDX files: unsigned bytes with three dimensions and with one."""

PADDING_PX = 2
"""Width of the black padding that enlarges 28 x 28 images to 32 x 32, as in the official dataset tool."""

MAX_BYTES = 2**30
"""Maximum unpacked size of a file: twenty times that of MNIST."""


class MnistSource:
    """Reads MNIST, Fashion-MNIST and other datasets of this format."""

    name = "mnist"
    description = f"NAME{IMAGES_SUFFIX} with NAME{LABELS_SUFFIX} in the same folder"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one file with a name like train-images-idx3-ubyte.gz."""
        return len(paths) == 1 and paths[0].name.endswith(IMAGES_SUFFIX)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> MnistReader:
        """Reads images and labels into memory (55 MB for MNIST)."""
        return MnistReader(single_path(self.name, paths, annotations))


class MnistReader:
    """Reader of the images and labels of a dataset."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, path: Path) -> None:
        self._path = path
        labels_path = path.with_name(path.name.removesuffix(IMAGES_SUFFIX) + LABELS_SUFFIX)
        self._pixels = _read_idx(path, MAGIC_3D)
        self._labels = _read_idx(labels_path, MAGIC_1D)
        if len(self._pixels) != len(self._labels):
            counts = f"{len(self._labels)} labels for {len(self._pixels)} images in {path}"
            raise DatasetError(f"{labels_path}: {counts}; the numbers must be equal")

    def __len__(self) -> int:
        """Number of images."""
        return len(self._pixels)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the images, with black padding, and their labels."""
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            image = ArrayImage(np.pad(pixels, PADDING_PX), f"{self._path}[{index}]")
            yield AnnotatedImage(
                source_name=f"{self._path.name}[{index}]",
                image=image,
                record=ImageRecord(name="", label=int(label)),
            )


def _read_idx(path: Path, magic: int) -> npt.NDArray[np.uint8]:
    """The array in a gzip-compressed IDX file of unsigned bytes."""
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from error
    num_axes = magic & 0xFF
    start = 4 * (1 + num_axes)
    if len(data) > MAX_BYTES or len(data) < start or struct.unpack(">I", data[:4])[0] != magic:
        expected = f"an IDX file of bytes with {num_axes} dimensions"
        raise DatasetError(f"{path}: not valid; it must be {expected}, at most {MAX_BYTES} bytes unpacked")
    shape = struct.unpack(f">{num_axes}I", data[4:start])
    if 0 in shape:
        raise DatasetError(f"{path}: shape in the header is {'x'.join(map(str, shape))}; each number must be above 0")
    num_bytes = int(np.prod(shape, dtype=object))
    if len(data) - start != num_bytes:
        raise DatasetError(f"{path}: {len(data) - start} bytes of data; by the header it must be {num_bytes}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
