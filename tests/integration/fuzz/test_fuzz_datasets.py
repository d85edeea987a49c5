"""Damaged and malicious datasets: ZIP, folder and HDF5."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from crowdgan_core.cli.inspect import command as inspect_command
from crowdgan_core.datasets.hdf5 import Hdf5Format
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.errors import DatasetError
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.dataset import DatasetSource
from tests.integration.fuzz.tools import (
    SMALL,
    Pipeline,
    checked_case,
    mutate_bytes,
    mutate_json,
    source_opener,
    zip_bytes,
)


@pytest.fixture
def datasets(tmp_path: Path, write_crowd: Callable[..., Path]) -> dict[str, Path]:
    """A small dataset in each format, labelled by class, and one by value."""
    crowd = CrowdHumanSource().open([write_crowd(tmp_path / "crowd", count=3, size=(24, 32))], None)
    estimator = installed_plugins().density_estimators["threshold"]()
    formats = {"small.zip": ZipFormat(), "small": FolderFormat(), "small.h5": Hdf5Format(), "values.zip": ZipFormat()}
    for name, dataset_format in formats.items():
        label_kind = "value" if name.startswith("values") else "class"
        config = BuildConfig(
            dest=tmp_path / name,
            format=dataset_format,
            estimator=estimator,
            transform=SMALL,
            label_kind=label_kind,
            workers=1,
        )
        build_dataset(crowd, "crowdhuman: crowd", config)
    return {name: tmp_path / name for name in formats}


def run_inspect(path: Path, folder: Path) -> None:
    """Runs `crowdgan inspect` with text and JSON output, and with a contact sheet."""
    sheet = folder / "sheet.png"
    for arguments in ([], ["--json"], ["--contact-sheet", str(sheet), "--overwrite"]):
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
        with redirect_stdout(output), redirect_stderr(output):
            inspect_command.main([str(path), *arguments], standalone_mode=False)


def inspect_and_convert(path: Path, name: object, pipeline: Pipeline, folder: Path) -> None:
    """Inspects a dataset and converts it to another one."""
    with checked_case(name):
        run_inspect(path, folder)
    pipeline.run(source_opener(DatasetSource(lambda: installed_plugins().dataset_formats.values()), path), name)


@pytest.mark.parametrize("name", ["small.zip", "values.zip", "small"])
def test_datasets_with_invalid_metadata_are_refused_or_read(
    name: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    rng = random.Random(24)
    with ZipFormat().open(datasets[name]) as reader:
        images = {record.name: reader.image(index) for index, record in enumerate(reader.metadata.images)}
        labels = [[record.name, record.label] for record in reader.metadata.images]
        index = {"labels": labels, "crowdgan": json.loads(json.dumps(reader.metadata.to_json()))}
    files = {image: ZipFormat().encode(pixels) for image, pixels in images.items()}
    for case in range(300):
        metadata_json = mutate_json(index if case % 3 else {"labels": labels}, rng)
        if name == "small":
            path = datasets[name]
            (path / "dataset.json").write_text(json.dumps(metadata_json))
        else:
            path = tmp_path / f"mutated{case}.zip"
            path.write_bytes(zip_bytes({**files, "dataset.json": json.dumps(metadata_json).encode()}))
        inspect_and_convert(path, f"{case}: {metadata_json}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_mutated_zip_datasets_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    rng = random.Random(25)
    valid = datasets["small.zip"].read_bytes()
    for case in range(200):
        path = tmp_path / f"mutated{case}.zip"
        path.write_bytes(mutate_bytes(valid, rng))
        inspect_and_convert(path, case, pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def test_hdf5_datasets_with_invalid_metadata_are_refused_or_read(
    tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    rng = random.Random(26)
    path = datasets["small.h5"]
    with h5py.File(path) as file:
        metadata = json.loads(file.attrs["crowdgan"])
    for case in range(300):
        metadata_json = mutate_json(metadata, rng)
        with h5py.File(path, "r+", libver=("v108", "latest")) as file:
            file.attrs["crowdgan"] = np.bytes_(json.dumps(metadata_json))
        inspect_and_convert(path, f"{case}: {metadata_json}", pipeline, tmp_path)
    assert min(pipeline.outcomes.values()) > 5, pipeline.outcomes


def replace_dataset(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """A function that replaces a dataset of an HDF5 file."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, **options)

    return change


def replace_by_link(target: Any) -> Callable[[h5py.File], None]:
    """A function that replaces the images of an HDF5 file with a link."""

    def change(file: h5py.File) -> None:
        del file["images"]
        file["images"] = target

    return change


def replace_metadata(value: Any) -> Callable[[h5py.File], None]:
    """A function that replaces the metadata of an HDF5 file."""

    def change(file: h5py.File) -> None:
        file.attrs["crowdgan"] = value

    return change


CHANGES: dict[str, Callable[[h5py.File], None]] = {
    "no images": lambda file: file.pop("images"),
    "no metadata": lambda file: file.attrs.pop("crowdgan"),
    "images without data": replace_dataset("images", data=h5py.Empty("u1")),
    "one number": replace_dataset("images", data=np.uint8(3)),
    "floats": replace_dataset("images", data=np.zeros((3, 8, 8, 3))),
    "strings": replace_dataset("images", data=["a", "b", "c"]),
    "one channel": replace_dataset("images", data=np.zeros((3, 8, 8, 1), np.uint8)),
    "images of size 0": replace_dataset("images", shape=(3, 0, 8, 3), dtype="u1"),
    "two images": replace_dataset("images", data=np.zeros((2, 8, 8, 3), np.uint8)),
    "images larger than 1 TiB": replace_dataset(
        "images", shape=(3, 2**19, 2**19, 3), dtype="u1", chunks=(1, 64, 64, 3)
    ),
    "a group": lambda file: (file.pop("images"), file.create_group("images")),
    "a link to itself": replace_by_link(h5py.SoftLink("/images")),
    "a broken link": replace_by_link(h5py.SoftLink("/nothing")),
    "a link to a missing file": replace_by_link(h5py.ExternalLink("nothing.h5", "/images")),
    "a number as metadata": replace_metadata(3),
    "numbers as metadata": replace_metadata(np.arange(3)),
    "empty metadata": replace_metadata(h5py.Empty("S1")),
    "bytes as metadata": replace_metadata(np.bytes_(b"\xff\xfe")),
    "strings as metadata": replace_metadata(["{}", "{}"]),
}
"""Changes that give a valid HDF5 file but an invalid dataset."""


@pytest.mark.parametrize("change", list(CHANGES))
def test_an_hdf5_file_of_unexpected_structure_is_refused(
    change: str, tmp_path: Path, pipeline: Pipeline, datasets: dict[str, Path]
) -> None:
    with h5py.File(datasets["small.h5"], "r+") as file:
        CHANGES[change](file)
    with pytest.raises(DatasetError, match=r"small\.h5"):
        run_inspect(datasets["small.h5"], tmp_path)
    inspect_and_convert(datasets["small.h5"], change, pipeline, tmp_path)
    assert pipeline.outcomes == {"written": 0, "refused": 1}


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
        with Hdf5Format().open(Path(path)) as reader:
            inspect_dataset(reader)
            contact_sheet(reader)
            for index in range(len(reader)):
                reader.image(index)
    except CrowdganError:
        pass
"""
"""Script that reads HDF5 datasets, for a separate process, since libhdf5 may crash or hang on damaged ones."""

HANG_OUTCOME = "a hang"


def read_hdf5_files(paths: list[Path], timeout_s: float = 10) -> dict[Path, str]:
    """Exit code and stderr, or hang, of the reading process for each dataset at which it crashed or hung."""
    failures = {}
    while paths:
        command = [sys.executable, "-c", READ_HDF5, *map(str, paths)]
        try:
            completed = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
            output, outcome = completed.stdout, f"exit code {completed.returncode}: {completed.stderr[-600:]}"
            if completed.returncode == 0:
                break
        except subprocess.TimeoutExpired as error:
            output, outcome = (error.stdout or b"").decode(), HANG_OUTCOME
        last = Path(output.splitlines()[-1])
        failures[last] = outcome
        paths = paths[paths.index(last) + 1 :]
    return failures


def test_mutated_hdf5_datasets_are_refused_or_read_without_a_crash_or_hang_of_libhdf5(
    tmp_path: Path, datasets: dict[str, Path]
) -> None:
    rng = random.Random(27)
    valid = datasets["small.h5"].read_bytes()
    paths = [tmp_path / f"mutated{case}.h5" for case in range(600)]
    for path in paths:
        path.write_bytes(mutate_bytes(valid, rng))
    assert read_hdf5_files(paths) == {}


def test_hdf5_metadata_in_a_heap_is_refused_since_libhdf5_hangs_on_a_damaged_heap(
    datasets: dict[str, Path],
) -> None:
    path = datasets["small.h5"]
    with h5py.File(path, "r+") as file:
        file.attrs["crowdgan"] = file.attrs["crowdgan"].decode()
    with pytest.raises(DatasetError, match="attribute crowdgan must be a fixed-length string"):
        Hdf5Format().open(path)
    data = bytearray(path.read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    path.write_bytes(data)
    assert read_hdf5_files([path]) == {}
