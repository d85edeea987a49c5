"""The contract check of dataset formats accepts valid ones and describes each violation."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.datasets.zip_folder import ZipFolderReader, ZipFormat
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.storage import open_store
from crowdgan_core.io.stored_images import EncodedImage
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.testing import check_dataset_format, write_dataset
from tests.unit.crowdgan_core.conftest import WriteSource
from tests.unit.crowdgan_core.pipeline.test_build import build_config

DESTINATIONS = {"zip": "x.zip", "folder": "x", "hdf5": "x.h5"}
"""Names of datasets of the formats that are written image by image."""


PIXELS = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def shards(tmp_path: Path, write_crowdhuman: WriteSource) -> Path:
    """A dataset in shards, which are not written image by image."""
    config = build_config(tmp_path / "x.shards", format=ShardsFormat(), shard_size=2)
    build_dataset(CrowdHumanSource().open(*write_crowdhuman("folder")), "x", config)
    return config.dest


@pytest.mark.parametrize("name", installed_plugins().dataset_formats)
def test_installed_formats_fulfil_the_contract(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    path = tmp_path / DESTINATIONS[name] if name in DESTINATIONS else request.getfixturevalue(name)
    check_dataset_format(installed_plugins().dataset_formats[name], path)


class JpegFormat(ZipFormat):
    """A format with lossy compression."""

    quality = 95

    def encode(self, pixels: Any) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=self.quality)
        return file.getvalue()


def test_a_lossy_format_fulfils_the_contract_if_its_images_are_similar(tmp_path: Path) -> None:
    check_dataset_format(JpegFormat(), tmp_path / "x.zip", is_lossless=False)
    (tmp_path / "x.zip").unlink()
    inverted = format_with(encode=lambda pixels: JpegFormat().encode(255 - pixels))
    with pytest.raises(AssertionError, match="stored images differ by .* grey levels on average"):
        check_dataset_format(inverted, tmp_path / "x.zip", is_lossless=False)


class ReadOnlyFormat:
    """A format without a method that writes."""

    name, suffixes = "zip", "NAME.zip"
    matches, encode, open = ZipFormat.matches, ZipFormat.encode, ZipFormat.open


def test_a_format_that_only_reads_is_checked_with_an_existing_dataset(tmp_path: Path) -> None:
    path, read_only = tmp_path / "x.zip", ReadOnlyFormat()
    with pytest.raises(AssertionError, match="no method create, so the path must be an existing dataset"):
        check_dataset_format(read_only, path)
    check_dataset_format(ZipFormat(), path)
    check_dataset_format(read_only, path)
    write_dataset(ZipFormat(), path, [PIXELS], DatasetMetadata(images=[ImageRecord(name="")]), overwrite=True)
    with pytest.raises(AssertionError, match="the dataset has 1 images; the check needs at least 2"):
        check_dataset_format(read_only, path)


def test_a_dataset_is_written_with_one_record_per_image(tmp_path: Path) -> None:
    metadata = DatasetMetadata(images=[ImageRecord(name="")])
    message = r"^2 images and 1 records in metadata.images; there must be one record per image$"
    with pytest.raises(ValueError, match=message):
        write_dataset(ZipFormat(), tmp_path / "x.zip", [PIXELS, PIXELS], metadata)
    assert list(tmp_path.iterdir()) == []


class UnpicklableFormat(ZipFormat):
    """A format that cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("an open file")


def test_a_format_that_cannot_be_pickled_is_described(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it cannot be sent to worker processes: an open file"):
        check_dataset_format(UnpicklableFormat(), tmp_path / "x.zip")


class ChangedFormat(ZipFormat):
    """A format with changed methods."""

    def __init__(self, changes: dict[str, Any]) -> None:
        self.__dict__ |= changes

    def __reduce__(self) -> Any:
        return (ZipFormat, ())


def format_with(**changes: Any) -> Any:
    return ChangedFormat(changes)


def opening(change: Callable[[ZipFolderReader], None]) -> Any:
    """A format whose readers a function changes."""

    def open_changed(path: Path) -> ZipFolderReader:
        reader = ZipFormat().open(path)
        change(reader)
        return reader

    return format_with(open=open_changed)


def setting(**attributes: Callable[[ZipFolderReader], Any]) -> Any:
    """A format whose readers have changed attributes, functions of the valid reader."""
    return opening(lambda reader: reader.__dict__.update({key: value(reader) for key, value in attributes.items()}))


def writing(change: Callable[[Any], None]) -> Any:
    """A format whose writers a function changes."""

    @contextmanager
    def create(dest: Path, *, overwrite: bool) -> Iterator[Any]:
        with ZipFormat().create(dest, overwrite=overwrite) as writer:
            change(writer)
            yield writer

    return format_with(create=create)


@contextmanager
def create_in_place(dest: Path, *, overwrite: bool) -> Iterator[Any]:
    dest.write_bytes(b"incomplete")
    with ZipFormat().create(dest, overwrite=True) as writer:
        yield writer


@contextmanager
def create_with_leftover(dest: Path, *, overwrite: bool) -> Iterator[Any]:
    dest.with_suffix(".tmp").touch()
    with ZipFormat().create(dest, overwrite=overwrite) as writer:
        yield writer
    dest.with_suffix(".tmp").unlink()


@contextmanager
def create_always(dest: Path, *, overwrite: bool) -> Iterator[Any]:
    with ZipFormat().create(dest, overwrite=True) as writer:
        yield writer


def raise_error(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def modify(pixels: Any) -> bytes:
    pixels[0, 0] += 1
    return ZipFormat().encode(pixels)


def counting() -> Callable[[Any], bytes]:
    calls: list[int] = []

    def encode(pixels: Any) -> bytes:
        calls.append(0)
        return ZipFormat().encode(pixels) + bytes(len(calls))

    return encode


def forget_label(reader: ZipFolderReader) -> DatasetMetadata:
    first, *others = reader.metadata.images
    return reader.metadata.with_images([replace(first, source=None), *others])


def open_truncated(path: Path) -> ZipFolderReader:
    if path.stem == "truncated":
        path = path.with_name("x.zip")
    return ZipFormat().open(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (format_with(name=""), "name is ''; it must be text"),
        (format_with(suffixes=(".zip",)), "suffixes is ('.zip',); it must be text"),
        (format_with(matches=lambda path: False), "matches must be True for x.zip, which does not exist"),
        (
            format_with(matches=lambda path: path.suffix == ".zip" and not path.exists()),
            "matches must be True for x.zip, which exists",
        ),
        (format_with(name="other"), "the built-in format zip matches x.zip too; choose another suffix"),
        (format_with(matches=lambda path: True), "matches(notes.txt) must be False"),
        (format_with(encode=lambda pixels: bytearray()), "encode returned bytearray, not bytes"),
        (format_with(encode=modify), "encode must not modify the image"),
        (format_with(encode=counting()), "encode must return the same bytes again"),
        (
            format_with(open=raise_error(KeyError("x"))),
            "opening a missing dataset raises KeyError('x'); it must raise DatasetError",
        ),
        (
            format_with(open=raise_error(ConfigError("x"))),
            "opening a missing dataset raises ConfigError; it must raise DatasetError",
        ),
        (format_with(open=lambda path: None), "open returned NoneType, not a DatasetReader"),
        (
            writing(lambda writer: writer.__dict__.update(add=raise_error(DatasetError("x.zip: disk full")))),
            "unexpected DatasetError: x.zip: disk full",
        ),
        (
            writing(lambda writer: writer.__dict__.update(add=lambda encoded, size, record: "same.png")),
            "add returned the names ['same.png', 'same.png'",
        ),
        (setting(metadata=lambda reader: replace(reader.metadata, source=None)), "metadata is DatasetMetadata("),
        (setting(metadata=forget_label), "record 0 is ImageRecord(name='00000/img00000000.png', source=None"),
        (
            setting(metadata=lambda reader: reader.metadata.with_images(reader.metadata.images[:-1])),
            "the reader has 5 images; 6 were written",
        ),
        (setting(path=lambda reader: reader.path.parent), "the reader's path is "),
        (
            setting(image=lambda reader: lambda index: np.zeros((18, 30), np.uint8)),
            "image 1 must be uint8 [height, width, 3]",
        ),
        (
            setting(image=lambda reader: lambda index: ZipFolderReader.image(reader, 0)),
            "image 1 differs from the image that was written; for lossy formats pass is_lossless=False",
        ),
        (setting(image_size=lambda reader: lambda index: (30, 18)), "image_size(1) is (30, 18), not (18, 30)"),
        (
            setting(
                image=lambda reader: lambda index: ZipFolderReader(open_store(reader.path)).image(index),
                stored_image=lambda reader: lambda index: open_store(reader.path).image("00000/img00000000.png"),
            ),
            "stored_image(1) has other pixels than image(1)",
        ),
        (
            setting(
                image=lambda reader: lambda index: ZipFolderReader(open_store(reader.path)).image(index),
                stored_image=lambda reader: lambda index: EncodedImage(b"", lambda: "x"),
            ),
            "the handle of image 1 cannot be used in another process: ",
        ),
        (format_with(create=create_in_place), "a dataset must appear when it is complete"),
        (format_with(create=create_with_leftover), "an interrupted write leaves ['other.tmp', 'x.zip']"),
        (format_with(create=create_always), "writing to an existing dataset without overwrite must raise DatasetError"),
        (format_with(open=open_truncated), "reading a truncated dataset must raise DatasetError"),
    ],
)
def test_each_violation_is_described(tmp_path: Path, changed: Any, message: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_dataset_format(changed, tmp_path / "x.zip")
    assert message in str(error.value)
