"""Detection of sources, and sources without annotations."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import re
import struct
import tarfile
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.images import IMAGE_FORMATS, IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources import cifar10
from crowdgan_core.sources.base import SourceProblem, SourceReader
from crowdgan_core.sources.detection import find_source
from tests.support.sources import image_bytes, odgt, write_files, write_zip

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8)


def open_detected(path: Path, expected_name: str) -> SourceReader:
    """Opens the detected source of a path, which must have the expected name."""
    source = find_source([path], None, None, installed_plugins().scene_sources)
    assert source.name == expected_name
    return source.open([path], None)


def read_pixels(source: SourceReader) -> list[np.ndarray]:
    return [np.asarray(item.image.open()) for item in source]


def read_labels(source: SourceReader) -> list[Any]:
    return [item.record.label if item.record else None for item in source]


def test_images_of_folders_and_archives_are_sorted_by_name(tmp_path: Path) -> None:
    entries = {"b.png": image_bytes(1), "a/c.JPG": image_bytes(2), "note.txt": b"", ".hidden.jpg": b""}
    for path, name in ((write_files(tmp_path / "x", entries), "folder"), (tmp_path / "x.zip", "zip")):
        if name == "zip":
            write_zip(path, {entry: data for entry, data in entries.items() if entry != ".hidden.jpg"})
        source = open_detected(path, name)
        assert [item.source_name for item in source] == ["a/c.JPG", "b.png"]
        assert (len(source), source.has_annotations) == (2, False)
        note = SourceProblem(reason="files that are not images", names=["note.txt"], is_error=False)
        assert source.problems == [note]


def test_a_folder_without_images_is_an_error_that_lists_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="contains no images$"):
        open_detected(tmp_path, "folder")
    write_files(tmp_path, {"a.tif": b"", "x/GT_1.mat": b"", "y/dataset.json": b"{}", "y/b.png": b""})
    found = (
        r"contains no images; found image files in unsupported formats: 1 \(a.tif\); images of datasets in subfolders: "
        r"1 \(y/b.png\); files that are not images: 1 \(x/GT_1.mat\)"
    )
    with pytest.raises(DatasetError, match=found):
        open_detected(tmp_path, "folder")


SUPPORTED = ("a.jpg", "b.JPG", "c.jfif", "d.jpe", "e.jpeg", "f.png", "g.apng", "h.webp", "i.BMP")
UNSUPPORTED = ("a.tif", "b.TIFF", "c.gif", "d.heic", "e.avif", "f.jp2", "g.tga", "h.ppm")
SYSTEM = ("._a.jpg", ".DS_Store", "__MACOSX/a.jpg", "x/._b.png", "Thumbs.db")


@pytest.mark.parametrize("is_archive", [True, False])
def test_images_in_unsupported_formats_are_counted_and_system_files_are_ignored(
    tmp_path: Path, is_archive: bool
) -> None:
    entries = {name: image_bytes(1) for name in (*SUPPORTED, *UNSUPPORTED, *SYSTEM)}
    path = write_zip(tmp_path / "x.zip", entries) if is_archive else write_files(tmp_path / "x", entries)
    source = open_detected(path, "zip" if is_archive else "folder")
    assert [item.source_name for item in source] == list(SUPPORTED)
    [note] = source.problems
    assert (note.reason, note.names, note.is_error) == ("image files in unsupported formats", list(UNSUPPORTED), False)


def test_every_image_suffix_of_pillow_is_known() -> None:
    Image.init()
    suffixes = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    documents = {".bufr", ".grib", ".h5", ".hdf", ".mpeg", ".mpg", ".ps", ".pdf"}
    assert suffixes - documents <= {*IMAGE_SUFFIXES, *UNSUPPORTED_SUFFIXES}
    supported = {suffix for suffix, name in Image.registered_extensions().items() if name in IMAGE_FORMATS}
    assert supported == set(IMAGE_SUFFIXES)


def test_datasets_in_subfolders_are_not_read_as_images(tmp_path: Path) -> None:
    entries = {"a.png": image_bytes(1), "out/dataset.json": b"{}", "out/00000/img00000000.png": image_bytes(2)}
    source = open_detected(write_files(tmp_path / "x", entries), "folder")
    assert [item.source_name for item in source] == ["a.png"]
    assert [(problem.reason, list(problem.names), problem.is_error) for problem in source.problems] == [
        ("images of datasets in subfolders", ["out/00000/img00000000.png"], False)
    ]


def test_labels_of_several_datasets_are_never_lost_silently(tmp_path: Path) -> None:
    image = image_bytes(1)
    labelled = {"a.png": image, "dataset.json": b'{"labels": [["a.png", 0]]}'}
    paths = [write_files(tmp_path / "a", labelled), write_files(tmp_path / "b", labelled)]
    source = find_source(paths, None, None, installed_plugins().scene_sources).open(paths, None)
    [problem] = [problem for problem in source.problems if problem.is_error]
    assert problem.reason == "labels that only --source-kind dataset keeps, for one --source at a time"
    assert problem.names == [f"{path}/dataset.json" for path in paths]
    for path in paths:
        (path / "dataset.json").write_text('{"labels": null}')
    source = find_source(paths, None, None, installed_plugins().scene_sources).open(paths, None)
    assert (len(source), [problem for problem in source.problems if problem.is_error]) == (2, [])


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "x", {"a.png": image_bytes(1), "private/b.png": image_bytes(2)})
    scan = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DatasetError, match=r"x/private: cannot be read \(Permission denied\)"):
        open_detected(folder, "folder")


@pytest.mark.parametrize("name", ["x.zip", "x.bin"])
def test_an_incomplete_archive_as_the_source_is_an_error(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / name, {"a.png": image_bytes(1)})
    path.write_bytes(path.read_bytes()[:-30])
    sources = installed_plugins().scene_sources
    with pytest.raises(DatasetError, match=rf"{name}: incomplete ZIP archive"):
        find_source([path], None, None, sources)


def test_the_error_for_unsupported_input_lists_all_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("")
    with pytest.raises(ConfigError, match=r"no source matches; supported are crowdhuman \(CrowdHuman: "):
        open_detected(path, "none")
    with pytest.raises(DatasetError, match=r"b.txt: no such file or folder"):
        open_detected(tmp_path / "b.txt", "none")


def test_a_source_can_be_selected_by_name(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "x", {"a.jpg": image_bytes(1), "a.odgt": odgt({"a": []}).encode()})
    sources = installed_plugins().scene_sources
    assert find_source([folder], None, None, sources).name == "crowdhuman"
    assert find_source([folder], None, "folder", sources).name == "folder"
    with pytest.raises(ConfigError, match="--source-kind lusn: no such source; choose from crowdhuman, "):
        find_source([folder], None, "lusn", sources)


@pytest.mark.parametrize("name", ["dataset", "cifar10", "mnist", "lsun"])
def test_a_source_of_one_path_refuses_other_paths_and_annotations(tmp_path: Path, name: str) -> None:
    source = find_source([], None, name, installed_plugins().scene_sources)
    with pytest.raises(ConfigError, match=f"b.zip: {name} reads one --source at a time, and 2 are given"):
        source.open([tmp_path / "a.zip", tmp_path / "b.zip"], None)
    with pytest.raises(ConfigError, match=f"--annotations a.odgt: {name} reads no such file; remove the option"):
        source.open([tmp_path / "a.zip"], Path("a.odgt"))


@pytest.mark.parametrize("name", ["folder", "zip"])
def test_a_source_without_annotations_refuses_an_annotation_file(tmp_path: Path, name: str) -> None:
    source = find_source([], None, name, installed_plugins().scene_sources)
    with pytest.raises(ConfigError, match=f"--annotations a.odgt: {name} reads no such file; remove the option"):
        source.open([tmp_path], Path("a.odgt"))


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


def test_cifar10_entries_may_start_with_a_dot(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in cifar_batches().items():
            info = tarfile.TarInfo(f"./cifar-10-batches-py/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert len(open_detected(path, "cifar10")) == 50


def test_cifar10_images_and_labels_are_read(tmp_path: Path) -> None:
    source = open_detected(write_cifar(tmp_path / "cifar-10-python.tar.gz", cifar_batches()), "cifar10")
    assert len(source) == 50
    assert read_labels(source)[:12] == [*range(1, 10), 0, 2, 3]
    first = cifar_batch(1)["data"][0]
    assert (read_pixels(source)[0] == first.reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert source.metadata.classes[0] == "airplane"


class PickledCall:
    """An object whose pickle calls a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (PickledCall(os.system, "touch executed"), "posix.system"),
        (PickledCall(eval, "open('executed', 'w')"), "__builtin__.eval"),
        (PickledCall(getattr, "text", "upper"), "__builtin__.getattr"),
        ({"data": PickledCall(exec, "1"), "labels": []}, "__builtin__.exec"),
    ],
)
def test_a_cifar10_batch_that_calls_a_function_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payload: Any, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    batches = {**cifar_batches(), "data_batch_1": pickle.dumps(payload, protocol=2)}
    with pytest.raises(DatasetError, match=f"data_batch_1: requests {name}: refused"):
        open_detected(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", [b"_codecs\nencode\n", b"numpy\ndtype\n"])
def test_a_cifar10_batch_cannot_change_functions_or_classes(tmp_path: Path, name: bytes) -> None:
    # opcodes: (None, {"__defaults__": ("x",)}) as the state of the named object
    payload = b"\x80\x02c" + name + b"(N}X\x0c\x00\x00\x00__defaults__X\x01\x00\x00\x00x\x85stb."
    path = write_cifar(tmp_path / "cifar-10-python.tar.gz", {**cifar_batches(), "data_batch_1": payload})
    with pytest.raises(DatasetError, match="data_batch_1: sets the state of (function|type): refused"):
        open_detected(path, "cifar10")
    assert cifar10._encode.__defaults__ is None
    assert not hasattr(cifar10._PickledDType, "__defaults__")


def test_an_incomplete_cifar10_archive_is_an_error(tmp_path: Path) -> None:
    batches = cifar_batches()
    del batches["data_batch_3"]
    with pytest.raises(DatasetError, match="4 of the 5 batches cifar-10-batches-py/data_batch_1 to "):
        open_detected(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")
    batches["data_batch_3"] = pickle.dumps({"data": PIXELS, "labels": [10] * 10})
    with pytest.raises(DatasetError, match="labels must be one number from 0 to 9 per image"):
        open_detected(write_cifar(tmp_path / "cifar-10-python.tar.gz", batches), "cifar10")


def write_mnist(folder: Path, count: int, label_count: int) -> Path:
    images = struct.pack(">IIII", 0x803, count, 28, 28) + PIXELS.tobytes()[: count * 784]
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(images))
    encoded_labels = struct.pack(">II", 0x801, label_count) + bytes(range(label_count))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(encoded_labels))
    return path


def test_mnist_images_are_padded_and_labelled(tmp_path: Path) -> None:
    source = open_detected(write_mnist(tmp_path, 7, 7), "mnist")
    assert read_labels(source) == list(range(7))
    first = read_pixels(source)[0]
    assert first.shape == (32, 32)
    assert (first[2:-2, 2:-2] == PIXELS.reshape(-1)[:784].reshape(28, 28)).all()
    assert first[:2].max() == 0


def test_inconsistent_mnist_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train-labels-idx1-ubyte.gz: 6 labels for 7 images in"):
        open_detected(write_mnist(tmp_path, 7, 6), "mnist")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0" * 20))
    with pytest.raises(DatasetError, match="it must be an IDX file of bytes with 3 dimensions"):
        open_detected(tmp_path / "train-images-idx3-ubyte.gz", "mnist")


def test_lsun_images_are_in_key_order(tmp_path: Path) -> None:
    folder = tmp_path / "bedroom_train_lmdb"
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        for seed in (3, 1, 2):
            transaction.put(f"key{seed}".encode(), image_bytes(seed, image_format="WEBP"))
    source = open_detected(folder, "lsun")
    assert [item.source_name for item in source] == ["key1", "key2", "key3"]
    assert [image.shape for image in read_pixels(source)] == [(60, 80, 3)] * 3


def test_a_damaged_lsun_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "bedroom_train_lmdb"
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        transaction.put(b"key", image_bytes(1))
    data = folder / "data.mdb"
    data.write_bytes(b"\0" * data.stat().st_size)
    with pytest.raises(DatasetError, match=rf"{re.escape(str(data))}: damaged database \(.*MDB_INVALID"):
        open_detected(folder, "lsun")
