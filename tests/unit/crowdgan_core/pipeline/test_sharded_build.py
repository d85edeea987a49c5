"""Builds of datasets in shards: contents, continuation after an interruption, and the lock."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.datasets.shards.format import ShardsFormat
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import DatasetError, DensityError
from crowdgan_core.io.locks import lock_file
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.shard_writing import ShardOutcome, ShardTask, ShardWriter, read_finished
from crowdgan_core.pipeline.sharded_build import default_shard_size
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import FolderSource
from tests.support.sources import image_bytes, write_files
from tests.unit.crowdgan_core.conftest import WriteSource
from tests.unit.crowdgan_core.pipeline.test_build import RelativeCount, build_config


class StoppedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def source(write_crowdhuman: WriteSource) -> SourceReader:
    return CrowdHumanSource().open(*write_crowdhuman("folder"))


def shards_config(dest: Path, **changes: Any) -> BuildConfig:
    return build_config(dest, **{"format": ShardsFormat(), "shard_size": 2, **changes})


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt_build(monkeypatch: pytest.MonkeyPatch, source: SourceReader, config: BuildConfig, *, after: int) -> None:
    """Runs a build that stops before it writes another shard than the first `after` ones."""
    write, written = ShardWriter.__call__, []

    def write_or_stop(self: ShardWriter, task: ShardTask) -> ShardOutcome:
        if len(written) == after:
            raise StoppedError
        written.append(task.number)
        return write(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "__call__", write_or_stop)
        with pytest.raises(StoppedError):
            build_dataset(source, "x", config)


def test_shards_have_the_images_and_records_of_the_zip(tmp_path: Path, source: SourceReader) -> None:
    summaries = [
        build_dataset(source, "x", build_config(tmp_path / "a.zip")),
        build_dataset(source, "x", shards_config(tmp_path / "a.shards")),
    ]
    expected, reader = ZipFormat().open(tmp_path / "a.zip"), ShardsFormat().open(tmp_path / "a.shards")
    assert replace(reader.metadata, images=()) == replace(expected.metadata, images=())
    names = [f"{index:08d}.png" for index in range(1, 5)]  # the first image has no people
    assert list(reader.metadata.images) == [
        replace(record, name=name) for record, name in zip(expected.metadata.images, names, strict=True)
    ]
    for index in range(4):
        assert np.array_equal(reader.image(index), expected.image(index))
    zip_summary, shards_summary = (replace(summary, elapsed_s=0.0) for summary in summaries)
    assert zip_summary == shards_summary


def test_the_archives_contain_images_and_records(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", shards_config(tmp_path / "a.shards"))
    folder = tmp_path / "a.shards"
    assert sorted(files_of(folder)) == [
        *(f"00000{number}.tar" for number in range(3)), "index.npy", "records.jsonl", "shards.json"
    ]  # fmt: skip
    with tarfile.open(folder / "000001.tar") as archive:
        names = archive.getnames()
        record = json.loads(archive.extractfile("00000002.json").read())  # type: ignore[union-attr]
    assert names == ["00000002.png", "00000002.json", "00000003.png", "00000003.json"]
    assert record == json.loads((folder / "records.jsonl").read_text().splitlines()[1])
    assert not (tmp_path / "a.shards.partial").exists()


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, source: SourceReader) -> None:
    for workers in (1, 2, 3):
        build_dataset(source, "x", shards_config(tmp_path / f"{workers}.shards", workers=workers))
    first, *others = (files_of(tmp_path / f"{workers}.shards") for workers in (1, 2, 3))
    assert others == [first, first]


@pytest.mark.parametrize("stopped_after", [0, 1, 2])
def test_an_interrupted_build_continues(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    build_dataset(source, "x", shards_config(tmp_path / "straight.shards"))
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=stopped_after)
    assert not (tmp_path / "a.shards").exists()
    output = tmp_path / "a.shards.partial" / "output"
    written = [path.stat().st_mtime_ns for path in sorted(output.glob("*.tar"))]
    assert len(written) == stopped_after
    summary = build_dataset(source, "x", shards_config(tmp_path / "a.shards"))
    assert summary.num_resumed == 2 * stopped_after
    assert files_of(tmp_path / "a.shards") == files_of(tmp_path / "straight.shards")
    tars = sorted((tmp_path / "a.shards").glob("*.tar"))
    assert [path.stat().st_mtime_ns for path in tars[:stopped_after]] == written, "finished shards are kept"


def test_temporary_files_of_killed_workers_are_removed(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=1)
    (tmp_path / "a.shards.partial" / "output" / ".000000.tar.node7-42.partial").write_bytes(b"half a shard")
    build_dataset(source, "x", shards_config(tmp_path / "a.shards"))
    assert not [name for name in files_of(tmp_path / "a.shards") if name.endswith(".partial")]


@pytest.mark.parametrize("damage", ["shorter", "changed", "missing", "no progress"])
def test_damaged_shards_are_written_again(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    build_dataset(source, "x", shards_config(tmp_path / "straight.shards"))
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=2)
    partial = tmp_path / "a.shards.partial"
    path = partial / "output" / "000000.tar"
    data = path.read_bytes()
    if damage == "shorter":
        path.write_bytes(data[:-1])
    elif damage == "changed":
        path.write_bytes(data[:600] + b"x" + data[601:])
    elif damage == "missing":
        path.unlink()
    else:
        (partial / "finished" / "000000.json").write_text("{")
    assert build_dataset(source, "x", shards_config(tmp_path / "a.shards")).num_resumed == 2
    assert files_of(tmp_path / "a.shards") == files_of(tmp_path / "straight.shards")


def test_changed_annotations_are_noticed(
    tmp_path: Path, write_crowdhuman: WriteSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, annotations = write_crowdhuman("folder")
    config = shards_config(tmp_path / "a.shards", estimator=None)
    interrupt_build(monkeypatch, CrowdHumanSource().open(paths, annotations), config, after=2)
    odgt = next(paths[0].rglob("*.odgt"))
    odgt.write_text(odgt.read_text().replace('"fbox": [', '"fbox": [1', 1))
    source = CrowdHumanSource().open(paths, annotations)
    summary = build_dataset(source, "x", config)
    assert summary.num_resumed == 2, "the other shard was written again"


def test_other_settings_do_not_continue_a_build(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=1)
    with pytest.raises(DatasetError, match='other settings: region is "crop" and was "full"; shard_size is 3'):
        build_dataset(source, "x", shards_config(tmp_path / "a.shards", region="crop", shard_size=3))
    shutil.rmtree(tmp_path / "a.shards.partial")
    build_dataset(source, "x", shards_config(tmp_path / "a.shards", region="crop", shard_size=3))


def test_skipped_images_of_finished_shards_become_errors(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=1)
    with pytest.raises(DensityError, match="270,abc0: the density cannot be estimated: no people"):
        build_dataset(source, "x", shards_config(tmp_path / "a.shards", on_unknown="fail"))
    assert build_dataset(source, "x", shards_config(tmp_path / "a.shards")).num_written == 4


def test_two_builds_of_one_destination_refuse_each_other(tmp_path: Path, source: SourceReader) -> None:
    (tmp_path / "a.shards.partial").mkdir()
    with (
        lock_file(tmp_path / "a.shards.partial" / "lock"),
        pytest.raises(DatasetError, match=r"a\.shards: another process writes this dataset"),
    ):
        build_dataset(source, "x", shards_config(tmp_path / "a.shards"))


def test_an_existing_dataset_is_overwritten_only_on_request(tmp_path: Path, source: SourceReader) -> None:
    dest = tmp_path / "a.shards"
    build_dataset(source, "x", shards_config(dest))
    before = files_of(dest)
    with pytest.raises(DatasetError, match="already exists"):
        build_dataset(source, "x", shards_config(dest, shard_size=5))
    assert files_of(dest) == before
    build_dataset(source, "x", shards_config(dest, shard_size=5, overwrite=True))
    assert files_of(dest) != before
    (tmp_path / "b.shards").mkdir()
    (tmp_path / "b.shards" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"b\.shards: is not a dataset in shards"):
        build_dataset(source, "x", shards_config(tmp_path / "b.shards", overwrite=True))
    assert files_of(tmp_path / "b.shards") == {"notes.txt": b"mine"}


def test_a_source_without_usable_images_is_an_error(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "images", {"a.png": b"not an image", "b.png": b"neither"})
    source = FolderSource().open([folder], None)
    config = shards_config(tmp_path / "a.shards", estimator=None, transform=ImageTransform())
    with pytest.raises(DatasetError, match=r"a\.png.*; to skip such images, add --on-error skip"):
        build_dataset(source, "x", config)
    with pytest.raises(DatasetError, match="x: no images remain; unreadable or unsuitable images: 2"):
        build_dataset(source, "x", replace(config, on_error="skip"))
    assert not (tmp_path / "a.shards").exists()


def test_the_first_image_determines_the_size(tmp_path: Path) -> None:
    sizes = [(20, 10), (20, 10), (10, 20), (20, 10), (20, 10), (10, 20)]
    entries = {f"{index}.jpg": image_bytes(index, size=size) for index, size in enumerate(sizes)}
    source = FolderSource().open([write_files(tmp_path / "images", {"0.jpg.png": b"damaged", **entries})], None)
    config = shards_config(tmp_path / "a.shards", estimator=None, transform=ImageTransform(), on_error="skip")
    for workers, dest in ((1, "a.shards"), (2, "b.shards")):
        summary = build_dataset(source, "x", replace(config, dest=tmp_path / dest, workers=workers))
        assert (summary.num_read, summary.num_written) == (7, 4)
    reader = ShardsFormat().open(tmp_path / "a.shards")
    assert reader.image_size(0) == reader.image(3).shape[:2]
    assert files_of(tmp_path / "a.shards") == files_of(tmp_path / "b.shards")


def test_shards_in_which_all_images_are_skipped_have_no_file(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", shards_config(tmp_path / "a.shards", shard_size=1))
    tars = sorted(path.name for path in (tmp_path / "a.shards").glob("*.tar"))
    assert tars == [f"00000{number}.tar" for number in range(1, 5)], "the first image has no people"
    reader = ShardsFormat().open(tmp_path / "a.shards")
    assert [record.person_count for record in reader.metadata.images] == [6, 12, 18, 24]
    assert reader.image(0).shape == (16, 16, 3)


def test_overlays_are_written_by_the_workers(tmp_path: Path, source: SourceReader) -> None:
    class Plotter:
        name = "plotter"

        def draw(self, *_arguments: object) -> bytes:
            return b"overlay"

    config = shards_config(tmp_path / "a.shards", plot_dir=tmp_path / "plots", plotter=Plotter())
    build_dataset(source, "x", config)
    assert files_of(tmp_path / "plots") == {f"{index:08d}.png": b"overlay" for index in range(1, 5)}


def test_progress_files_that_are_not_valid_are_ignored(tmp_path: Path) -> None:
    assert read_finished(tmp_path, 0) is None
    for text in ("", "[]", '{"digest": 3}', "[" * 100_000):
        (tmp_path / "000000.json").write_text(text)
        assert read_finished(tmp_path, 0) is None


@pytest.mark.parametrize(("images", "size"), [(1, 64), (4096, 64), (10_000, 157), (64_000, 1000), (10**7, 1000)])
def test_the_default_shard_size_serves_64_workers(images: int, size: int) -> None:
    assert default_shard_size(images) == size


def test_the_estimator_of_another_build_is_another_setting(
    tmp_path: Path, source: SourceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_build(monkeypatch, source, shards_config(tmp_path / "a.shards"), after=1)
    with pytest.raises(DatasetError, match=r"options is \{\"max_count\": 7\} and was"):
        build_dataset(source, "x", shards_config(tmp_path / "a.shards", estimator=RelativeCount(max_count=7)))
