"""CIFAR-10 in its Python form, `cifar-10-python.tar.gz`: what the official dataset tool reads.

The batches in the archive are pickles. They are read by an unpickler that admits arrays, text and numbers, and refuses
anything else by name, so that nothing in the archive is executed; numpy gets plain bytes, never the state of an array,
since a forged one makes it follow pointers out of the archive.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Names of the labels 0 to 9, in the order of the dataset."""

TRAIN_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6))
"""The training set, as the official dataset tool takes it."""

SIDE_PX = 32
ROW_BYTES = 3 * SIDE_PX**2
"""One image: all red samples, all green ones, all blue ones."""

MAX_BATCH_BYTES = 64 * 2**20
"""Twice the size of a real batch."""

ARRAYS = (
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
)
"""Modules and names by which numpy's pickles call an array, those of numpy 2 last."""


class Cifar10Source:
    """Reads the training images of CIFAR-10."""

    name = "cifar10"
    description = "cifar-10-python.tar.gz"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one file with a name like cifar-10-python.tar.gz."""
        names = [path.name.lower() for path in paths]
        return len(names) == 1 and names[0].startswith("cifar-10") and names[0].endswith((".tar.gz", ".tgz"))

    def open(self, paths: Sequence[Path], annotations: Path | None) -> Cifar10Reader:
        """Checks the archive and counts its images."""
        return Cifar10Reader(paths[0])


class Cifar10Reader:
    """The training images of an archive, one batch in memory at a time."""

    has_annotations = False
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata(classes=CLASSES)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = sum(len(labels) for _, _, labels in self._batches())

    def __len__(self) -> int:
        """Number of images."""
        return self._count

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Images with their labels, in the order of the batches."""
        for name, pixels, labels in self._batches():
            for index, label in enumerate(labels):
                image = ArrayImage(np.ascontiguousarray(pixels[index]), f"{self._path}:{name}[{index}]")
                yield AnnotatedImage(
                    source_name=f"{name}[{index}]", image=image, record=ImageRecord(name="", label=int(label))
                )

    def _batches(self) -> Iterator[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        """Name, pixels `[N, 32, 32, 3]` and labels `[N]` of each batch."""
        found, offset = 0, -1
        try:
            with tarfile.open(self._path, "r:gz") as archive:
                for member in archive:
                    if member.offset <= offset:  # a size below 0 leads tarfile back, again and again (CVE-2025-8194)
                        raise tarfile.ReadError("its entries run in a circle")
                    offset = member.offset
                    if member.name in TRAIN_BATCHES:
                        found += 1
                        yield (member.name, *self._batch(archive, member))
        except DatasetError:
            raise
        except Exception as error:  # tarfile raises TarError, zlib.error, ValueError, OverflowError and more
            raise DatasetError(f"{self._path}: damaged archive ({error})") from error
        if found != len(TRAIN_BATCHES):
            wanted = f"{len(TRAIN_BATCHES)} batches {TRAIN_BATCHES[0]} to {TRAIN_BATCHES[-1]}"
            raise DatasetError(f"{self._path}: {found} of the {wanted} are in it")

    def _batch(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        where = f"{self._path}:{member.name}"
        file = archive.extractfile(member) if member.isreg() else None  # a link may lead to itself
        if file is None or member.size > MAX_BATCH_BYTES:
            raise DatasetError(f"{where}: it must be a file of at most {MAX_BATCH_BYTES} bytes")
        batch = _load_arrays(file.read(), where)
        array, labels = (batch.get(key) for key in ("data", "labels")) if isinstance(batch, dict) else (None, None)
        data = array.rows() if isinstance(array, _Array) else None
        if data is None:
            raise DatasetError(f"{where}: data must be uint8 of shape [N, {ROW_BYTES}]")
        if not isinstance(labels, list) or len(labels) != len(data) or not all(map(_is_label, labels)):
            raise DatasetError(f"{where}: labels must be one number from 0 to {len(CLASSES) - 1} per image")
        return data.reshape(-1, 3, SIDE_PX, SIDE_PX).transpose(0, 2, 3, 1), np.array(labels, np.int64)


def _is_label(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < len(CLASSES)


def _load_arrays(data: bytes, where: str) -> Any:
    try:
        return _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    except Exception as error:  # damaged pickles raise everything there is
        raise DatasetError(f"{where}: damaged batch ({error})") from error


def _encoded(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which Python 2 pickles hold bytes."""
    return text.encode("latin1" if encoding == "latin1" else "ascii")


class _DType:
    """Stands for `numpy.dtype` in a pickle."""

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Byte order and the like, which bytes do not have."""


class _Array:
    """Stands for `numpy.ndarray` in a pickle, and for the function that makes an empty one."""

    def __init__(self, *_: object) -> None:
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def rows(self) -> npt.NDArray[np.uint8] | None:
        """The array, if it is `[N, 3072]` uint8 and holds as many bytes as it says; None for any other."""
        match self._state:
            case (int(), (int(count), int(width)), _DType(code="u1"), is_fortran, bytes() | str() as samples):
                data = samples.encode("latin1") if isinstance(samples, str) else samples
                if width == ROW_BYTES and count * width == len(data):
                    return np.frombuffer(data, np.uint8).reshape(count, width, order="F" if is_fortran else "C")
        return None


class _ArraysOnly(pickle._Unpickler):
    """An unpickler that knows what a numpy array is made of, and nothing else.

    The one in Python, since the one in C allocates whatever size a damaged pickle asks for.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the few constructors of an array.

        Raises:
            DatasetError: the pickle asks for anything else.
        """
        if (module, name) == ("numpy", "dtype"):
            return _DType
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        if (module, name) in ARRAYS:
            return _Array
        raise DatasetError(f"it asks for {module}.{name}: refused, a batch holds arrays, texts and numbers alone")
