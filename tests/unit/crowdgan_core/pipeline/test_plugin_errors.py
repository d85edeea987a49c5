"""Errors of plugins in a dataset build name the plugin and the image, with any number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from crowdgan_core.datasets.checked_writer import create_checked
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.checked_calls import explain_scene
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer
from crowdgan_core.errors import DatasetError, PluginError
from crowdgan_core.pipeline.build import build_dataset
from crowdgan_core.pipeline.build_config import BuildConfig
from crowdgan_core.pipeline.image_job import load_full_scene
from crowdgan_core.pipeline.reading import ReadConfig, read_scenes
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_core.sources.base import AnnotatedImage, SourceReader
from crowdgan_core.sources.checked_source import open_checked
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
    layers: Any = ()

    @property
    def class_bounds(self) -> ClassBounds:
        return ClassBounds(values=(100, 200))

    def estimate(self, scene: Scene) -> DensityEstimate:
        if scene.person_count > self.fails_above:
            raise KeyError("crowd")
        return DensityEstimate(value=scene.person_count, unit=self.unit, class_index=self.class_index)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        if isinstance(self.layers, Exception):
            raise self.layers
        layers: Sequence[Layer] = self.layers
        return layers


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


class ExplainingPlotter:
    """A plotter that asks the estimator for its layers."""

    name = "explaining"

    def draw(self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        return str(explain_scene(estimator, scene)).encode()


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


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (KeyError("map"), "count failed: explain: image 270,abc0: KeyError: 'map'"),
        (["map"], "count: explain: image 270,abc0: it returned 'map'; it must return layers of crowdgan_core"),
        (None, "count: explain: image 270,abc0: it returned NoneType; it must return a list or tuple of layers"),
    ],
)
def test_an_overlay_that_fails_names_the_estimator_not_the_plotter(
    tmp_path: Path, source: SourceReader, layers: Any, message: str
) -> None:
    settings = {"plotter": ExplainingPlotter(), "plot_dir": tmp_path / "plots"}
    found = error_of_build(source, tmp_path / "a.zip", estimator=CountEstimator(layers=layers), **settings)
    assert found.startswith(f"density estimator {message}")


def fail(*_: object) -> Any:
    raise ZeroDivisionError("full")


class FailingFormat(ZipFormat):
    """A format that fails while a dataset is created, or in a method of its writer."""

    name = "failing"

    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in

    @contextmanager
    def create(self, dest: Path, *, overwrite: bool) -> Iterator[Any]:
        with super().create(dest, overwrite=overwrite) as writer:
            if self.fails_in == "create":
                fail()
            if self.fails_in in ("add", "finish"):
                writer.__dict__[self.fails_in] = fail
            try:
                yield writer
            except DatasetError:
                fail()
            if self.fails_in == "end":
                fail()


@pytest.mark.parametrize(
    ("fails_in", "where"),
    [("create", "{dest}"), ("add", "image 270,abc0"), ("finish", "finish: {dest}"), ("end", "{dest}")],
)
def test_a_format_that_fails_while_writing_is_named(
    tmp_path: Path, source: SourceReader, fails_in: str, where: str
) -> None:
    dest = tmp_path / "a.zip"
    message = error_of_build(source, dest, format=FailingFormat(fails_in))
    assert message == f"dataset format failing failed: {where.format(dest=dest)}: ZeroDivisionError: full"
    assert list(tmp_path.glob("*.partial")) == []


def test_a_format_that_fails_after_another_error_is_named(tmp_path: Path) -> None:
    message = error_of_build(PluggedSource(), tmp_path / "a.zip", format=FailingFormat("another error"))
    assert message == f"dataset format failing failed: {tmp_path / 'a.zip'}: ZeroDivisionError: full"


def test_an_error_of_another_plugin_does_not_name_the_format(tmp_path: Path, source: SourceReader) -> None:
    format_: Any = FailingFormat("nothing")
    with pytest.raises(IndexError), create_checked(format_, tmp_path / "a.zip", overwrite=False):
        [].pop()
    assert list(tmp_path.glob("*.zip")) == []


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
    """A source with given items, which is its own reader."""

    name, description, is_fallback = "plugged", "given items", False
    has_annotations: Any = True
    problems: Any = ()
    metadata: Any = DatasetMetadata()

    def __init__(self, *items: Any, **changes: Any) -> None:
        self._items = items
        self.__dict__ |= changes

    def matches(self, paths: Any, annotations: Any) -> bool:
        return True

    def open(self, paths: Any, annotations: Any) -> Any:
        return self

    def __len__(self) -> int:
        return int(self.__dict__.get("length", len(self._items)))

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
        (plugged_image(OSError("gone")), "scene source plugged failed: opening image a: OSError: gone"),
        (
            plugged_image(b"JPEG"),
            "scene source plugged: opening image a: open returned b'JPEG'; it must return a Pillow image",
        ),
        (plugged_image(Image.new("F", (8, 8))), "it must return a Pillow image of 8-bit or 16-bit samples"),
        (ZeroDivisionError("empty"), "scene source plugged failed: reading its images: ZeroDivisionError: empty"),
        (("a", b"JPEG"), "reading its images: it yielded tuple; it must yield AnnotatedImage objects"),
        (replace(VALID_IMAGE, source_name=3), "source_name is 3; it must be text"),
        (replace(VALID_IMAGE, image="a.png"), "image a: image is 'a.png'; it must be an image handle with where and"),
        (replace(VALID_IMAGE, people=[]), "image a: people is []; it must be PersonAnnotations"),
        (replace(VALID_IMAGE, record="few"), "image a: record is 'few'; it must be ImageRecord or None"),
    ],
)
def test_a_source_that_fails_is_named(tmp_path: Path, item: Any, message: str) -> None:
    source = open_checked(PluggedSource(VALID_IMAGE, item), [], None)
    assert message in error_of_build(source, tmp_path / "a.zip")
    with pytest.raises(PluginError) as caught:
        read_scenes(source, "x", ReadConfig(workers=1, on_error="skip"))
    assert message in str(caught.value)


def test_images_without_a_source_name_their_handle() -> None:
    with pytest.raises(PluginError, match="^image handle PluggedImage failed: opening image a: OSError: gone$"):
        load_full_scene(plugged_image(OSError("gone")))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"has_annotations": "yes"}, "data: has_annotations is 'yes'; it must be bool"),
        ({"metadata": None}, "data: metadata is None; it must be DatasetMetadata"),
        ({"problems": ["a.csv:3"]}, "data: problems contains 'a.csv:3'; its elements must be SourceProblem objects"),
        ({"length": 3}, "reading its images: its length is 3, but it yielded 2 images"),
        ({"length": 1}, "reading its images: its length is 1, but it yielded 2 images"),
    ],
)
def test_an_invalid_reader_names_its_source(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PluginError) as caught:
        list(open_checked(PluggedSource(VALID_IMAGE, VALID_IMAGE, **changes), [tmp_path / "data"], None))
    assert str(caught.value) == f"scene source plugged: {problem}"


def test_class_boundaries_are_stored_for_class_labels_only(tmp_path: Path, source: SourceReader) -> None:
    for kind, expected in (("class", CountEstimator().class_bounds), ("value", None)):
        dest = tmp_path / f"{kind}.zip"
        settings: Any = {"label_kind": kind, "transform": ImageTransform(name="center-crop", size=(16, 16))}
        config = BuildConfig(dest=dest, format=ZipFormat(), estimator=CountEstimator(), workers=1, **settings)
        summary = build_dataset(source, "x", config)
        assert ZipFormat().open(dest).metadata.class_bounds == expected
        assert summary.class_bounds == expected
    assert summary.empty_classes == []
