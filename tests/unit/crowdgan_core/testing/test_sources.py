"""The contract check of scene sources accepts valid ones and describes each violation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.stored_images import EncodedImage, ImageFile
from crowdgan_core.plugins.discovery import CORE_NAME, installed_plugins
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.testing import check_scene_source, write_dataset
from tests.support.sources import image_bytes, odgt, person, write_files, write_zip
from tests.unit.crowdgan_core.sources.test_coco import content
from tests.unit.crowdgan_core.sources.test_coco import entries as coco_files
from tests.unit.crowdgan_core.sources.test_mot import sequence
from tests.unit.crowdgan_core.sources.test_sources import cifar_batches, write_cifar, write_mnist

RECORDS = {"a,1": [person(10, 20), person(0, 0, 30, 10, tag="mask", ignore=1)], "a,2": []}
IMAGES = {f"{name}.jpg": image_bytes(index) for index, name in enumerate(RECORDS)}
CSV = "image,x,y,width,height\n" + "".join(f'"{name}",9,9,8,24\n' for name in IMAGES)


def lsun_folder(folder: Path) -> Path:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        for seed in (1, 2):
            transaction.put(f"key{seed}".encode(), image_bytes(seed, image_format="WEBP"))
    return folder


def dataset(path: Path) -> Path:
    records = [ImageRecord(name="", label=index) for index in range(2)]
    metadata = DatasetMetadata(label_kind="class", classes=("a", "b"), images=records)
    write_dataset(ZipFormat(), path, np.zeros((2, 4, 4, 3), np.uint8), metadata)
    return path


EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "crowdhuman": lambda folder: write_files(folder, {**IMAGES, "a.odgt": odgt(RECORDS).encode()}),
    "table": lambda folder: write_files(folder, {**IMAGES, "a.csv": CSV.encode()}),
    "coco": lambda folder: write_files(folder, coco_files(content())),
    "mot": lambda folder: write_files(folder, sequence()),
    "dataset": lambda folder: dataset(folder / "x.zip"),
    "cifar10": lambda folder: write_cifar(folder / "cifar-10-python.tar.gz", cifar_batches()),
    "mnist": lambda folder: write_mnist(folder, 7, 7),
    "lsun": lambda folder: lsun_folder(folder / "bedroom_train_lmdb"),
    "folder": lambda folder: write_files(folder, IMAGES),
    "zip": lambda folder: write_zip(folder / "x.zip", IMAGES),
}
"""Writers of example data by source."""


@pytest.mark.parametrize("name", installed_plugins().loaded[0].provides["scene source"])
def test_sources_of_core_fulfil_the_contract(tmp_path: Path, name: str) -> None:
    assert installed_plugins().loaded[0].name == CORE_NAME
    check_scene_source(installed_plugins().scene_sources[name], [EXAMPLES[name](tmp_path)])


class BoxSource:
    """A source of images with one box each; attributes of the source and of its reader can be changed."""

    name, description, is_fallback = "boxes", "images with boxes", False
    has_annotations: Any = True
    problems: Any = ()
    metadata: Any = DatasetMetadata()

    def __init__(self, **changes: Any) -> None:
        self.__dict__ |= changes

    def matches(self, paths: Any, annotations: Any) -> bool:
        return bool((paths[0] / "boxes.txt").is_file())

    def open(self, paths: Any, annotations: Any) -> Any:
        return BoxReader(self, paths[0])


class BoxReader:
    def __init__(self, source: BoxSource, folder: Path) -> None:
        self.has_annotations, self.problems = source.has_annotations, source.problems
        self.metadata, self.source = source.metadata, source
        self.images = [self.image(folder, line) for line in (folder / "boxes.txt").read_text().splitlines()]

    @staticmethod
    def image(folder: Path, line: str) -> Any:
        name, *box = line.split()
        people = PersonAnnotations(full_boxes=np.array([list(map(float, box))]))
        return AnnotatedImage(source_name=name, image=ImageFile(folder / name), people=people)

    def __len__(self) -> int:
        return getattr(self.source, "length", len(self.images))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.images)


class CheckedSource(BoxSource):
    """A source that reports an empty folder, and whose images a function changes."""

    def open(self, paths: Any, annotations: Any) -> Any:
        if not self.matches(paths, None):
            raise DatasetError(f"{paths[0]}: contains no boxes.txt")
        reader = super().open(paths, annotations)
        reader.images = [self.change(image) for image in reader.images]
        return reader

    @staticmethod
    def change(image: Any) -> Any:
        return image


def with_box(*box: float, key: str = "full_boxes") -> Any:
    people = PersonAnnotations(**{key: np.array([box])})
    return CheckedSource(change=lambda image: replace(image, people=people))


def with_image(**changes: Any) -> Any:
    return CheckedSource(change=lambda image: replace(image, **changes))


def opening(change: Callable[[Any], Any]) -> Any:
    """A source whose readers a function changes."""

    def open_changed(paths: Any, annotations: Any) -> Any:
        reader = CheckedSource().open(paths, annotations)
        change(reader)
        return reader

    return CheckedSource(open=open_changed)


COUNTER = itertools.count()


class UnpicklableImage(ImageFile):
    """A handle that other processes cannot receive."""

    def __reduce__(self) -> Any:
        raise TypeError("an open file")


def raise_error(*_: object) -> Any:
    raise KeyError("boxes.txt")


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    files = {"boxes.txt": b"a.jpg 10 20 8 24\nb.jpg 30 20 8 24\n", "a.jpg": image_bytes(1), "b.jpg": image_bytes(2)}
    return write_files(tmp_path, files)


def test_a_valid_source_passes(boxes: Path) -> None:
    check_scene_source(CheckedSource(), [boxes])
    check_scene_source(with_box(10, 20, 0, 0, key="head_boxes"), [boxes])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (CheckedSource(name=""), "name is ''; it must be text"),
        (CheckedSource(description=None), "description is None; it must be text"),
        (CheckedSource(is_fallback="no"), "is_fallback is 'no'; it must be True or False"),
        (CheckedSource(matches=lambda *_: False), "matches must be True for the example data"),
        (CheckedSource(matches=lambda *_: True), "matches is True for a missing path; it must be False"),
        (
            CheckedSource(matches=lambda paths, _: paths[0].exists()),
            "matches is True for a text file; it must be False",
        ),
        (
            CheckedSource(matches=lambda paths, _: paths[0].is_dir()),
            "matches is True for an empty folder; it must be False",
        ),
        (
            CheckedSource(matches=lambda paths, _: paths[0].is_dir() and any(paths[0].iterdir())),
            "matches is True for a folder of images without annotations; it must be False",
        ),
        (
            CheckedSource(matches=lambda paths, _: any(paths[0].iterdir())),
            "matches raises FileNotFoundError(",
        ),
        (BoxSource(), "opening an empty folder raises FileNotFoundError("),
        (BoxSource(open=lambda *_: None), "opening an empty folder must raise DatasetError"),
        (CheckedSource(has_annotations=1), "has_annotations is 1, not a bool"),
        (CheckedSource(problems=["lost"]), "problems must be SourceProblem objects"),
        (
            CheckedSource(problems=[SourceProblem(reason="damaged lines", names=["a.txt:1"])]),
            "the example data has problems: damaged lines: a.txt:1",
        ),
        (CheckedSource(metadata=None), "metadata is NoneType, not DatasetMetadata"),
        (
            CheckedSource(metadata=DatasetMetadata(images=(ImageRecord(name="a"),))),
            "metadata must have no image records",
        ),
        (opening(lambda reader: reader.images.pop()), "the example data has 1 images; the check needs at least 2"),
        (CheckedSource(change=lambda image: image.image), "iteration gives ImageFile, not AnnotatedImage"),
        (CheckedSource(length=3), "len is 3, but an iteration gives 2 images"),
        (
            CheckedSource(change=lambda image: replace(image, source_name=f"{next(COUNTER)}")),
            "the source, opened again, gives the images ['",
        ),
        (
            CheckedSource(change=lambda image: replace(image, record=ImageRecord(name=f"{next(COUNTER)}"))),
            "the source, opened again, gives other contents of the image a.jpg",
        ),
        (with_image(source_name=""), "source_name is ''; it must be text"),
        (with_image(source_name="a.jpg"), "source_name 'a.jpg' is repeated; names must differ"),
        (with_image(image=EncodedImage(image_bytes(1), "")), "where of the image handle is ''; it must be text"),
        (with_image(record="a"), "a.jpg: the record is str, not ImageRecord or None"),
        (CheckedSource(has_annotations=False), "a.jpg: it has people, but has_annotations is False"),
        (with_image(people=PersonAnnotations()), "has_annotations is True, but the example data has no people"),
        (with_image(image=ImageFile(Path("no.jpg"))), "a.jpg: a worker process cannot read the image: "),
        (with_image(image=UnpicklableImage(Path("a.jpg"))), "cannot read the image: TypeError('an open file')"),
        (with_box(1, 2, np.nan, 4), "full_boxes must be four finite numbers, or four NaN for a missing box"),
        (with_box(1, 2, 0, 4), "a.jpg: full_boxes must have positive widths and heights"),
        (with_box(1, 2, 3, -4, key="head_boxes"), "a.jpg: head_boxes must have positive widths and heights"),
        (
            with_box(90, 20, 8, 24, key="visible_boxes"),
            "a.jpg: the box [[90.0, 20.0, 8.0, 24.0]] of visible_boxes is outside the image of 80x60 px",
        ),
    ],
)
def test_each_violation_is_described(boxes: Path, source: Any, message: str) -> None:
    with pytest.raises(AssertionError) as error:
        check_scene_source(source, [boxes])
    assert message in str(error.value)
