"""The pipeline from a source to a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import FolderFormat, ZipFormat
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError, DatasetError, DensityError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.pipeline.build import BuildConfig, build_dataset
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import SourceReader
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.sources.folder import FolderSource
from tests.support.sources import RECORDS, image_bytes, odgt, person, write_tree
from tests.unit.crowdgan_core.conftest import MakeSource

SMALL = ImageTransform(name="center-crop", size=(16, 16))


@dataclass(frozen=True, kw_only=True)
class Share(DensityEstimator):
    """Persons over the most persons in an image; cannot tell without persons."""

    name: ClassVar[str] = "share"
    unit: ClassVar[str] = "of the most"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    most: int = 0

    def fit(self, scenes: Iterable[Scene]) -> Share:
        return replace(self, most=max(scene.person_count for scene in scenes))

    def estimate(self, scene: Scene) -> DensityEstimate:
        if scene.person_count == 0:
            return DensityEstimate.unknown(self.unit, "there is nobody")
        value = scene.person_count / self.most
        return DensityEstimate(value=value, unit=self.unit, class_index=int(value > 0.5))


class Recorder:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.phases: list[list[Any]] = []

    def start(self, what: str, total: int) -> None:
        self.phases.append([what, total, 0])

    def advance(self) -> None:
        self.phases[-1][2] += 1


def settings(dest: Path, **changes: Any) -> BuildConfig:
    base = BuildConfig(dest=dest, format=ZipFormat(), estimator=Share(), transform=SMALL, region="full", workers=1)
    return replace(base, **changes)


@pytest.fixture
def source(make_crowdhuman: MakeSource) -> SourceReader:
    return CrowdHumanSource().open(*make_crowdhuman("folder"))


def metadata_of(dest: Path) -> DatasetMetadata:
    return ZipFormat().open(dest).metadata


def test_images_are_measured_cropped_and_labelled(tmp_path: Path, source: SourceReader) -> None:
    recorder = Recorder()
    summary = build_dataset(source, "crowdhuman: folder", settings(tmp_path / "a.zip"), recorder)
    metadata = metadata_of(tmp_path / "a.zip")
    assert replace(metadata, images=(), tool_version=None) == DatasetMetadata(
        estimator="share",
        options={"most": 24},
        unit="of the most",
        classes=("few", "many"),
        label_kind="class",
        source="crowdhuman: folder",
        transform="center-crop 16x16",
        region="full",
    )
    found = [(item.source, item.person_count, item.density, item.label) for item in metadata.images]
    counts = [(name, 6 * index) for index, name in enumerate(RECORDS)][1:]
    assert found == [(name, count, count / 24, int(count > 12)) for name, count in counts]
    assert summary.skipped == {"density cannot be told: there is nobody": ["270,abc0"]}
    assert (summary.num_read, summary.num_written, summary.value_range) == (5, 4, (0.25, 1.0))
    assert summary.label_counts == {0: 2, 1: 2}
    assert recorder.phases == [["reading scenes", 5, 5], ["making images", 5, 5]]


def test_the_pixels_are_those_of_the_transform(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", settings(tmp_path / "a.zip"))
    reader = ZipFormat().open(tmp_path / "a.zip")
    for index, annotated in enumerate(list(source)[1:]):
        image = to_upright_rgb(annotated.image.open(), "x")
        expected = image.crop((10, 0, 70, 60)).resize((16, 16), Image.Resampling.LANCZOS)
        assert (reader.image(index) == np.asarray(expected)).all()


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path, source: SourceReader) -> None:
    for workers in (1, 2, 3):
        build_dataset(source, "x", settings(tmp_path / f"{workers}.zip", workers=workers))
    first = (tmp_path / "1.zip").read_bytes()
    assert first == (tmp_path / "2.zip").read_bytes() == (tmp_path / "3.zip").read_bytes()


def test_the_crop_or_the_whole_image_is_measured(tmp_path: Path) -> None:
    people = [person(x, 10) for x in (0, 30, 36, 72)]
    entries = {"a.jpg": image_bytes(1), "a.odgt": odgt({"a": people}).encode()}
    source = CrowdHumanSource().open([write_tree(tmp_path / "x", entries)], None)
    for region, count in (("full", 4), ("crop", 2)):
        build_dataset(source, "x", settings(tmp_path / f"{region}.zip", region=region))
        assert metadata_of(tmp_path / f"{region}.zip").images[0].person_count == count


def test_the_density_itself_may_be_the_label(tmp_path: Path, source: SourceReader) -> None:
    build_dataset(source, "x", settings(tmp_path / "a.zip", label_kind="value"))
    metadata = metadata_of(tmp_path / "a.zip")
    assert [record.label for record in metadata.images] == [(0.25,), (0.5,), (0.75,), (1.0,)]
    assert (metadata.label_kind, metadata.classes) == ("value", ())


def test_what_cannot_be_told_may_be_an_error(tmp_path: Path, source: SourceReader) -> None:
    with pytest.raises(DensityError, match="270,abc0: the density cannot be told: there is nobody"):
        build_dataset(source, "x", settings(tmp_path / "a.zip", on_unknown="fail"))
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_damaged_images_are_an_error_or_are_skipped(tmp_path: Path, make_crowdhuman: MakeSource, workers: int) -> None:
    paths, _ = make_crowdhuman("folder")
    victim = next((paths[0] / "Images").glob("273*"))
    victim.write_bytes(victim.read_bytes()[:300])
    source = CrowdHumanSource().open(paths, None)
    with pytest.raises(DatasetError) as caught:
        build_dataset(source, "x", settings(tmp_path / "a.zip", workers=workers))
    assert str(caught.value).startswith(f"{victim}: damaged or unreadable image")
    assert str(caught.value).endswith("; to leave such images out, add --on-error skip")
    assert not (tmp_path / "a.zip").exists()
    summary = build_dataset(source, "x", settings(tmp_path / "a.zip", workers=workers, on_error="skip"))
    assert [name.split(":")[0] for name in summary.skipped["damaged or unfit images"]] == [str(victim)]
    assert (summary.num_read, summary.num_written) == (5, 3)


def test_problems_of_the_source_are_an_error_or_are_counted(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "b.jpg": image_bytes(2), "t.odgt": odgt({"a": [person(9, 9)]}).encode()}
    source = CrowdHumanSource().open([write_tree(tmp_path / "x", entries)], None)
    with pytest.raises(DatasetError) as caught:
        build_dataset(source, "x", settings(tmp_path / "a.zip"))
    problem = f"images without an annotation: 1 ({tmp_path}/x/b.jpg)"
    assert str(caught.value) == f"{problem}; to leave them out, add --on-error skip"
    summary = build_dataset(source, "x", settings(tmp_path / "a.zip", on_error="skip"))
    assert summary.skipped_text() == problem


def test_images_of_several_sizes_need_a_resolution(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1, (30, 40)), "b.jpg": image_bytes(2, (30, 41))}
    source = FolderSource().open([write_tree(tmp_path / "x", entries)], None)
    plain = {"estimator": None, "transform": ImageTransform()}
    with pytest.raises(
        DatasetError, match="b.jpg: 41x30 px, where the first image has 40x30 px; choose one by --resol"
    ):
        build_dataset(source, "x", settings(tmp_path / "a.zip", **plain))
    build_dataset(source, "x", settings(tmp_path / "a.zip", estimator=None, transform=SMALL))
    assert [(item.label, item.person_count) for item in metadata_of(tmp_path / "a.zip").images] == [(None, None)] * 2


def test_converting_keeps_pixels_and_labels(tmp_path: Path, source: SourceReader) -> None:
    from crowdgan_core.sources.dataset import DatasetSource

    build_dataset(source, "x", settings(tmp_path / "a.zip"))
    dataset = DatasetSource(lambda: [ZipFormat(), FolderFormat()]).open([tmp_path / "a.zip"], None)
    convert = settings(tmp_path / "b", format=FolderFormat(), estimator=None, transform=ImageTransform())
    build_dataset(dataset, "dataset: a.zip", convert)
    before, after = ZipFormat().open(tmp_path / "a.zip"), FolderFormat().open(tmp_path / "b")
    assert [item.label for item in after.metadata.images] == [item.label for item in before.metadata.images]
    assert (after.metadata.classes, after.metadata.label_kind) == (("few", "many"), "class")
    assert [item.source for item in after.metadata.images] == list(RECORDS)[1:]
    assert all((before.image(index) == after.image(index)).all() for index in range(4))


def test_a_density_needs_annotations(tmp_path: Path) -> None:
    source = FolderSource().open([write_tree(tmp_path / "x", {"a.jpg": image_bytes(1)})], None)
    with pytest.raises(
        ConfigError, match="folder: x: it has no annotations of people, so there is no density to measure"
    ):
        build_dataset(source, "folder: x", settings(tmp_path / "a.zip"))


def test_a_dataset_without_images_is_an_error(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1), "t.odgt": odgt({"a": []}).encode()}
    source = CrowdHumanSource().open([write_tree(tmp_path / "x", entries)], None)
    with pytest.raises(DatasetError, match=r"no image is left; density cannot be told: there is nobody: 1 \(a\)"):
        build_dataset(source, "x", settings(tmp_path / "a.zip", estimator=Share(most=1), max_images=1))


def test_the_first_images_alone_may_be_made(tmp_path: Path, source: SourceReader) -> None:
    summary = build_dataset(source, "x", settings(tmp_path / "a.zip", max_images=3))
    assert summary.num_read == 3
    assert metadata_of(tmp_path / "a.zip").options == {"most": 12}


def test_fast_decoding_gives_nearly_the_same_pixels(tmp_path: Path) -> None:
    entries = {"a.jpg": image_bytes(1, (400, 500), quality=95)}
    source = FolderSource().open([write_tree(tmp_path / "x", entries)], None)
    for name, fast in (("a.zip", False), ("b.zip", True)):
        build_dataset(source, "x", settings(tmp_path / name, estimator=None, fast_decode=fast))
    slow, fast_ = (ZipFormat().open(tmp_path / name).image(0).astype(int) for name in ("a.zip", "b.zip"))
    difference = np.abs(slow - fast_)
    assert 0 < difference.mean() < 4


class Marker:
    """A plotter that writes what it was given."""

    name = "marker"

    def draw(self, pixels: Any, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        return f"{pixels.shape} {scene.size} {estimator.name} {density.value}".encode()


def test_overlay_images_are_drawn_where_they_are_asked_for(tmp_path: Path, source: SourceReader) -> None:
    for region, shape in (("crop", "(16, 16, 3) (16, 16)"), ("full", "(60, 80, 3) (60, 80)")):
        plots = tmp_path / region
        changes = {"plotter": Marker(), "plot_dir": plots, "region": region, "overwrite": True, "workers": 2}
        build_dataset(source, "x", settings(tmp_path / "a.zip", **changes))
        assert sorted(path.name for path in plots.iterdir())[0] == "img00000000.png"
        assert (plots / "img00000000.png").read_text().startswith(f"{shape} share ")
