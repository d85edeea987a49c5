"""CIFAR-10 in its Python version, `cifar-10-python.tar.gz`, as read by the official dataset tool.

The batches in the archive are pickles. A restricted unpickler reads them: it accepts arrays, strings and numbers and
refuses every other name, so that no code in the archive is executed. Numpy receives plain bytes, never the pickled
state of an array, since a forged state could contain pointers.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, single_path

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Names of the classes 0 to 9."""

TRAIN_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6))
"""Entries of the training set, which the official dataset tool reads."""

SIDE_PX = 32
"""Width and height of an image."""

ROW_BYTES = 3 * SIDE_PX**2
"""Size of one image: all red samples, then all green, then all blue."""

MAX_BATCH_BYTES = 64 * 2**20
"""Maximum size of a batch: twice the actual size."""

ARRAY_NAMES = (
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
)
"""Module and name of arrays in pickles of numpy; numpy 2 last."""


class Cifar10Source:
    """Reads the training images of CIFAR-10."""

    name = "cifar10"
    description = "cifar-10-python.tar.gz"
    is_fallback = False

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether there is one path with a name like cifar-10-python.tar.gz."""
        names = [path.name.lower() for path in paths]
        return len(names) == 1 and names[0].startswith("cifar-10") and names[0].endswith((".tar.gz", ".tgz"))

    def open(self, paths: Sequence[Path], annotations: Path | None) -> Cifar10Reader:
        """Validates the archive and counts its images."""
        return Cifar10Reader(single_path(self.name, paths, annotations))


class Cifar10Reader:
    """Reader of the training images of an archive, with one batch in memory."""

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
        """Iterates over the images and their labels, in the order of the batches."""
        for name, pixels, labels in self._batches():
            for index, label in enumerate(labels):
                image = ArrayImage(np.ascontiguousarray(pixels[index]), f"{self._path}:{name}[{index}]")
                yield AnnotatedImage(
                    source_name=f"{name}[{index}]", image=image, record=ImageRecord(name="", label=int(label))
                )

    def _batches(self) -> Iterator[tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        """Name, pixels `[N, 32, 32, 3]` and labels `[N]` of each batch."""
        num_batches, offset = 0, -1
        try:
            with tarfile.open(self._path, "r:gz") as archive:
                for member in archive:
                    if member.offset <= offset:  # a negative size makes tarfile loop forever (CVE-2025-8194)
                        raise tarfile.ReadError("its entries form a loop")
                    offset = member.offset
                    if (name := canonical_name(member.name)) in TRAIN_BATCHES:
                        num_batches += 1
                        yield (name, *self._batch(archive, member))
        except DatasetError:
            raise
        except Exception as error:  # tarfile raises TarError, zlib.error, ValueError, OverflowError and more
            raise DatasetError(f"{self._path}: damaged archive ({error})") from error
        if num_batches != len(TRAIN_BATCHES):
            expected = f"{len(TRAIN_BATCHES)} batches {TRAIN_BATCHES[0]} to {TRAIN_BATCHES[-1]}"
            raise DatasetError(f"{self._path}: contains {num_batches} of the {expected}; all are required")

    def _batch(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        where = f"{self._path}:{member.name}"
        file = archive.extractfile(member) if member.isreg() else None  # a link may point to itself
        if file is None or member.size > MAX_BATCH_BYTES:
            raise DatasetError(f"{where}: must be a file of at most {MAX_BATCH_BYTES} bytes")
        batch = _load_arrays(file.read(), where)
        array, labels = (batch.get(key) for key in ("data", "labels")) if isinstance(batch, dict) else (None, None)
        data = array.rows() if isinstance(array, _PickledArray) else None
        if data is None:
            raise DatasetError(f"{where}: data must be uint8 of shape [N, {ROW_BYTES}]")
        if not isinstance(labels, list) or len(labels) != len(data) or not all(map(_is_label, labels)):
            raise DatasetError(f"{where}: labels must be one number from 0 to {len(CLASSES) - 1} per image")
        return data.reshape(-1, 3, SIDE_PX, SIDE_PX).transpose(0, 2, 3, 1), np.array(labels, np.int64)


def _is_label(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < len(CLASSES)


def _load_arrays(data: bytes, where: str) -> Any:
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    except Exception as error:  # damaged pickles raise many types of exceptions
        raise DatasetError(f"{where}: damaged batch ({error})") from error


def _encode(text: str, encoding: str) -> bytes:
    """Replacement for `_codecs.encode`, which Python 2 pickles use for bytes."""
    return text.encode("latin1" if encoding == "latin1" else "ascii")


class _PickledDType:
    """Replacement for `numpy.dtype` in a pickle."""

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignores the state, such as the byte order, which does not apply to bytes."""


class _PickledArray:
    """Replacement for `numpy.ndarray` in a pickle, and for the function that creates an empty one."""

    def __init__(self, *_: object) -> None:
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def rows(self) -> npt.NDArray[np.uint8] | None:
        """The array, if it is `[N, 3072]` uint8 and its number of bytes is consistent; otherwise None."""
        match self._state:
            case (int(), (int(count), int(width)), _PickledDType(code="u1"), is_fortran, bytes() | str() as samples):
                data = samples.encode("latin1") if isinstance(samples, str) else samples
                if width == ROW_BYTES and count * width == len(data):
                    return np.frombuffer(data, np.uint8).reshape(count, width, order="F" if is_fortran else "C")
        return None


class _ArrayUnpickler(pickle._Unpickler):
    """An unpickler that accepts numpy arrays and no other objects.

    It is the Python implementation, because the C implementation allocates any size that a damaged pickle requests.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def load_build(self) -> None:
        """Sets the state of an array or dtype.

        Raises:
            DatasetError: the pickle sets the state of another object, for example the attributes of `_encode`, which
                would stay changed in this process.
        """
        target = self.stack[-2]
        if not isinstance(target, (_PickledDType, _PickledArray)):
            raise DatasetError(f"sets the state of {type(target).__name__}: refused; only arrays may have a state")
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build

    def find_class(self, module: str, name: str) -> Any:
        """The replacement of a constructor of arrays.

        Raises:
            DatasetError: the pickle requests another name.
        """
        if (module, name) == ("numpy", "dtype"):
            return _PickledDType
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) in ARRAY_NAMES:
            return _PickledArray
        raise DatasetError(f"requests {module}.{name}: refused; a batch may contain only arrays, strings and numbers")
