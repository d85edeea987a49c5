"""The choice of a source, and the sources that need no annotations."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.detection import find_source
from tests.support.sources import image_bytes, odgt, write_tree, write_zip

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8)


def opened(path: Path, kind: str) -> SourceReader:
    """The source that recognises a path, which must be of a kind."""
    source = find_source([path], None, None, installed_plugins().scene_sources)
    assert source.name == kind
    return source.open([path], None)


def pixels(source: SourceReader) -> list[np.ndarray]:
    return [np.asarray(item.image.open()) for item in source]


def labels(source: SourceReader) -> list[Any]:
    return [item.record.label if item.record else None for item in source]


def test_folders_and_zips_of_images_are_sorted_by_name(tmp_path: Path) -> None:
    entries = {"b.png": image_bytes(1), "a/c.JPG": image_bytes(2), "note.txt": b"", ".hidden.jpg": b""}
    for path, kind in ((write_tree(tmp_path / "x", entries), "folder"), (tmp_path / "x.zip", "zip")):
        if kind == "zip":
            write_zip(path, {name: data for name, data in entries.items() if name != ".hidden.jpg"})
        source = opened(path, kind)
        assert [item.source_name for item in source] == ["a/c.JPG", "b.png"]
        assert (len(source), source.has_annotations, source.problems) == (2, False, ())


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there are no images in it"):
        opened(tmp_path, "folder")


def test_what_no_source_reads_is_an_error_that_lists_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("")
    with pytest.raises(ConfigError, match=r"no source recognises it. What can be read: crowdhuman \(CrowdHuman: "):
        opened(path, "none")
    with pytest.raises(DatasetError, match=r"b.txt: there is no such file or folder"):
        opened(tmp_path / "b.txt", "none")


def test_the_kind_may_be_given(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "x", {"a.jpg": image_bytes(1), "a.odgt": odgt({"a": []}).encode()})
    sources = installed_plugins().scene_sources
    assert find_source([folder], None, None, sources).name == "crowdhuman"
    assert find_source([folder], None, "folder", sources).name == "folder"
    with pytest.raises(ConfigError, match="--source-kind lusn: there is no such source; there are crowdhuman, "):
        find_source([folder], None, "lusn", sources)


def cifar_batch(seed: int) -> dict[str, Any]:
    return {"data": np.roll(PIXELS, seed, axis=0), "labels": [(seed + n) % 10 for n in range(10)], "batch_label": "x"}


def write_cifar(path: Path, batches: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in batches.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def cifar_batches() -> dict[str, bytes]:
    return {f"data_batch_{n}": pickle.dumps(cifar_batch(n), protocol=2) for n in range(1, 6)} | {"test_batch": b""}


def test_cifar10_is_read_with_its_labels(tmp_path: Path) -> None:
    source = opened(write_cifar(tmp_path / "cifar-10-python.tar.gz", cifar_batches()), "cifar10")
    assert len(source) == 50
    assert labels(source)[:12] == [*range(1, 10), 0, 2, 3]
    first = cifar_batch(1)["data"][0]
    assert (pixels(source)[0] == first.reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert source.metadata.classes[0] == "airplane"


class Runs:
    """Pickles into a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Runs(os.system, "touch executed"), "posix.system"),
        (Runs(eval, "open('executed', 'w')"), "__builtin__.eval"),
        (Runs(getattr, "text", "upper"), "__builtin__.getattr"),
        ({"data": Runs(exec, "1"), "labels": []}, "__builtin__.exec"),
    ],
)
def test_cifar10_batches_that_run_code_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payload: Any, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    batches = {**cifar_batches(), "data_batch_1": pickle.dumps(payload, protocol=2)}
    with pytest.raises(DatasetError, match=f"data_batch_1: it asks for {name}: refused"):
        opened(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")
    assert not (tmp_path / "executed").exists()


def test_an_incomplete_cifar10_is_an_error(tmp_path: Path) -> None:
    batches = cifar_batches()
    del batches["data_batch_3"]
    with pytest.raises(DatasetError, match="4 of the 5 batches cifar-10-batches-py/data_batch_1 to "):
        opened(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")
    batches["data_batch_3"] = pickle.dumps({"data": PIXELS, "labels": [10] * 10})
    with pytest.raises(DatasetError, match="labels must be one number from 0 to 9 per image"):
        opened(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")


def write_mnist(folder: Path, count: int, label_count: int) -> Path:
    images = struct.pack(">IIII", 0x803, count, 28, 28) + PIXELS.tobytes()[: count * 784]
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(images))
    marks = struct.pack(">II", 0x801, label_count) + bytes(range(label_count))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(marks))
    return path


def test_mnist_is_read_with_its_labels_and_a_border(tmp_path: Path) -> None:
    source = opened(write_mnist(tmp_path, 7, 7), "mnist")
    assert labels(source) == list(range(7))
    first = pixels(source)[0]
    assert first.shape == (32, 32)
    assert (first[2:-2, 2:-2] == PIXELS.reshape(-1)[:784].reshape(28, 28)).all()
    assert first[:2].max() == 0


def test_mnist_files_that_disagree_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train-labels-idx1-ubyte.gz: 7 images in .* but 6 labels"):
        opened(write_mnist(tmp_path, 7, 6), "mnist")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0" * 20))
    with pytest.raises(DatasetError, match="it is no IDX file of bytes in 3 dimensions"):
        opened(tmp_path / "train-images-idx3-ubyte.gz", "mnist")


def test_lsun_is_read_in_the_order_of_its_keys(tmp_path: Path) -> None:
    folder = tmp_path / "bedroom_train_lmdb"
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        for seed in (3, 1, 2):
            transaction.put(f"key{seed}".encode(), image_bytes(seed, kind="WEBP"))
    source = opened(folder, "lsun")
    assert [item.source_name for item in source] == ["key1", "key2", "key3"]
    assert [image.shape for image in pixels(source)] == [(60, 80, 3)] * 3
