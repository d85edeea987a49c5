"""The pipeline from a source to a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetWriter
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError, DatasetError, DensityError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.summary import BuildSummary, list_skipped
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import FolderSource
from tests.support.sources import RECORDS, image_bytes, odgt, person, write_files
from tests.unit.crowdgan_core.conftest import WriteSource

SMALL = ImageTransform(name="center-crop", size=(16, 16))


@dataclass(frozen=True, kw_only=True)
class RelativeCount(DensityEstimator):
    """Person count over the maximum person count of the source; unknown without persons."""

    name: ClassVar[str] = "relative-count"
    unit: ClassVar[str] = "fraction of the maximum"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    max_count: int = 0

    def fit(self, scenes: Iterable[Scene]) -> RelativeCount:
        return replace(self, max_count=max(scene.person_count for scene in scenes))

    def estimate(self, scene: Scene) -> DensityEstimate:
        if scene.person_count == 0:
            return DensityEstimate.unknown(self.unit, "no people")
        value = scene.person_count / self.max_count
        return DensityEstimate(value=value, unit=self.unit, class_index=int(value > 0.5))


class Recorder:
    """Progress that records all phases."""

    def __init__(self) -> None:
        self.phases: list[list[Any]] = []

    def start(self, description: str, total: int) -> None:
        self.phases.append([description, total, 0])

    def advance(self) -> None:
        self.phases[-1][2] += 1


def build_config(dest: Path, **changes: Any) -> BuildConfig:
    base = BuildConfig(
        dest=dest, format=ZipFormat(), estimator=RelativeCount(), transform=SMALL, region="full", workers=1
    )
    return replace(base, **changes)


@pytest.fixture
def source(write_crowdhuman: WriteSource) -> SourceReader:
    return CrowdHumanSource().open(*write_crowdhuman("folder"))


def metadata_of(dest: Path) -> DatasetMetadata:
    return ZipFormat().open(dest).metadata


def test_images_are_cropped_and_labelled_with_their_density(tmp_path: Path, source: SourceReader) -> None:
    recorder = Recorder()
    summary = build_dataset(source, "crowdhuman: folder", build_config(tmp_path / "a.zip"), recorder)
    metadata = metadata_of(tmp_path / "a.zip")
    assert replace(metadata, images=(), tool_version=None) == DatasetMetadata(
        estimator="relative-count",
        options={"max_count": 24},
        unit="fraction of the maximum",
        classes=("few", "many"),
        label_kind="class",
        source="crowdhuman: folder",
        transform="center-crop 16x16",
        region="full",
    )
    records = [(item.source, item.person_count, item.density, item.label) for item in metadata.images]
    counts = [(name, 6 * index) for index, name in enumerate(RECORDS)][1:]
    assert records == [(name, count, count / 24, int(count > 12)) for name, count in counts]
    assert summary.skipped == {"density cannot be estimated: no people": ["270,abc0"]}
    assert (summary.num_read, summary.num_written, summary.value_range) == (5, 4, (0.25, 1.0))
    assert summary.label_counts == {0: 2, 1: 2}
    assert recorder.phases == [["reading scenes", 5, 5], ["processing images", 5, 5]]


class RecordingWriter:
    """A writer that keeps the records that it receives, with the names that it returns."""

    def __init__(self, writer: DatasetWriter, received: list[tuple[ImageRecord, str]]) -> None:
        self.writer, self.received, self.finish = writer, received, writer.finish

    def add(self, encoded: bytes, size: tuple[int, int], record: ImageRecord) -> str:
        self.received.append((record, self.writer.add(encoded, size, record)))
        return self.received[-1][1]


class RecordingFormat(ZipFormat):
    """A format with such writers."""

    received: ClassVar[list[tuple[ImageRecord, str]]] = []

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[DatasetWriter]:
        with super().create(dest, overwrite=overwrite) as writer:
            yield RecordingWriter(writer, self.received)


def test_the_writer_receives_the_record_of_each_image(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", build_config(tmp_path / "a.zip", format=RecordingFormat()))
    records, names = zip(*RecordingFormat.received, strict=True)
    assert {record.name for record in records} == {""}
    named = tuple(replace(record, name=name) for record, name in zip(records, names, strict=True))
    assert named == metadata_of(tmp_path / "a.zip").images


def test_stored_pixels_equal_the_transformed_image(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", build_config(tmp_path / "a.zip"))
    reader = ZipFormat().open(tmp_path / "a.zip")
    for index, annotated in enumerate(list(source)[1:]):
        image = to_upright_rgb(annotated.image.open(), "x")
        expected = image.crop((10, 0, 70, 60)).resize((16, 16), Image.Resampling.LANCZOS)
        assert (reader.image(index) == np.asarray(expected)).all()


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path, source: SourceReader) -> None:
    for workers in (1, 2, 3):
        build_dataset(source, "x", build_config(tmp_path / f"{workers}.zip", workers=workers))
    first = (tmp_path / "1.zip").read_bytes()
    assert first == (tmp_path / "2.zip").read_bytes() == (tmp_path / "3.zip").read_bytes()


def test_people_are_counted_in_the_crop_or_the_full_image(tmp_path: Path) -> None:
    people = [person(x, 10) for x in (0, 30, 36, 72)]
    entries = {"a.jpg": image_bytes(1), "a.odgt": odgt({"a": people}).encode()}
    source = CrowdHumanSource().open([write_files(tmp_path / "x", entries)], None)
    for region, count in (("full", 4), ("crop", 2)):
        build_dataset(source, "x", build_config(tmp_path / f"{region}.zip", region=region))
        assert metadata_of(tmp_path / f"{region}.zip").images[0].person_count == count


def test_the_density_value_can_be_the_label(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", build_config(tmp_path / "a.zip", label_kind="value"))
    metadata = metadata_of(tmp_path / "a.zip")
    assert [record.label for record in metadata.images] == [(0.25,), (0.5,), (0.75,), (1.0,)]
    assert (metadata.label_kind, metadata.classes) == ("value", ())


def test_an_unknown_density_can_be_an_error(tmp_path: Path, source: SourceReader) -> None:
    with pytest.raises(DensityError, match="270,abc0: the density cannot be estimated: no people"):
        build_dataset(source, "x", build_config(tmp_path / "a.zip", on_unknown="fail"))
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_damaged_images_are_an_error_or_are_skipped(
    tmp_path: Path, write_crowdhuman: WriteSource, workers: int
) -> None:
    paths, _ = write_crowdhuman("folder")
    damaged = next((paths[0] / "Images").glob("273*"))
    damaged.write_bytes(damaged.read_bytes()[:300])
    source = CrowdHumanSource().open(paths, None)
    with pytest.raises(DatasetError) as caught:
        build_dataset(source, "x", build_config(tmp_path / "a.zip", workers=workers))
    assert str(caught.value).startswith(f"{damaged}: damaged or unreadable image")
    assert str(caught.value).endswith("; to skip such images, add --on-error skip")
    assert not (tmp_path / "a.zip").exists()
    summary = build_dataset(source, "x", build_config(tmp_path / "a.zip", workers=workers, on_error="skip"))
    assert [name.split(":")[0] for name in summary.skipped["unreadable or unsuitable images"]] == [str(damaged)]
    assert (summary.num_read, summary.num_written) == (5, 3)


def test_problems_of_the_source_are_an_error_or_are_counted(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "b.jpg": image_bytes(2), "t.odgt": odgt({"a": [person(9, 9)]}).encode()}
    source = CrowdHumanSource().open([write_files(tmp_path / "x", entries)], None)
    with pytest.raises(DatasetError) as caught:
        build_dataset(source, "x", build_config(tmp_path / "a.zip"))
    problem = f"images without an annotation: 1 ({tmp_path}/x/b.jpg)"
    assert str(caught.value) == f"{problem}; to skip them, add --on-error skip"
    summary = build_dataset(source, "x", build_config(tmp_path / "a.zip", on_error="skip"))
    assert list_skipped(summary.skipped) == problem


def test_images_of_several_sizes_need_a_resolution(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1, (30, 40)), "b.jpg": image_bytes(2, (30, 41))}
    source = FolderSource().open([write_files(tmp_path / "x", entries)], None)
    unchanged = {"estimator": None, "transform": ImageTransform()}
    with pytest.raises(
        DatasetError, match="b.jpg: 41x30 px, but the first image has 40x30 px; set one size with --res"
    ):
        build_dataset(source, "x", build_config(tmp_path / "a.zip", **unchanged))
    build_dataset(source, "x", build_config(tmp_path / "a.zip", estimator=None, transform=SMALL))
    assert [(item.label, item.person_count) for item in metadata_of(tmp_path / "a.zip").images] == [(None, None)] * 2


def test_converting_keeps_pixels_and_labels(tmp_path: Path, source: SourceReader) -> None:
    from crowdgan_core.sources.dataset import DatasetSource

    build_dataset(source, "x", build_config(tmp_path / "a.zip"))
    dataset = DatasetSource(lambda: [ZipFormat(), FolderFormat()]).open([tmp_path / "a.zip"], None)
    config = build_config(tmp_path / "b", format=FolderFormat(), estimator=None, transform=ImageTransform())
    build_dataset(dataset, "dataset: a.zip", config)
    before, after = ZipFormat().open(tmp_path / "a.zip"), FolderFormat().open(tmp_path / "b")
    assert [item.label for item in after.metadata.images] == [item.label for item in before.metadata.images]
    assert (after.metadata.classes, after.metadata.label_kind) == (("few", "many"), "class")
    assert [item.source for item in after.metadata.images] == list(RECORDS)[1:]
    assert all((before.image(index) == after.image(index)).all() for index in range(4))


def test_a_density_needs_annotations(tmp_path: Path) -> None:
    source = FolderSource().open([write_files(tmp_path / "x", {"a.jpg": image_bytes(1)})], None)
    with pytest.raises(
        ConfigError, match="folder: x: the source has no annotations of people, so no density can be estimated"
    ):
        build_dataset(source, "folder: x", build_config(tmp_path / "a.zip"))


def test_a_dataset_without_images_is_an_error(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    source = CrowdHumanSource().open([write_files(tmp_path / "x", entries)], None)
    with pytest.raises(DatasetError, match=r"no images remain; density cannot be estimated: no people: 1 \(a\)"):
        build_dataset(source, "x", build_config(tmp_path / "a.zip", estimator=RelativeCount(max_count=1), max_images=1))


def test_the_number_of_images_can_be_limited(tmp_path: Path, source: SourceReader) -> None:
    summary = build_dataset(source, "x", build_config(tmp_path / "a.zip", max_images=3))
    assert summary.num_read == 3
    assert metadata_of(tmp_path / "a.zip").options == {"max_count": 12}


def test_fast_decoding_gives_nearly_the_same_pixels(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1, (400, 500), quality=95)}
    source = FolderSource().open([write_files(tmp_path / "x", entries)], None)
    for name, fast in (("a.zip", False), ("b.zip", True)):
        build_dataset(source, "x", build_config(tmp_path / name, estimator=None, fast_decode=fast))
    exact, reduced = (ZipFormat().open(tmp_path / name).image(0).astype(int) for name in ("a.zip", "b.zip"))
    difference = np.abs(exact - reduced)
    assert 0 < difference.mean() < 4


class Marker:
    """A plotter that writes its arguments as text."""

    name = "marker"

    def draw(self, pixels: Any, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        return f"{pixels.shape} {scene.size} {estimator.name} {density.value}".encode()


@pytest.mark.parametrize("fast_decode", [False, True])
def test_density_overlays_show_the_measured_region(tmp_path: Path, source: SourceReader, fast_decode: bool) -> None:
    for region, shape in (("crop", "(60, 60, 3) (60, 60)"), ("full", "(60, 80, 3) (60, 80)")):
        plots = tmp_path / region
        changes = {"plotter": Marker(), "plot_dir": plots, "region": region, "overwrite": True, "workers": 2}
        changes["fast_decode"] = fast_decode
        build_dataset(source, "x", build_config(tmp_path / "a.zip", **changes))
        assert sorted(path.name for path in plots.iterdir())[0] == "img00000000.png"
        assert (plots / "img00000000.png").read_text().startswith(f"{shape} relative-count ")


def test_the_repr_of_a_summary_is_short() -> None:
    assert repr(BuildSummary(num_read=15000, num_written=14210)) == "BuildSummary(14210 of 15000 images)"
