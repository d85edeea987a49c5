"""Dataset formats: writing, reading, and errors for invalid datasets."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import find_source
from crowdgan_core.testing import write_dataset
from tests.support.sources import image_bytes, write_files, write_zip

FORMATS = {"x.zip": ZipFormat(), "x": FolderFormat(), "x.h5": Hdf5Format()}
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 6, 10, 3), np.uint8)
RECORD = ImageRecord(name="")
METADATA = DatasetMetadata(
    estimator="grid",
    options={"dense_from": 3.0},
    unit="persons per cell",
    classes=("sparse", "dense"),
    label_kind="class",
    source="crowdhuman: x",
    transform="center-crop 10x6",
    region="crop",
    tool_version="0.1.0",
)


def write_labels(
    dataset_format: SequentialFormat, dest: Path, labels: list[Any], metadata: DatasetMetadata = METADATA
) -> None:
    """Writes a dataset of `PIXELS` with these labels."""
    records = [
        ImageRecord(name="", source=f"image {index}", person_count=index, density=index / 2, label=label)
        for index, label in enumerate(labels)
    ]
    write_dataset(dataset_format, dest, PIXELS, metadata.with_images(records))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("labels", [[0, 1, 1], [(0.25,), (1.0,), (2.5,)]], ids=["class", "value"])
def test_a_dataset_read_back_equals_the_written_dataset(tmp_path: Path, name: str, labels: list[Any]) -> None:
    dataset_format = FORMATS[name]
    assert dataset_format.matches(tmp_path / name)
    metadata = METADATA if labels[0] == 0 else replace(METADATA, label_kind="value", classes=())
    write_labels(dataset_format, tmp_path / name, labels, metadata)
    with dataset_format.open(tmp_path / name) as reader:
        assert len(reader) == 3
        assert [record.label for record in reader.metadata.images] == labels
        assert [(item.source, item.person_count, item.density) for item in reader.metadata.images] == [
            (f"image {index}", index, index / 2) for index in range(3)
        ]
        assert reader.metadata.with_images([]) == metadata
        assert all((reader.image(index) == PIXELS[index]).all() for index in range(3))


def test_the_zip_has_the_layout_of_the_official_loader(tmp_path: Path) -> None:
    write_labels(ZipFormat(), tmp_path / "x.zip", [1, 0, 1])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = [f"00000/img{index:08d}.png" for index in range(3)]
        assert archive.namelist() == [*names, "dataset.json"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        index = json.loads(archive.read("dataset.json"))
        assert index["labels"] == [[names[0], 1], [names[1], 0], [names[2], 1]]
        assert index["crowdgan"]["format"] == 1
        assert np.asarray(Image.open(io.BytesIO(archive.read(names[2])))).tolist() == PIXELS[2].tolist()


def test_the_hdf5_file_has_one_chunk_per_image_and_json_metadata(tmp_path: Path) -> None:
    write_labels(Hdf5Format(), tmp_path / "x.h5", [1, 0, 1])
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["images"].chunks == (1, 6, 10, 3)
        assert (file["images"][:] == PIXELS).all()
        assert file["labels"][:].tolist() == [1, 0, 1]
        assert [name.decode() for name in file["names"]] == ["00000000", "00000001", "00000002"]
        assert json.loads(file.attrs["crowdgan"])["estimator"] == "grid"


def test_a_folder_in_the_archive_contains_at_most_1000_images(tmp_path: Path) -> None:
    dataset_format = ZipFormat()
    with dataset_format.create(tmp_path / "x.zip", overwrite=False) as writer:
        names = [writer.add(b"", (1, 1), RECORD) for _ in range(1001)]
        writer.finish(DatasetMetadata())
    assert names[-2:] == ["00000/img00000999.png", "00001/img00001000.png"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_dataset_without_labels_is_read_back_without_labels(tmp_path: Path, name: str) -> None:
    write_labels(FORMATS[name], tmp_path / name, [None, None, None], DatasetMetadata())
    with FORMATS[name].open(tmp_path / name) as reader:
        assert reader.metadata.label_kind is None
        assert {record.label for record in reader.metadata.images} == {None}
    if name == "x.zip":
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert json.loads(archive.read("dataset.json"))["labels"] is None


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_during_writing_leaves_no_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="stop"), FORMATS[name].create(tmp_path / name, overwrite=False) as writer:
        writer.add(FORMATS[name].encode(PIXELS[0]), (6, 10), RECORD)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def official_zip(path: Path, labels: object, count: int = 2) -> Path:
    entries = {f"00000/img{index:08d}.png": image_bytes(index, image_format="PNG") for index in range(count)}
    return write_zip(path, {**entries, "dataset.json": json.dumps({"labels": labels}).encode()})


def test_datasets_of_the_official_tool_are_read(tmp_path: Path) -> None:
    names = [f"00000/img{index:08d}.png" for index in range(2)]
    labelled = ZipFormat().open(official_zip(tmp_path / "a.zip", [[names[1], 2], [names[0].replace("/", "\\"), 0]]))
    assert [record.label for record in labelled.metadata.images] == [0, 2]
    assert (labelled.metadata.classes, labelled.metadata.label_kind) == (("0", "1", "2"), "class")
    assert labelled.image(0).shape == (60, 80, 3)
    vectors = ZipFormat().open(official_zip(tmp_path / "b.zip", [[names[0], [0.5, 1]], [names[1], [1, 2]]]))
    assert [record.label for record in vectors.metadata.images] == [(0.5, 1.0), (1.0, 2.0)]
    assert ZipFormat().open(official_zip(tmp_path / "c.zip", None)).metadata.label_kind is None


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "contains list; it must be a JSON object"),
        ('{"labels": 5}', "labels must be null or a list of [name, label]"),
        ('{"labels": [["a", true]]}', "dataset.json.labels[0][1]: found true; it must be a whole number"),
        ('{"labels": [["a.png", -1]]}', "labels[0]: label is -1; it must be a class index from 0 or a list of numbers"),
        ('{"labels": [["a.png", []]]}', "labels[0]: label is (); it must be a class index from 0 or a list of numbers"),
        ('{"labels": [["a", [1, "b"]]]}', 'labels[0][1][1]: found "b"; it must be a finite number'),
        ('{"labels": [["a", [NaN]]]}', "not valid JSON (NaN is not valid JSON)"),
        ('{"labels": [["b.png", 1]]}', "images without a label: 1, the first is a.png"),
        ('{"crowdgan": {"format": 2}}', "metadata of format 2; this version reads format 1"),
        ('{"crowdgan": {"format": 1, "options": 3}}', "dataset.json.options: found 3; it must be a JSON object"),
        ('{"crowdgan": {"format": 1, "images": []}}', "dataset.json: unknown key images"),
        ('{"crowdgan": {"format": 1, "label_kind": true}}', "label_kind: found true; it must be class or value"),
        (
            '{"crowdgan": {"format": 1, "pictures": [{"name": "a.png", "person_count": true}]}}',
            "dataset.json.pictures[0].person_count: found true; it must be a whole number",
        ),
        (
            '{"crowdgan": {"format": 1, "options": {}, "pictures": [{"nme": 1}], "classes": []}}',
            "dataset.json.pictures[0]: the key name is missing",
        ),
        (
            '{"crowdgan": {"format": 1, "options": {}, "pictures": [{"name": "b.png"}], "classes": []}}',
            "missing images: 1, the first is b.png",
        ),
    ],
)
def test_an_invalid_index_is_an_error_that_names_the_file(tmp_path: Path, index: str, message: str) -> None:
    write_zip(tmp_path / "x.zip", {"a.png": image_bytes(0, image_format="PNG"), "dataset.json": index.encode()})
    with pytest.raises(DatasetError) as caught:
        ZipFormat().open(tmp_path / "x.zip")
    assert str(caught.value).startswith(f"{tmp_path}/x.zip:dataset.json")
    assert message in str(caught.value)


def test_a_file_that_is_not_a_dataset_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(DatasetError, match=r"x.h5: no such file"):
        Hdf5Format().open(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(DatasetError, match=r"x.h5: damaged dataset, or not a crowdgan dataset"):
        Hdf5Format().open(path)
    with h5py.File(path, "w") as file:
        file["images"] = [1.0]
    with pytest.raises(DatasetError, match=r"/images must be uint8 of shape"):
        Hdf5Format().open(path)
    with pytest.raises(DatasetError, match=r"a.zip: not a dataset: dataset.json is missing"):
        ZipFormat().open(write_zip(tmp_path / "a.zip", {"a.png": b""}))


def test_the_format_is_selected_by_file_name(tmp_path: Path) -> None:
    formats = list(FORMATS.values())
    assert [format_for(tmp_path / name, formats) for name in FORMATS] == formats
    with pytest.raises(ConfigError) as caught:
        format_for(Path("x.tfrecord"), formats)
    choices = "zip: NAME.zip; folder: a folder NAME; hdf5: NAME.h5 or NAME.hdf5"
    assert str(caught.value) == f"x.tfrecord: no dataset format matches; choose from {choices}"


def test_a_folder_with_other_files_is_never_overwritten(tmp_path: Path) -> None:
    dest = tmp_path / "thesis"
    dest.mkdir()
    (dest / "chapter1.txt").write_text("years of work")
    expected_error = pytest.raises(DatasetError, match=r"contains 'chapter1.txt', which is not part of a dataset")
    with expected_error, FolderFormat().create(dest, overwrite=True):
        pass
    assert (dest / "chapter1.txt").read_text() == "years of work"


NFC, NFD = "café.png", "cafe\u0301.png"


def rooted(prefix: str, entries: dict[str, bytes]) -> dict[str, bytes]:
    """The entries in a folder, with documents and system files next to it."""
    others = {"README.md": b"text", "__MACOSX/x.png": b"", "._mydata": b"", ".DS_Store": b""} if prefix else {}
    return {**others, **{f"{prefix}{name}": data for name, data in entries.items()}}


@pytest.mark.parametrize("prefix", ["mydata/", "a/b/mydata/"])
@pytest.mark.parametrize("is_archive", [True, False])
@pytest.mark.parametrize("is_official", [True, False])
def test_a_dataset_in_a_single_top_folder_keeps_its_labels(
    tmp_path: Path, prefix: str, is_archive: bool, is_official: bool
) -> None:
    write_labels(FolderFormat(), tmp_path / "flat", [1, 0, 1])
    entries = {
        str(path.relative_to(tmp_path / "flat")): path.read_bytes()
        for path in (tmp_path / "flat").rglob("*")
        if path.is_file()
    }
    if is_official:
        entries["dataset.json"] = json.dumps({"labels": json.loads(entries["dataset.json"])["labels"]}).encode()
    files = rooted(prefix, entries)
    path = write_zip(tmp_path / "x.zip", files) if is_archive else write_files(tmp_path / "x", files)
    source = find_source([path], None, None, installed_plugins().scene_sources)
    assert source.name == "dataset"
    assert [item.record and item.record.label for item in source.open([path], None)] == [1, 0, 1]
    with (ZipFormat() if is_archive else FolderFormat()).open(path) as reader:
        assert [record.label for record in reader.metadata.images] == [1, 0, 1]
        assert (reader.path, reader.image_size(2)) == (path, (6, 10))
        assert all((reader.image(index) == PIXELS[index]).all() for index in range(3))


def test_several_datasets_in_one_archive_are_an_error_that_names_their_folders(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a/dataset.json": b"{}", "b/dataset.json": b"{}"})
    with pytest.raises(DatasetError, match=r"x.zip: not a dataset: dataset.json is missing; .* folders a/, b/"):
        ZipFormat().open(path)


def test_deeply_nested_folders_are_not_a_dataset(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a/" * 5000 + "b.png": b""})
    with pytest.raises(DatasetError, match=r"x.zip: not a dataset: dataset.json is missing"):
        ZipFormat().open(path)


@pytest.mark.parametrize("is_archive", [True, False])
@pytest.mark.parametrize("is_official", [True, False])
@pytest.mark.parametrize(("stored", "listed"), [(NFD, NFC), (NFC, NFD), (f"00000/{NFC}", f"00000\\{NFD}")])
def test_names_in_the_index_may_differ_in_bytes_from_those_of_the_files(
    tmp_path: Path, is_archive: bool, is_official: bool, stored: str, listed: str
) -> None:
    index = {"labels": [[listed, 1]]}
    if not is_official:
        records = [ImageRecord(name=listed, label=1)]
        index["crowdgan"] = DatasetMetadata(label_kind="class", classes=("a", "b"), images=tuple(records)).to_json()
    files = {stored: image_bytes(1, image_format="PNG"), "dataset.json": json.dumps(index).encode()}
    path = write_zip(tmp_path / "x.zip", files) if is_archive else write_files(tmp_path / "x", files)
    with (ZipFormat() if is_archive else FolderFormat()).open(path) as reader:
        assert [record.label for record in reader.metadata.images] == [1]
        assert reader.image(0).shape == (60, 80, 3)
        assert reader.image_size(0) == (60, 80)


def test_labels_of_images_in_an_unsupported_format_are_an_error(tmp_path: Path) -> None:
    index = json.dumps({"labels": [["a.png", 1], ["b.tif", 0]]}).encode()
    path = write_zip(tmp_path / "x.zip", {"a.png": image_bytes(1), "b.tif": b"", "dataset.json": index})
    with pytest.raises(DatasetError, match=r"labels of files that are not images in a supported format: 1, .* b.tif"):
        ZipFormat().open(path)


def test_a_dataset_in_a_subfolder_of_a_dataset_is_not_part_of_it(tmp_path: Path) -> None:
    path = official_zip(tmp_path / "x.zip", [[f"00000/img{index:08d}.png", index] for index in range(2)])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("out/dataset.json", "{}")
        archive.writestr("out/00000/img00000000.png", b"")
    assert [record.label for record in ZipFormat().open(path).metadata.images] == [0, 1]


@pytest.mark.parametrize("name", [".DS_Store", "._dataset.json", "Thumbs.db", "desktop.ini", "00000/.DS_Store"])
def test_a_folder_with_system_files_is_overwritten(tmp_path: Path, name: str) -> None:
    write_labels(FolderFormat(), tmp_path / "x", [1, 0, 1])
    (tmp_path / "x" / name).write_bytes(b"system")
    with FolderFormat().create(tmp_path / "x", overwrite=True) as writer:
        writer.finish(DatasetMetadata())
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["dataset.json"]


@pytest.mark.parametrize("name", [".git", ".env", "notes.txt", "thesis"])
def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path, name: str) -> None:
    write_labels(FolderFormat(), tmp_path / "x", [1, 0, 1])
    (tmp_path / "x" / name).write_bytes(b"mine")
    with pytest.raises(DatasetError, match=f"contains '{name}', which is not part of a dataset"):
        FolderFormat().create(tmp_path / "x", overwrite=True).__enter__()
    assert (tmp_path / "x" / name).read_bytes() == b"mine"
