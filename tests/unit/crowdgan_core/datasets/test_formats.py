"""Datasets are written and read back, equal in every format."""

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


def write(store: DatasetFormat, dest: Path, labels: list[object], metadata: DatasetMetadata = METADATA) -> None:
    with store.create(dest, overwrite=False) as writer:
        records = [
            ImageRecord(
                name=writer.add(store.encode(image), image.shape[:2]),
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
def test_what_is_written_is_read_back(tmp_path: Path, name: str, labels: list[object]) -> None:
    store = FORMATS[name]
    assert store.matches(tmp_path / name)
    metadata = METADATA if labels[0] == 0 else replace(METADATA, label_kind="value", classes=())
    write(store, tmp_path / name, labels, metadata)
    reader = store.open(tmp_path / name)
    assert len(reader) == 3
    assert [record.label for record in reader.metadata.images] == labels
    assert [(item.source, item.person_count, item.density) for item in reader.metadata.images] == [
        (f"image {index}", index, index / 2) for index in range(3)
    ]
    assert reader.metadata.with_images([]) == metadata
    assert all((reader.image(index) == PIXELS[index]).all() for index in range(3))
    reader.close()


def test_the_zip_is_laid_out_as_the_official_loader_reads_it(tmp_path: Path) -> None:
    write(ZipFormat(), tmp_path / "x.zip", [1, 0, 1])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = [f"00000/img{index:08d}.png" for index in range(3)]
        assert archive.namelist() == [*names, "dataset.json"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        index = json.loads(archive.read("dataset.json"))
        assert index["labels"] == [[names[0], 1], [names[1], 0], [names[2], 1]]
        assert index["crowdgan"]["format"] == 1
        assert np.asarray(Image.open(io.BytesIO(archive.read(names[2])))).tolist() == PIXELS[2].tolist()


def test_the_hdf5_file_has_a_chunk_per_image_and_the_metadata_as_json(tmp_path: Path) -> None:
    write(Hdf5Format(), tmp_path / "x.h5", [1, 0, 1])
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["images"].chunks == (1, 6, 10, 3)
        assert (file["images"][:] == PIXELS).all()
        assert file["labels"][:].tolist() == [1, 0, 1]
        assert [name.decode() for name in file["names"]] == ["00000000", "00000001", "00000002"]
        assert json.loads(file.attrs["crowdgan"])["estimator"] == "grid"


def test_a_thousand_images_fill_a_folder_of_the_tree(tmp_path: Path) -> None:
    store = ZipFormat()
    with store.create(tmp_path / "x.zip", overwrite=False) as writer:
        names = [writer.add(b"", (1, 1)) for _ in range(1001)]
        writer.finish(DatasetMetadata())
    assert names[-2:] == ["00000/img00000999.png", "00001/img00001000.png"]


@pytest.mark.parametrize("name", FORMATS)
def test_datasets_without_labels_have_none(tmp_path: Path, name: str) -> None:
    write(FORMATS[name], tmp_path / name, [None, None, None], DatasetMetadata())
    reader = FORMATS[name].open(tmp_path / name)
    assert reader.metadata.label_kind is None
    assert {record.label for record in reader.metadata.images} == {None}
    reader.close()
    if name == "x.zip":
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert json.loads(archive.read("dataset.json"))["labels"] is None


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_while_writing_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="stop"), FORMATS[name].create(tmp_path / name, overwrite=False) as writer:
        writer.add(FORMATS[name].encode(PIXELS[0]), (6, 10))
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def official_zip(path: Path, labels: object, count: int = 2) -> Path:
    entries = {f"00000/img{index:08d}.png": image_bytes(index, kind="PNG") for index in range(count)}
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
        ("[]", "it holds list; it must be a JSON object"),
        ('{"labels": 5}', "labels must be null or a list of [name, label]"),
        ('{"labels": [["a", true]]}', "label True; it must be a class number from 0 or a list of numbers"),
        ('{"labels": [["a", -1]]}', "label -1; it must be a class number"),
        ('{"labels": [["a", [NaN]]]}', "not valid JSON (NaN is no JSON)"),
        ('{"labels": [["b.png", 1]]}', "1 images have no label, first a.png"),
        ('{"crowdgan": {"format": 2}}', "metadata of format 2; this version reads format 1"),
        ('{"crowdgan": {"format": 1, "pictures": [{"nme": 1}], "classes": []}}', "options is None; it must be dict"),
        (
            '{"crowdgan": {"format": 1, "options": {}, "pictures": [{"nme": 1}], "classes": []}}',
            "is no record of an image",
        ),
        (
            '{"crowdgan": {"format": 1, "options": {}, "pictures": [{"name": "b.png"}], "classes": []}}',
            "1 images are missing, first b.png",
        ),
    ],
)
def test_a_damaged_index_is_named(tmp_path: Path, index: str, message: str) -> None:
    write_zip(tmp_path / "x.zip", {"a.png": image_bytes(0, kind="PNG"), "dataset.json": index.encode()})
    with pytest.raises(DatasetError) as caught:
        ZipFormat().open(tmp_path / "x.zip")
    assert str(caught.value).startswith(f"{tmp_path}/x.zip:dataset.json: ")
    assert message in str(caught.value)


def test_what_is_no_dataset_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(DatasetError, match=r"x.h5: there is no such file"):
        Hdf5Format().open(path)
    path.write_bytes(b"no hdf5")
    with pytest.raises(DatasetError, match=r"x.h5: no crowdgan dataset, or a damaged one"):
        Hdf5Format().open(path)
    with h5py.File(path, "w") as file:
        file["images"] = [1.0]
    with pytest.raises(DatasetError, match=r"/images must be uint8 of shape"):
        Hdf5Format().open(path)
    with pytest.raises(DatasetError, match=r"it has no dataset.json, so it is no dataset"):
        ZipFormat().open(write_zip(tmp_path / "a.zip", {"a.png": b""}))


def test_the_format_is_chosen_by_name(tmp_path: Path) -> None:
    formats = list(FORMATS.values())
    assert [format_for(tmp_path / name, formats) for name in FORMATS] == formats
    with pytest.raises(ConfigError) as caught:
        format_for(Path("x.tfrecord"), formats)
    allowed = "zip: NAME.zip; folder: a name without suffix; hdf5: NAME.h5 or NAME.hdf5"
    assert str(caught.value) == f"x.tfrecord: no dataset format has such a name; there are {allowed}"


def test_a_folder_that_holds_anything_else_is_never_overwritten(tmp_path: Path) -> None:
    dest = tmp_path / "thesis"
    dest.mkdir()
    (dest / "chapter1.txt").write_text("years of work")
    refused = pytest.raises(DatasetError, match=r"it holds 'chapter1.txt', which no dataset does")
    with refused, FolderFormat().create(dest, overwrite=True):
        pass
    assert (dest / "chapter1.txt").read_text() == "years of work"
