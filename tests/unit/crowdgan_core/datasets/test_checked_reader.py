"""Readers of plugin formats: pixels of another type or shape and exceptions name the format and the image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.datasets.format_lookup import open_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader, DatasetWriter
from crowdgan_core.errors import DatasetError, PluginError
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.pipeline.image_job import load_full_scene
from crowdgan_core.sources.dataset import DatasetSource
from crowdgan_core.utils.arrays import ImageArray

ReadImage = Callable[[], Any]


class PluggedReader(DatasetReader):
    """A reader of one image, which a function returns."""

    def __init__(self, path: Path, read: ReadImage) -> None:
        self.path = path
        self.metadata = DatasetMetadata(images=(ImageRecord(name="a.raw"),))
        self.is_closed = False
        self._read = read

    def image(self, index: int) -> ImageArray:
        pixels: ImageArray = self._read()
        return pixels

    def stored_image(self, index: int) -> ArrayImage:
        return ArrayImage(self._read(), f"{self.path}:a.raw")

    def close(self) -> None:
        self.is_closed = True


class PluggedFormat:
    """A format whose reader returns what a function returns."""

    name = "raw"
    suffixes = "NAME.raw"

    def __init__(self, read: ReadImage, open_reader: Callable[[Path, ReadImage], Any] = PluggedReader) -> None:
        self._read = read
        self._open_reader = open_reader

    def matches(self, path: Path) -> bool:
        return path.suffix == ".raw"

    def encode(self, pixels: ImageArray) -> bytes:
        return pixels.tobytes()

    def create(self, dest: Path, *, overwrite: bool) -> AbstractContextManager[DatasetWriter]:
        raise DatasetError("read-only format")

    def open(self, path: Path) -> DatasetReader:
        reader: DatasetReader = self._open_reader(path, self._read)
        return reader


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "a.raw"
    path.write_bytes(b"")
    return path


def raise_key_error() -> Any:
    raise KeyError("pixels")


PIXELS = np.full((4, 6, 3), 9, np.uint8)


def test_valid_images_are_returned_unchanged(dataset: Path) -> None:
    opened: list[PluggedReader] = []

    def open_reader(path: Path, read: ReadImage) -> PluggedReader:
        opened.append(PluggedReader(path, read))
        return opened[0]

    with open_dataset(dataset, [PluggedFormat(lambda: PIXELS, open_reader)]) as reader:
        assert reader.image(0) is PIXELS
        assert reader.image_size(0) == (4, 6)
        assert repr(reader) == "DatasetReader('a.raw', 1 image, 6x4)"
    assert opened[0].is_closed


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (PIXELS.astype(np.float32), "float32 [4, 6, 3]"),
        (PIXELS.astype(np.int64), "int64 [4, 6, 3]"),
        (PIXELS[..., 0], "uint8 [4, 6]"),
        (PIXELS.transpose(2, 0, 1), "uint8 [3, 4, 6]"),
        (PIXELS[:0], "uint8 [0, 6, 3]"),
        (PIXELS.tolist(), "list"),
        (None, "NoneType"),
    ],
)
def test_pixels_of_another_type_or_shape_are_an_error(dataset: Path, pixels: Any, found: str) -> None:
    reader = open_dataset(dataset, [PluggedFormat(lambda: pixels)])
    with pytest.raises(PluginError) as caught:
        reader.image(0)
    problem = f"image returned {found}; it must return uint8 [height, width, 3]"
    assert str(caught.value) == f"dataset format raw: {dataset}:a.raw: {problem}"


def test_an_exception_in_a_format_names_it_and_the_image(dataset: Path) -> None:
    reader = open_dataset(dataset, [PluggedFormat(raise_key_error)])
    for read in (reader.image, reader.stored_image, reader.image_size):
        with pytest.raises(PluginError) as caught:
            read(0)
        assert str(caught.value) == f"dataset format raw failed: {dataset}:a.raw: KeyError: 'pixels'"
    assert repr(reader) == "DatasetReader('a.raw', 1 image)", "the representation never fails"


def test_a_format_that_cannot_be_opened_is_named(dataset: Path) -> None:
    with pytest.raises(PluginError, match=f"^dataset format raw failed: {dataset}: TypeError: "):
        open_dataset(dataset, [PluggedFormat(lambda: PIXELS, lambda path: None)])  # type: ignore[arg-type, misc]
    without_metadata = type("Reader", (), {"metadata": {}})
    with pytest.raises(PluginError, match=r"metadata is dict; it must be DatasetMetadata$"):
        open_dataset(dataset, [PluggedFormat(lambda: PIXELS, lambda path, read: without_metadata())])


@pytest.mark.parametrize("pixels", [PIXELS.astype(np.float32), np.full((4, 6), 0.5, np.float32)])
def test_images_of_floating_point_numbers_are_not_converted(dataset: Path, pixels: Any) -> None:
    source = DatasetSource(lambda: [PluggedFormat(lambda: pixels)]).open([dataset], None)
    with pytest.raises(PluginError, match="^image handle ArrayImage of crowdgan-core.* image a.raw: "):
        load_full_scene(next(iter(source)))
