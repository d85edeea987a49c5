"""Errors of plugins in a dataset build name the plugin and the image, with any number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import PluginError
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, SourceReader
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_core.utils.arrays import ImageArray
from tests.unit.crowdgan_core.conftest import WriteSource


@dataclass(frozen=True, kw_only=True)
class CountEstimator(DensityEstimator):
    """Person count; fails for images with more than a number of people."""

    name: ClassVar[str] = "count"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "some", "many")
    fails_above: int = 1000
    class_index: int = 0

    @property
    def class_bounds(self) -> ClassBounds:
        return ClassBounds(values=(100, 200), options=("some_from", "many_from"))

    def estimate(self, scene: Scene) -> DensityEstimate:
        if scene.person_count > self.fails_above:
            raise KeyError("crowd")
        return DensityEstimate(value=scene.person_count, unit=self.unit, class_index=self.class_index)


class FormatOfText(ZipFormat):
    """A format whose encoder returns text."""

    name = "text"

    def encode(self, pixels: ImageArray) -> bytes:
        text: Any = "pixels"
        encoded: bytes = text
        return encoded


class Plotter:
    """A plotter that fails."""

    name = "broken"

    def draw(self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        raise RuntimeError("no display")


@pytest.fixture
def source(write_crowdhuman: WriteSource) -> SourceReader:
    return CrowdHumanSource().open(*write_crowdhuman("folder"))


def error_of_build(source: SourceReader, dest: Path, **settings: Any) -> str:
    """The message of the error of a build; checks that it leaves no output."""
    transform = ImageTransform(name="center-crop", size=(16, 16))
    defaults = {"format": ZipFormat(), "estimator": CountEstimator(), "transform": transform, "workers": 1}
    config = BuildConfig(dest=dest, region="full", on_error="skip", **{**defaults, **settings})
    with pytest.raises(PluginError) as caught:
        build_dataset(source, "x", config)
    assert not dest.exists()
    return str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_estimator_that_fails_is_never_skipped(tmp_path: Path, source: SourceReader, workers: int) -> None:
    message = error_of_build(source, tmp_path / "a.zip", estimator=CountEstimator(fails_above=17), workers=workers)
    assert message == "density estimator count failed: image 273,abc3: KeyError: 'crowd'"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_class_out_of_range_makes_no_dataset(tmp_path: Path, source: SourceReader, workers: int) -> None:
    message = error_of_build(source, tmp_path / "a.zip", estimator=CountEstimator(class_index=7), workers=workers)
    assert message == "density estimator count: image 270,abc0: class_index is 7; it must be from 0 to 2"


def test_an_encoder_must_return_bytes(tmp_path: Path, source: SourceReader) -> None:
    message = error_of_build(source, tmp_path / "a.zip", format=FormatOfText())
    assert message == "dataset format text: image 270,abc0: it returned str; it must return bytes"


def test_a_plotter_that_fails_is_named(tmp_path: Path, source: SourceReader) -> None:
    message = error_of_build(source, tmp_path / "a.zip", plotter=Plotter(), plot_dir=tmp_path / "plots")
    where = "image 270,abc0 with the estimator count"
    assert message == f"scene plotter broken failed: {where}: RuntimeError: no display"


@dataclass(frozen=True)
class PluggedImage:
    """An image handle that returns an object or raises an exception."""

    result: Any
    where: str = "plugged"

    def open(self) -> Image.Image:
        if isinstance(self.result, Exception):
            raise self.result
        image: Image.Image = self.result
        return image


class PluggedSource:
    """A source with given items."""

    has_annotations = True
    problems: Sequence[SourceProblem] = ()
    metadata = DatasetMetadata()

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        for item in self._items:
            if isinstance(item, Exception):
                raise item
            yield item


def plugged_image(result: Any) -> AnnotatedImage:
    return AnnotatedImage(source_name="a", image=PluggedImage(result))


VALID_IMAGE = plugged_image(Image.new("RGB", (8, 8)))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (plugged_image(OSError("gone")), "image handle PluggedImage failed: image a: OSError: gone"),
        (plugged_image(b"JPEG"), "open returned b'JPEG'; it must return a Pillow image of 8-bit or 16-bit samples"),
        (plugged_image(Image.new("F", (8, 8))), "it must return a Pillow image of 8-bit or 16-bit samples"),
        (ZeroDivisionError("empty"), "PluggedSource failed: reading its images: ZeroDivisionError: empty"),
        (("a", b"JPEG"), "reading its images: it yielded tuple; it must yield AnnotatedImage objects"),
    ],
)
def test_a_source_that_fails_is_named(tmp_path: Path, item: Any, message: str) -> None:
    source = PluggedSource(VALID_IMAGE, item)
    assert message in error_of_build(source, tmp_path / "a.zip")
    with pytest.raises(PluginError) as caught:
        read_scenes(source, "x", ReadConfig(workers=1, on_error="skip"))
    assert message in str(caught.value)


def test_class_boundaries_are_stored_for_class_labels_only(tmp_path: Path, source: SourceReader) -> None:
    for kind, expected in (("class", CountEstimator().class_bounds), ("value", None)):
        dest = tmp_path / f"{kind}.zip"
        settings: Any = {"label_kind": kind, "transform": ImageTransform(name="center-crop", size=(16, 16))}
        config = BuildConfig(dest=dest, format=ZipFormat(), estimator=CountEstimator(), workers=1, **settings)
        summary = build_dataset(source, "x", config)
        assert ZipFormat().open(dest).metadata.class_bounds == expected
        assert summary.class_bounds == expected
    assert summary.empty_classes == []
