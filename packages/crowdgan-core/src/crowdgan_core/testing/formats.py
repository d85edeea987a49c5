"""Contract check of a dataset format."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.datasets.format_lookup import is_fallback
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord, Label
from crowdgan_core.datasets.protocols import DatasetFormat, DatasetReader, SequentialFormat
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import CrowdganError, DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.plugins.builtin import crowdgan_register_dataset_formats
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.testing.extractors import example_images
from crowdgan_core.testing.writing import write_dataset
from crowdgan_core.utils.arrays import ImageArray

SIZE = (18, 30)
"""Size of the example images, `(height, width)` in pixels."""

MAX_LOSSY_ERROR = 16.0
"""Maximum mean difference in grey levels between a smooth image and its copy in a format with lossy compression."""

SMOOTH_IMAGES = slice(1, 3)
"""The example images without noise and edges, which lossy compression keeps."""

CLASS_METADATA = DatasetMetadata(
    estimator="example",
    options={"dense_from": 3.0, "names": ["é", "b"]},
    unit="persons/m²",
    classes=("sparse", "medium", "dense"),
    class_bounds=ClassBounds(values=(0.5, 3.0), options=("medium_from", "dense_from")),
    label_kind="class",
    source="crowdhuman: café",
    transform="center-crop 30x18",
    region="crop",
    tool_version="0.1.0",
)
"""Metadata of the example dataset with classes."""


@plugin_errors_fail()
def check_dataset_format(dataset_format: DatasetFormat, path: Path, *, is_lossless: bool = True) -> None:
    """Checks a dataset format against the contract.

    - Name and suffixes are texts; the format can be pickled.
    - The path has this format and no other built-in format except `folder`; a text file does not have it.
    - Datasets with class indices, densities, vectors or no labels are read back with equal metadata, names and images,
      in any order of access; image handles can be sent to worker processes and used after the reader is closed.
    - A dataset appears when it is complete: an interrupted or refused write leaves the folder as it was. Files that a
      dataset has beside its images, such as labels, are not checked.
    - An existing dataset is replaced only with `overwrite`.
    - A missing, foreign or truncated dataset raises a DatasetError.

    Args:
        dataset_format: the format, as returned by the plugin's hook.
        path: for a format that writes, a path for a dataset in a folder that is otherwise empty, which is written
            there and remains; for a format that only reads, an existing dataset of at least two images.
        is_lossless: whether images are stored without loss; False for lossy compression, such as JPEG.

    Raises:
        AssertionError: the format violates the contract; the message describes how.
    """
    _check_attributes(dataset_format, path)
    if isinstance(dataset_format, SequentialFormat) and not path.exists():
        _check_encoding(dataset_format)
        _check_missing(dataset_format, path)
        _check_labels(dataset_format, path, is_lossless)
        _check_interruption(dataset_format, path)
        _check_overwrite(dataset_format, path, is_lossless)
        _check_truncation(dataset_format, path)
        _check_matches(dataset_format, path)
        return
    require(path.exists(), "the format has no method create, so the path must be an existing dataset")
    with _open(dataset_format, path) as reader:
        images = [reader.image(index) for index in range(len(reader))]
        metadata = reader.metadata.with_images(reader.metadata.images)
    require(len(images) > 1, f"the dataset has {len(images)} images; the check needs at least 2")
    _check_reader(dataset_format, path, images, metadata, is_lossless=True)


def _check_attributes(dataset_format: DatasetFormat, path: Path) -> None:
    for key in ("name", "suffixes"):
        text: Any = getattr(dataset_format, key, None)
        require(isinstance(text, str) and bool(text.strip()), f"{key} is {text!r}; it must be text")
    _check_matches(dataset_format, path)
    other = path.with_name("notes.txt")
    require(dataset_format.matches(other) is False, "matches(notes.txt) must be False")
    try:
        pickle.loads(pickle.dumps(dataset_format))  # noqa: S301  our own bytes
    except Exception as error:  # the class's code may raise any exception
        raise AssertionError(f"it cannot be sent to worker processes: {error}") from error


def _check_matches(dataset_format: DatasetFormat, path: Path) -> None:
    description = f"{path.name}, which {'exists' if path.exists() else 'does not exist'}"
    require(dataset_format.matches(path) is True, f"matches must be True for {description}")
    others = [item for item in crowdgan_register_dataset_formats() if item.name != dataset_format.name]
    names = [item.name for item in others if item.matches(path) and not is_fallback(item)]
    require(not names, f"the built-in format {', '.join(names)} matches {path.name} too; choose another suffix")


def _check_encoding(dataset_format: DatasetFormat) -> None:
    for image in example_images(SIZE):
        passed = image.copy()
        encoded: Any = dataset_format.encode(passed)
        require(isinstance(encoded, bytes), f"encode returned {type(encoded).__name__}, not bytes")
        require(np.array_equal(passed, image), "encode must not modify the image")
        require(dataset_format.encode(passed) == encoded, "encode must return the same bytes again")


def _check_missing(dataset_format: DatasetFormat, path: Path) -> None:
    _require_dataset_error(lambda: _open(dataset_format, path), "opening a missing dataset")
    path.write_bytes(b"not a dataset")
    _require_dataset_error(lambda: _open(dataset_format, path), "opening a file that is not a dataset")
    path.unlink()


def _check_labels(dataset_format: SequentialFormat, path: Path, is_lossless: bool) -> None:
    """Writes and reads datasets with labels of every kind; the last one remains."""
    count = len(example_images(SIZE))
    unlabelled = DatasetMetadata()
    values = replace(CLASS_METADATA, label_kind="value", classes=(), class_bounds=None)
    datasets: list[tuple[DatasetMetadata, Sequence[Label | None]]] = [
        (unlabelled, [None] * count),
        (values, [(0.25 * index,) for index in range(count)]),
        (values, [(0.25 * index, -1.0) for index in range(count)]),
        (CLASS_METADATA, [index % 3 for index in range(count)]),
    ]
    for metadata, labels in datasets:
        _write(dataset_format, path, metadata, labels, is_lossless, overwrite=metadata is not unlabelled)


def _write(
    dataset_format: SequentialFormat,
    path: Path,
    metadata: DatasetMetadata,
    labels: Sequence[Label | None],
    is_lossless: bool,
    *,
    overwrite: bool,
) -> None:
    """Writes a dataset with one image per label, and checks that it is read back."""
    images = list(example_images(SIZE)[: len(labels)])
    complete = metadata.with_images(map(_record, range(len(labels)), labels))
    written = write_dataset(dataset_format, path, images, complete, overwrite=overwrite)
    names: list[Any] = [record.name for record in written.images]
    is_valid = all(isinstance(name, str) and name for name in names)
    require(is_valid and len(set(names)) == len(names), f"add returned the names {names}; they must differ")
    require([item.name for item in path.parent.iterdir()] == [path.name], "temporary files must be removed")
    if not is_lossless:
        with _open(dataset_format, path) as reader:
            stored = [reader.image(index) for index in range(len(images))]
        for image, copy in list(zip(images, stored, strict=True))[SMOOTH_IMAGES]:
            difference = float(np.abs(image.astype(float) - copy).mean()) if image.shape == copy.shape else np.inf
            require(difference <= MAX_LOSSY_ERROR, f"stored images differ by {difference:g} grey levels on average")
        images = stored
    _check_reader(dataset_format, path, images, written, is_lossless=is_lossless)


def _record(index: int, label: Label | None) -> ImageRecord:
    if label is None:
        return ImageRecord(name="", source=f"image {index}.jpg")
    return ImageRecord(
        name="",
        source=f"café/{index}, a.jpg",
        person_count=index,
        density=0.25 * index,
        interval=(0.2 * index, 0.3 * index),
        peak=0.5 * index,
        label=label,
    )


def _check_reader(
    dataset_format: DatasetFormat,
    path: Path,
    images: Sequence[ImageArray],
    metadata: DatasetMetadata,
    *,
    is_lossless: bool,
) -> None:
    """Checks everything that a reader returns, with images in another order."""
    order = [*range(1, len(images)), 0]
    with _open(dataset_format, path) as reader:
        require(len(reader) == len(images), f"the reader has {len(reader)} images; {len(images)} were written")
        require(reader.path == path, f"the reader's path is {reader.path}, not {path}")
        without_images = metadata.with_images([])
        found = reader.metadata.with_images([])
        require(found == without_images, f"metadata is {found!r:.300}, not {without_images!r:.300}")
        for index in order:
            record, expected = reader.metadata.images[index], metadata.images[index]
            require(record == expected, f"record {index} is {record!r}, not {expected!r}")
            image: Any = reader.image(index)
            is_rgb = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
            require(is_rgb and image.shape[2] == 3, f"image {index} must be uint8 [height, width, 3]")
            hint = "; for lossy formats pass is_lossless=False" if is_lossless else ""
            is_equal = np.array_equal(image, images[index])
            require(is_equal, f"image {index} differs from the image that was written{hint}")
            size = reader.image_size(index)
            require(tuple(size) == image.shape[:2], f"image_size({index}) is {size}, not {image.shape[:2]}")
        handles = [reader.stored_image(index) for index in range(len(images))]
    for index in order:
        try:
            handle = pickle.loads(pickle.dumps(handles[index]))  # noqa: S301  our own bytes
            pixels = np.asarray(to_upright_rgb(handle.open(), handle.where))
        except Exception as error:  # the class's code may raise any exception
            raise AssertionError(f"the handle of image {index} cannot be used in another process: {error}") from error
        is_same = np.array_equal(pixels, images[index])
        require(is_same, f"stored_image({index}) has other pixels than image({index})")


def _check_interruption(dataset_format: SequentialFormat, path: Path) -> None:
    """Checks that an interrupted write leaves nothing, beside the destination and in place of it."""
    existing = _contents(path)
    other = path.with_name(f"other{path.suffix}")
    for dest, overwrite in ((other, False), (path, True)):
        try:
            with dataset_format.create(dest, overwrite=overwrite) as writer:
                image = example_images(SIZE)[0]
                writer.add(dataset_format.encode(image), SIZE, _record(0, 0))
                require(_contents(path) == existing and not other.exists(), "a dataset must appear when it is complete")
                raise _InterruptionError
        except _InterruptionError:
            pass
        names = sorted(item.name for item in path.parent.iterdir())
        require(names == [path.name], f"an interrupted write leaves {names}; {[path.name]} existed before")
        require(_contents(path) == existing, "an interrupted write must not change an existing dataset")


def _check_overwrite(dataset_format: SequentialFormat, path: Path, is_lossless: bool) -> None:
    existing = _contents(path)

    def write() -> None:
        with dataset_format.create(path, overwrite=False) as writer:
            writer.finish(DatasetMetadata())

    _require_dataset_error(write, "writing to an existing dataset without overwrite")
    require(_contents(path) == existing, "a write that is refused must not change the existing dataset")
    _write(dataset_format, path, CLASS_METADATA, [0, 2, 1], is_lossless, overwrite=True)


def _check_truncation(dataset_format: DatasetFormat, path: Path) -> None:
    """Checks that the first half of a dataset that is one file is an error, when it is opened or read."""
    if not path.is_file():
        return
    truncated = path.with_name(f"truncated{path.suffix}")
    data = path.read_bytes()
    truncated.write_bytes(data[: len(data) // 2])

    def read() -> None:
        with _open(dataset_format, truncated) as reader:
            for index in range(len(reader)):
                reader.image(index)

    try:
        _require_dataset_error(read, "reading a truncated dataset")
    finally:
        truncated.unlink()


def _open(dataset_format: DatasetFormat, path: Path) -> DatasetReader:
    reader: Any = dataset_format.open(path)
    require(isinstance(reader, DatasetReader), f"open returned {type(reader).__name__}, not a DatasetReader")
    opened: DatasetReader = reader
    return opened


def _require_dataset_error(action: Callable[[], object], description: str) -> None:
    try:
        action()
    except DatasetError:
        return
    except CrowdganError as error:
        raise AssertionError(f"{description} raises {type(error).__name__}; it must raise DatasetError") from error
    except Exception as error:  # the class's code may raise any exception
        raise AssertionError(f"{description} raises {error!r:.200}; it must raise DatasetError") from error
    raise AssertionError(f"{description} must raise DatasetError")


def _contents(path: Path) -> dict[str, bytes]:
    """Bytes of the files of a dataset by path."""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    return {str(item): item.read_bytes() for item in files}


class _InterruptionError(Exception):
    """Ends a write before it is complete."""
