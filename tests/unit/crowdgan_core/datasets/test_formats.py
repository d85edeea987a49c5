"""Dataset formats: writing, reading, and errors for invalid datasets."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.format_lookup import format_for
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.errors import ConfigError, DatasetError
from tests.support.sources import image_bytes, write_zip

FORMATS = {"x.zip": ZipFormat(), "x": FolderFormat(), "x.h5": Hdf5Format()}
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 6, 10, 3), np.uint8)
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


def write_dataset(
    dataset_format: DatasetFormat, dest: Path, labels: list[object], metadata: DatasetMetadata = METADATA
) -> None:
    with dataset_format.create(dest, overwrite=False) as writer:
        records = [
            ImageRecord(
                name=writer.add(dataset_format.encode(image), image.shape[:2]),
                source=f"image {index}",
                person_count=index,
                density=index / 2,
                label=label,  # type: ignore[arg-type]
            )
            for index, (image, label) in enumerate(zip(PIXELS, labels, strict=True))
        ]
        writer.finish(metadata.with_images(records))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("labels", [[0, 1, 1], [(0.25,), (1.0,), (2.5,)]], ids=["class", "value"])
def test_a_dataset_read_back_equals_the_written_dataset(tmp_path: Path, name: str, labels: list[object]) -> None:
    dataset_format = FORMATS[name]
    assert dataset_format.matches(tmp_path / name)
    metadata = METADATA if labels[0] == 0 else replace(METADATA, label_kind="value", classes=())
    write_dataset(dataset_format, tmp_path / name, labels, metadata)
    with dataset_format.open(tmp_path / name) as reader:
        assert len(reader) == 3
        assert [record.label for record in reader.metadata.images] == labels
        assert [(item.source, item.person_count, item.density) for item in reader.metadata.images] == [
            (f"image {index}", index, index / 2) for index in range(3)
        ]
        assert reader.metadata.with_images([]) == metadata
        assert all((reader.image(index) == PIXELS[index]).all() for index in range(3))


def test_the_zip_has_the_layout_of_the_official_loader(tmp_path: Path) -> None:
    write_dataset(ZipFormat(), tmp_path / "x.zip", [1, 0, 1])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = [f"00000/img{index:08d}.png" for index in range(3)]
        assert archive.namelist() == [*names, "dataset.json"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        index = json.loads(archive.read("dataset.json"))
        assert index["labels"] == [[names[0], 1], [names[1], 0], [names[2], 1]]
        assert index["crowdgan"]["format"] == 1
        assert np.asarray(Image.open(io.BytesIO(archive.read(names[2])))).tolist() == PIXELS[2].tolist()


def test_the_hdf5_file_has_one_chunk_per_image_and_json_metadata(tmp_path: Path) -> None:
    write_dataset(Hdf5Format(), tmp_path / "x.h5", [1, 0, 1])
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["images"].chunks == (1, 6, 10, 3)
        assert (file["images"][:] == PIXELS).all()
        assert file["labels"][:].tolist() == [1, 0, 1]
        assert [name.decode() for name in file["names"]] == ["00000000", "00000001", "00000002"]
        assert json.loads(file.attrs["crowdgan"])["estimator"] == "grid"


def test_a_folder_in_the_archive_contains_at_most_1000_images(tmp_path: Path) -> None:
    dataset_format = ZipFormat()
    with dataset_format.create(tmp_path / "x.zip", overwrite=False) as writer:
        names = [writer.add(b"", (1, 1)) for _ in range(1001)]
        writer.finish(DatasetMetadata())
    assert names[-2:] == ["00000/img00000999.png", "00001/img00001000.png"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_dataset_without_labels_is_read_back_without_labels(tmp_path: Path, name: str) -> None:
    write_dataset(FORMATS[name], tmp_path / name, [None, None, None], DatasetMetadata())
    with FORMATS[name].open(tmp_path / name) as reader:
        assert reader.metadata.label_kind is None
        assert {record.label for record in reader.metadata.images} == {None}
    if name == "x.zip":
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert json.loads(archive.read("dataset.json"))["labels"] is None


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_during_writing_leaves_no_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="stop"), FORMATS[name].create(tmp_path / name, overwrite=False) as writer:
        writer.add(FORMATS[name].encode(PIXELS[0]), (6, 10))
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
    choices = "zip: NAME.zip; folder: a name without suffix; hdf5: NAME.h5 or NAME.hdf5"
    assert str(caught.value) == f"x.tfrecord: no dataset format matches; choose from {choices}"


def test_a_folder_with_other_files_is_never_overwritten(tmp_path: Path) -> None:
    dest = tmp_path / "thesis"
    dest.mkdir()
    (dest / "chapter1.txt").write_text("years of work")
    expected_error = pytest.raises(DatasetError, match=r"contains 'chapter1.txt', which is not part of a dataset")
    with expected_error, FolderFormat().create(dest, overwrite=True):
        pass
    assert (dest / "chapter1.txt").read_text() == "years of work"
