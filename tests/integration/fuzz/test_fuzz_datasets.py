"""Damaged and hostile datasets: zip, folder and HDF5."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from crowdgan_core.cli.inspect import command as inspect_command
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.errors import DatasetError
from crowdgan_core.pipeline.build import BuildConfig, build_dataset
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.dataset import DatasetSource
from tests.integration.fuzz.tools import SMALL, Pipeline, mutated, mutated_json, one_case, opened, zipped


@pytest.fixture
def datasets(tmp_path: Path, write_crowd: Callable[..., Path]) -> dict[str, Path]:
    """A small dataset in each format, labelled by class, and one by value."""
    crowd = CrowdHumanSource().open([write_crowd(tmp_path / "crowd", count=3, size=(24, 32))], None)
    estimator = installed_plugins().density_estimators["threshold"]()
    formats = {"made.zip": ZipFormat(), "made": FolderFormat(), "made.h5": Hdf5Format(), "values.zip": ZipFormat()}
    for name, made_format in formats.items():
        kind = "value" if name.startswith("values") else "class"
        label_settings = BuildConfig(
            dest=tmp_path / name,
            format=made_format,
            estimator=estimator,
            transform=SMALL,
            label_kind=kind,
            workers=1,
        )
        build_dataset(crowd, "crowdhuman: crowd", label_settings)
    return {name: tmp_path / name for name in formats}


def inspect_like_a_user(path: Path, folder: Path) -> None:
    """`crowdgan inspect` in both forms, and with a contact sheet."""
    sheet = folder / "sheet.png"
    for arguments in ([], ["--json"], ["--contact-sheet", str(sheet), "--overwrite"]):
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
        with redirect_stdout(output), redirect_stderr(output):
            inspect_command.main([str(path), *arguments], standalone_mode=False)


def read_every_way(path: Path, name: object, pipeline: Pipeline, folder: Path) -> None:
    """Inspects a dataset, and makes another one of it."""
    with one_case(name):
        inspect_like_a_user(path, folder)
    pipeline.run(opened(DatasetSource(lambda: installed_plugins().dataset_formats.values()), path), name)


@pytest.mark.parametrize("name", ["made.zip", "values.zip", "made"])
def test_datasets_with_weird_metadata_are_refused_or_read(
    name: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(24)
    with closing(ZipFormat().open(datasets[name])) as reader:
        images = {record.name: reader.image(index) for index, record in enumerate(reader.metadata.images)}
        labels = [[record.name, record.label] for record in reader.metadata.images]
        index = {"labels": labels, "crowdgan": json.loads(json.dumps(reader.metadata.to_json()))}
    files = {image: ZipFormat().encode(pixels) for image, pixels in images.items()}
    for case in range(300):
        weird = mutated_json(index if case % 3 else {"labels": labels}, dice)
        if name == "made":
            path = datasets[name]
            (path / "dataset.json").write_text(json.dumps(weird))
        else:
            path = tmp_path / f"weird{case}.zip"
            path.write_bytes(zipped({**files, "dataset.json": json.dumps(weird).encode()}))
        read_every_way(path, f"{case}: {weird}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_mutated_zip_datasets_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(25)
    valid = datasets["made.zip"].read_bytes()
    for case in range(200):
        path = tmp_path / f"mutated{case}.zip"
        path.write_bytes(mutated(valid, dice))
        read_every_way(path, case, pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_hdf5_datasets_with_weird_metadata_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    dice = random.Random(26)
    path = datasets["made.h5"]
    with h5py.File(path) as file:
        metadata = json.loads(file.attrs["crowdgan"])
    for case in range(300):
        weird = mutated_json(metadata, dice)
        with h5py.File(path, "r+", libver=("v108", "latest")) as file:
            file.attrs["crowdgan"] = np.bytes_(json.dumps(weird))
        read_every_way(path, f"{case}: {weird}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def put(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Replaces a dataset."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, **options)

    return change


def link(target: Any) -> Callable[[h5py.File], None]:
    """Replaces the images by a link."""

    def change(file: h5py.File) -> None:
        del file["images"]
        file["images"] = target

    return change


def attribute(value: Any) -> Callable[[h5py.File], None]:
    """Replaces the metadata."""

    def change(file: h5py.File) -> None:
        file.attrs["crowdgan"] = value

    return change


STRUCTURES: dict[str, Callable[[h5py.File], None]] = {
    "no pictures": lambda file: file.pop("images"),
    "no metadata": lambda file: file.attrs.pop("crowdgan"),
    "images without data": put("images", data=h5py.Empty("u1")),
    "one number": put("images", data=np.uint8(3)),
    "floats": put("images", data=np.zeros((3, 8, 8, 3))),
    "texts": put("images", data=["a", "b", "c"]),
    "one channel": put("images", data=np.zeros((3, 8, 8, 1), np.uint8)),
    "images of size 0": put("images", shape=(3, 0, 8, 3), dtype="u1"),
    "two pictures": put("images", data=np.zeros((2, 8, 8, 3), np.uint8)),
    "images of a terabyte": put("images", shape=(3, 2**19, 2**19, 3), dtype="u1", chunks=(1, 64, 64, 3)),
    "a group": lambda file: (file.pop("images"), file.create_group("images")),
    "a link to itself": link(h5py.SoftLink("/images")),
    "a link to nothing": link(h5py.SoftLink("/nothing")),
    "a link to a file that is not there": link(h5py.ExternalLink("nothing.h5", "/images")),
    "a number as metadata": attribute(3),
    "numbers as metadata": attribute(np.arange(3)),
    "empty metadata": attribute(h5py.Empty("S1")),
    "bytes as metadata": attribute(np.bytes_(b"\xff\xfe")),
    "texts as metadata": attribute(["{}", "{}"]),
}
"""Sound HDF5 files that are no sound datasets."""


@pytest.mark.parametrize("kind", list(STRUCTURES))
def test_an_hdf5_file_of_another_structure_is_refused(
    kind: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    with h5py.File(datasets["made.h5"], "r+") as file:
        STRUCTURES[kind](file)
    with pytest.raises(DatasetError, match=r"made\.h5"):
        inspect_like_a_user(datasets["made.h5"], tmp_path)
    read_every_way(datasets["made.h5"], kind, pipeline, tmp_path)
    assert pipeline.outcomes == {"made": 0, "refused": 1}


READ_HDF5 = """
import sys, warnings
from contextlib import closing
from pathlib import Path
from crowdgan_core.errors import CrowdganError
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.contact_sheet import contact_sheet
from crowdgan_core.datasets.inspection import inspect_dataset
warnings.simplefilter("error")
for path in sys.argv[1:]:
    print(path, flush=True)
    try:
        with closing(Hdf5Format().open(Path(path))) as reader:
            inspect_dataset(reader)
            contact_sheet(reader)
            for index in range(len(reader)):
                reader.image(index)
    except CrowdganError:
        pass
"""
"""Reads HDF5 datasets in a process of its own, since libhdf5 may crash or hang on damaged ones."""


HANG = "a hang"


def read_hdf5_files(paths: list[Path], hang_s: float = 10) -> dict[Path, str]:
    """Reads datasets, going on after the one at which the process ended badly; returns those with how it ended."""
    bad = {}
    while paths:
        command = [sys.executable, "-c", READ_HDF5, *map(str, paths)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=hang_s)
            output, ending = done.stdout, f"exit code {done.returncode}: {done.stderr[-600:]}"
            if done.returncode == 0:
                break
        except subprocess.TimeoutExpired as error:
            output, ending = (error.stdout or b"").decode(), HANG
        last = Path(output.splitlines()[-1])
        bad[last] = ending
        paths = paths[paths.index(last) + 1 :]
    return bad


def test_mutated_hdf5_datasets_are_refused_or_read_without_a_crash_or_hang_of_libhdf5(
    tmp_path: Path, datasets: dict[str, Path]
) -> None:
    dice = random.Random(27)
    valid = datasets["made.h5"].read_bytes()
    paths = [tmp_path / f"mutated{case}.h5" for case in range(600)]
    for path in paths:
        path.write_bytes(mutated(valid, dice))
    bad = read_hdf5_files(paths)
    assert bad == {}


def test_hdf5_metadata_in_a_heap_is_refused_since_libhdf5_reads_a_damaged_heap_for_ever(
    datasets: dict[str, Path],
) -> None:
    path = datasets["made.h5"]
    with h5py.File(path, "r+") as file:
        file.attrs["crowdgan"] = file.attrs["crowdgan"].decode()
    with pytest.raises(DatasetError, match="the attribute crowdgan must be a text of fixed length"):
        Hdf5Format().open(path)
    data = bytearray(path.read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    path.write_bytes(data)
    assert read_hdf5_files([path]) == {}
