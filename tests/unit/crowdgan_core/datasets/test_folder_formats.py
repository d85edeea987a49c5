"""A format of a plugin may store a dataset as a folder, which is neither the format `folder` nor another source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from crowdgan_core.cli.convert import command as convert
from crowdgan_core.cli.inspect import command as inspect
from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import DatasetError, PluginError
from crowdgan_core.io.atomic import atomic_path
from crowdgan_core.io.images import encode_png_uncompressed
from crowdgan_core.io.stored_images import ImageFile, StoredImage
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import find_source
from crowdgan_core.testing import check_dataset_format, write_dataset
from crowdgan_core.utils.arrays import ImageArray

PEOPLE = [{"image": "0.png", "x": 0, "y": 0, "width": 4, "height": 9}]
"""Rows that make the metadata file a table of boxes, which another source reads."""


class CrowdWriter:
    """Writes files NUMBER.png and metadata.json."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        name, self._count = f"{self._count}.png", self._count + 1
        (self._folder / name).write_bytes(encoded)
        return name

    def finish(self, metadata: DatasetMetadata) -> None:
        (self._folder / "people.json").write_text(json.dumps(PEOPLE))
        (self._folder / "metadata.json").write_text(json.dumps(metadata.to_json()))


class CrowdReader(DatasetReader):
    """Reads the files of `CrowdWriter`."""

    def __init__(self, path: Path) -> None:
        self.path, where = path, path / "metadata.json"
        try:
            self.metadata = DatasetMetadata.from_json(json.loads(where.read_text()), str(where))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{where}: damaged ({error})") from error

    def stored_image(self, index: int) -> StoredImage:
        return ImageFile(self.path / self.metadata.images[index].name)


class CrowdFormat:
    """A format that stores a dataset as a folder NAME.crowd."""

    name, suffixes = "crowd", "NAME.crowd"

    def matches(self, path: Path) -> bool:
        return path.suffix == ".crowd" and not path.is_file()

    def encode(self, pixels: ImageArray) -> bytes:
        return encode_png_uncompressed(pixels)

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[CrowdWriter]:
        with atomic_path(dest, overwrite=overwrite) as partial:
            partial.mkdir()
            yield CrowdWriter(partial)

    def open(self, path: Path) -> CrowdReader:
        return CrowdReader(path)


@pytest.fixture
def formats(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The installed formats and `crowd`, for this test."""
    known = {**installed_plugins().dataset_formats, "crowd": CrowdFormat()}
    monkeypatch.setattr(type(installed_plugins()), "dataset_formats", known)
    return known


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records = [ImageRecord(name="", label=index % 2) for index in range(3)]
    metadata = DatasetMetadata(label_kind="class", classes=("a", "b"), images=records)
    write_dataset(CrowdFormat(), tmp_path / "x.crowd", np.zeros((3, 16, 16, 3), np.uint8), metadata)
    return tmp_path / "x.crowd"


def test_a_folder_format_fulfils_the_contract(tmp_path: Path) -> None:
    check_dataset_format(CrowdFormat(), tmp_path / "x.crowd")


@pytest.mark.parametrize(
    ("name", "expected"), [("x.crowd", "crowd"), ("new.crowd", "crowd"), ("other", "folder"), ("new", "folder")]
)
def test_folder_is_the_format_of_folders_that_no_other_format_matches(
    path: Path, formats: dict[str, Any], name: str, expected: str
) -> None:
    path.with_name("other").mkdir()
    assert format_for(path.with_name(name), formats.values()).name == expected


def test_the_folder_is_a_dataset_whatever_files_it_contains(path: Path, formats: dict[str, Any]) -> None:
    sources = installed_plugins().scene_sources
    assert sources["table"].matches([path], None)
    assert find_source([path], None, None, sources).name == "dataset"


def test_commands_read_and_replace_a_dataset_in_a_folder(path: Path, formats: dict[str, Any]) -> None:
    result = CliRunner().invoke(inspect, [str(path)], catch_exceptions=False)
    assert "x.crowd: 3 images, 16x16 px" in result.output
    back = path.with_name("back.zip")
    for source, dest in (path, back), (back, path):
        arguments = ["--source", str(source), "--dest", str(dest), "--overwrite", "--workers", "1"]
        assert CliRunner().invoke(convert, arguments, catch_exceptions=False).exit_code == 0
    assert [record.label for record in ZipFormat().open(back).metadata.images] == [0, 1, 0]
    assert [record.label for record in CrowdFormat().open(path).metadata.images] == [0, 1, 0]


def test_an_exception_in_matches_names_the_plugin(path: Path, formats: dict[str, Any]) -> None:
    broken: Any = CrowdFormat()
    broken.matches = lambda *_: broken.no_such_attribute
    with pytest.raises(PluginError, match=r"^dataset format crowd failed: matches: .*x\.crowd: AttributeError: "):
        format_for(path, [*installed_plugins().dataset_formats.values(), broken])
    with pytest.raises(PluginError, match=r"^scene source crowd failed: matches: .*x\.crowd: AttributeError: "):
        find_source([path], None, None, {**installed_plugins().scene_sources, "crowd": broken})
