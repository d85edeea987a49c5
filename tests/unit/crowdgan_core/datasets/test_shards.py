"""Reader of datasets in shards: contents, damaged files, and other tools that read the same folder."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.datasets.format_lookup import format_for, open_dataset
from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.datasets.protocols import SequentialFormat
from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.datasets.shards.layout import INDEX_DTYPE
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.detection import find_source
from tests.unit.crowdgan_core.conftest import WriteSource
from tests.unit.crowdgan_core.pipeline.test_build import build_config


@pytest.fixture
def folder(tmp_path: Path, write_crowdhuman: WriteSource) -> Path:
    source = CrowdHumanSource().open(*write_crowdhuman("folder"))
    config = build_config(tmp_path / "a.shards", format=ShardsFormat(), shard_size=2)
    build_dataset(source, "x", config)
    return tmp_path / "a.shards"


def test_records_are_a_sequence(folder: Path) -> None:
    records = ShardsFormat().open(folder).metadata.images
    assert [record.person_count for record in records] == [6, 12, 18, 24]
    assert records[-1] == records[3] == list(records)[3]
    assert list(records[1:3]) == [records[1], records[2]]
    assert len(records) == 4
    assert isinstance(records[0], ImageRecord)
    with pytest.raises(IndexError):
        records[4]
    assert repr(records) == "StoredRecords(4 records)"


def test_handles_of_images_can_be_sent_to_other_processes(folder: Path) -> None:
    reader = ShardsFormat().open(folder)
    for index in range(len(reader)):
        handle = pickle.loads(pickle.dumps(reader.stored_image(index)))
        assert handle.where == f"{folder}/{(index + 1) // 2:06d}.tar:{index + 1:08d}.png"
        assert np.array_equal(np.asarray(to_upright_rgb(handle.open(), handle.where)), reader.image(index))


def test_the_folder_is_found_as_dataset_and_as_source(folder: Path) -> None:
    plugins = installed_plugins()
    formats = plugins.dataset_formats.values()
    assert format_for(folder, formats).name == "shards"
    with open_dataset(folder, formats) as reader:
        assert repr(reader) == "DatasetReader('a.shards', 4 images, 16x16, 2 classes)"
    assert find_source([folder], None, None, plugins.scene_sources).name == "dataset"
    assert not isinstance(ShardsFormat(), SequentialFormat)


WEBDATASET_SCRIPT = """
import sys
import webdataset
samples = webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("rgb8").to_tuple("png", "json")
for pixels, record in samples:
    print(record["name"], record["label"], pixels.shape, pixels.sum())
"""


def test_webdataset_reads_the_shards(folder: Path) -> None:
    tars = sorted(folder.glob("*.tar"))
    command = [sys.executable, "-c", WEBDATASET_SCRIPT, *map(str, tars)]  # it leaves files open
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    reader = ShardsFormat().open(folder)
    images = [(record, reader.image(index)) for index, record in enumerate(reader.metadata.images)]
    expected = [f"{record.name} {record.label} {pixels.shape} {pixels.sum()}" for record, pixels in images]
    assert result.stdout.splitlines() == expected


def test_tar_reads_the_shards(folder: Path) -> None:
    index = np.load(folder / "index.npy")
    assert index.dtype == INDEX_DTYPE
    for row in index:
        with tarfile.open(sorted(folder.glob("*.tar"))[row["shard"]]) as archive:
            members = {member.offset_data: member for member in archive}
        assert members[row["offset"]].size == row["num_bytes"]


def change_description(folder: Path, **changes: object) -> None:
    path = folder / "shards.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def write_index(folder: Path, **changes: int) -> None:
    index = np.load(folder / "index.npy")
    for name, value in changes.items():
        index[name][1] = value
    np.save(folder / "index.npy", index)


DAMAGES: dict[str, tuple[Any, str]] = {
    "no description": (lambda f: (f / "shards.json").unlink(), "not a dataset: shards.json is missing"),
    "cut description": (
        lambda f: (f / "shards.json").write_bytes((f / "shards.json").read_bytes()[:-9]),
        r"shards\.json: not valid JSON",
    ),
    "later version": (lambda f: change_description(f, format=2), "format 2; this version reads format 1"),
    "no size": (lambda f: change_description(f, size=None), r"shards\.json\.size: found null; it must be a list of 2"),
    "no metadata": (lambda f: change_description(f, crowdgan=3), r"shards\.json: the metadata is int"),
    "shard outside": (
        lambda f: change_description(f, shards=[{"name": "../x", "num_images": 4, "num_bytes": 1, "sha256": ""}]),
        r"shards\.json: shard '\.\./x' is outside the dataset",
    ),
    "shard missing": (lambda f: (f / "000001.tar").unlink(), r"000001\.tar: cannot be read \(No such file"),
    "shard cut": (
        lambda f: (f / "000001.tar").write_bytes(b"x" * 500),
        r"000001\.tar: damaged: 500 bytes instead of 10240",
    ),
    "no index": (lambda f: (f / "index.npy").unlink(), r"index\.npy: no such file"),
    "cut index": (
        lambda f: (f / "index.npy").write_bytes((f / "index.npy").read_bytes()[:-3]),
        r"index\.npy: damaged index",
    ),
    "empty index": (lambda f: (f / "index.npy").write_bytes(b""), r"index\.npy: damaged index"),
    "other index": (lambda f: np.save(f / "index.npy", np.zeros(4)), r"index\.npy: damaged index: found float64 \[4\]"),
    "short index": (
        lambda f: np.save(f / "index.npy", np.load(f / "index.npy")[:3]),
        r"index\.npy: damaged index: .* and the shards have 4 images",
    ),
    "pickled index": (
        lambda f: np.save(f / "index.npy", np.array([{}, {}]), allow_pickle=True),
        r"index\.npy: damaged index",
    ),
    "index outside shards": (lambda f: write_index(f, offset=10**6), r"index\.npy: .*points outside the shards"),
    "index of other shard": (lambda f: write_index(f, shard=9), r"index\.npy: .*points outside the shards"),
    "index outside records": (lambda f: write_index(f, record=10**6), r"records\.jsonl: .*points outside the file"),
    "no records": (lambda f: (f / "records.jsonl").unlink(), r"records\.jsonl: cannot be read"),
    "cut records": (
        lambda f: (f / "records.jsonl").write_bytes((f / "records.jsonl").read_bytes()[:-5]),
        r"records\.jsonl: damaged: \d+ bytes instead of",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_datasets_are_reported(folder: Path, name: str) -> None:
    damage, message = DAMAGES[name]
    damage(folder)
    with pytest.raises(DatasetError, match=message):
        ShardsFormat().open(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"label": 1', '"label": 9', r"records\.jsonl:3: .* has label 9; the dataset has 2 classes"),
        ('"label": 1', '"lapel": 1', r"records\.jsonl:3: unknown key lapel"),
        ('"label": 1', '"label" 11', r"records\.jsonl:3: not valid JSON"),
    ],
)
def test_damaged_records_are_reported_when_they_are_used(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace(old, new, 1))
    records = ShardsFormat().open(folder).metadata.images
    assert records[0].person_count == 6
    with pytest.raises(DatasetError, match=message):
        list(records)


def test_damaged_images_are_reported_when_they_are_used(folder: Path) -> None:
    path = folder / "000001.tar"
    data = bytearray(path.read_bytes())
    data[512:520] = b"no image"
    path.write_bytes(data)
    reader = ShardsFormat().open(folder)
    assert reader.image(0).shape == (16, 16, 3)
    with pytest.raises(DatasetError, match=r"000001\.tar:00000002\.png"):
        reader.image(1)
