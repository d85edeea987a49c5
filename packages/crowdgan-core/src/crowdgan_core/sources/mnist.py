"""MNIST and its kin in IDX files packed by gzip: what the official dataset tool reads.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits (the format IDX is described there).
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
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem

IMAGES_END, LABELS_END = "-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz"
"""How the two files of a set are named; the labels lie beside the images."""

UBYTE_3D, UBYTE_1D = 0x00000803, 0x00000801
"""First word of an IDX file: unsigned bytes in three dimensions, and in one."""

BORDER_PX = 2
"""Black border that makes 28 x 28 images 32 x 32, as in the official dataset tool."""

MAX_BYTES = 2**30
"""Unpacked size above which a file is refused: twenty times MNIST's."""


class MnistSource:
    """Reads MNIST, Fashion-MNIST and others of the form."""

    name = "mnist"
    description = f"NAME{IMAGES_END} with NAME{LABELS_END} beside it"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one file with a name like train-images-idx3-ubyte.gz."""
        return len(paths) == 1 and paths[0].name.endswith(IMAGES_END)

    def open(self, paths: Sequence[Path], annotations: Path | None) -> MnistReader:
        """Unpacks images and labels into memory: 55 MB for MNIST."""
        return MnistReader(paths[0])


class MnistReader:
    """The images of a set, with labels."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, path: Path) -> None:
        self._path = path
        labels_path = path.with_name(path.name.removesuffix(IMAGES_END) + LABELS_END)
        self._pixels = _read_idx(path, UBYTE_3D)
        self._labels = _read_idx(labels_path, UBYTE_1D)
        if len(self._pixels) != len(self._labels):
            found = f"{len(self._pixels)} images in {path} but {len(self._labels)} labels"
            raise DatasetError(f"{labels_path}: {found}; the numbers must be equal")

    def __len__(self) -> int:
        """Number of images."""
        return len(self._pixels)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Images with their labels, with a black border."""
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            image = ArrayImage(np.pad(pixels, BORDER_PX), f"{self._path}[{index}]")
            yield AnnotatedImage(
                source_name=f"{self._path.name}[{index}]",
                image=image,
                record=ImageRecord(name="", label=int(label)),
            )


def _read_idx(path: Path, kind: int) -> npt.NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, packed by gzip."""
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from error
    axes = kind & 0xFF
    start = 4 * (1 + axes)
    if len(data) > MAX_BYTES or len(data) < start or struct.unpack(">I", data[:4])[0] != kind:
        raise DatasetError(f"{path}: it is no IDX file of bytes in {axes} dimensions of at most {MAX_BYTES} bytes")
    shape = struct.unpack(f">{axes}I", data[4:start])
    if 0 in shape:
        raise DatasetError(f"{path}: its header says {'x'.join(map(str, shape))}; each must be above 0")
    expected = int(np.prod(shape, dtype=object))
    if len(data) - start != expected:
        raise DatasetError(f"{path}: {len(data) - start} bytes where its header says {expected}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
