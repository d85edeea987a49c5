"""CrowdHuman annotations (`.odgt`: one JSON object per line) with their images, in the forms that people have them.

A folder or a zip archive with the images and the `.odgt` inside; the download folder, zips beside the `.odgt`; or
several official zips with the annotations apart. Boxes refer to the stored pixels.

Source: Shao et al., CrowdHuman: A Benchmark for Detecting Human in a Crowd, 2018.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import INDEX_NAME, has_index
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import is_zip
from crowdgan_core.io.storage import FolderStore, Store, is_image_name, open_store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import Boxes

SUFFIX = ".odgt"

MAX_LINE_BYTES = 64 * 2**20
"""Length above which a line is refused: an image of a million persons."""

MAX_COORDINATE_PX = 1e6
"""Coordinates beyond this are damage."""

TEST_ARCHIVE = "crowdhuman_test.zip"
"""The official test images have no annotations: in a download folder they are left out."""

NO_BOX = (math.nan,) * 4


class CrowdHumanSource:
    """Reads CrowdHuman and whatever is annotated in its form."""

    name = "crowdhuman"
    is_fallback = False
    description = "CrowdHuman: images (folder or zips) with .odgt annotations"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether annotations are given apart, or lie inside with the suffix .odgt."""
        try:
            return annotations is not None or bool(_annotation_files(_stores(paths), None))
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CrowdHumanReader:
        """Indexes images and annotations; damaged lines and missing partners become problems."""
        stores = _stores(paths)
        files = _annotation_files(stores, annotations)
        if not files:
            raise DatasetError(f"{paths[0]}: no {SUFFIX} annotations in it; give them by --annotations FILE")
        return CrowdHumanReader(stores, files)


@dataclass(frozen=True)
class AnnotationFile:
    """An `.odgt` file in a folder or an archive."""

    store: Store
    name: str

    @property
    def where(self) -> str:
        """How messages call the file."""
        return self.store.where(self.name)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Numbers from 1 and bytes of the lines that are not blank."""
        with self.store.open(self.name) as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DatasetError(f"{self.where}:{number}: a line of over {MAX_LINE_BYTES} bytes")
                if line.strip():
                    yield number, line


class CrowdHumanReader:
    """Indexed CrowdHuman annotations; iterating parses them again, so that memory holds one image's at a time."""

    metadata = DatasetMetadata()
    has_annotations = True

    def __init__(self, stores: Sequence[Store], files: Sequence[AnnotationFile]) -> None:
        self._files = files
        self._images: dict[str, StoredImage] = {}
        index = _Index()
        for file in files:
            for number, line in file.lines():
                index.add_line(line, f"{file.where}:{number}")
        for store in stores:
            for path in _image_paths(store):
                self._match(path, store, index)
        index.without_image += [item for item in index.first_line if item not in self._images]
        self._first_line = {item: index.first_line[item] for item in self._images}
        self.problems = index.problems()

    def __len__(self) -> int:
        """Number of images with annotations."""
        return len(self._images)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Annotated images in the order of the annotation lines."""
        for file in self._files:
            for number, line in file.lines():
                where = f"{file.where}:{number}"
                try:
                    identifier, people = parse_line(line, where)
                except DatasetError:
                    continue  # among the problems
                if self._first_line.get(identifier) == where:
                    yield AnnotatedImage(source_name=identifier, image=self._images[identifier], people=people)

    def _match(self, path: PurePosixPath, store: Store, index: _Index) -> None:
        """Gives an image to the annotation that names it: by path, or by file name, each with suffix or without.

        An image that another store holds too is taken from the first: a zip may lie beside what was unpacked of it.
        """
        for identifier in (str(path), str(path.with_suffix("")), path.name, path.stem):
            if identifier in index.first_line:
                image = store.image(str(path))
                taken = self._images.setdefault(identifier, image)
                if taken != image and index.store_of[identifier] is store:
                    index.repeated_images.append(f"{image.where}, for which there is {taken.where}")
                index.store_of.setdefault(identifier, store)
                return
        index.without_annotation.append(store.where(str(path)))


@dataclass
class _Index:
    """What a first pass over the annotations finds."""

    first_line: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    without_annotation: list[str] = field(default_factory=list)
    repeated_images: list[str] = field(default_factory=list)
    store_of: dict[str, Store] = field(default_factory=dict)
    """Where the image of an annotation was found."""

    def add_line(self, line: bytes, where: str) -> None:
        try:
            identifier, _ = parse_line(line, where)
        except DatasetError as error:
            self.damaged.append(str(error))
            return
        if identifier in self.first_line:
            self.repeated.append(f"{where}: ID {identifier} again, first in {self.first_line[identifier]}")
        else:
            self.first_line[identifier] = where

    def problems(self) -> list[SourceProblem]:
        found = {
            "damaged annotation lines": self.damaged,
            "annotations of an image that is annotated already": self.repeated,
            "annotations without an image": self.without_image,
            "images without an annotation": self.without_annotation,
            "images of a name that another has": self.repeated_images,
        }
        return [SourceProblem(reason=reason, names=names) for reason, names in found.items() if names]


def parse_line(line: bytes | str, where: str) -> tuple[str, PersonAnnotations]:
    """ID and people of one annotation line.

    A row is to be ignored when its tag is `mask` or its `extra.ignore` is set. A visible or head box without extent
    counts as missing.

    Raises:
        DatasetError: the line is no annotation; the message starts with `where`.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(record, dict) or not isinstance(record.get("ID"), str) or not record["ID"]:
        raise DatasetError(f"{where}: an annotation is a JSON object with the image's name as a text in ID")
    boxes = record.get("gtboxes")
    if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
        raise DatasetError(f"{where}: gtboxes is {type(boxes).__name__}; it must be a list of JSON objects")
    tagged = np.array([box.get("tag", "person") == "person" for box in boxes], bool)
    ignore = ~tagged | np.array([_is_ignored(box, where) for box in boxes], bool)
    full_boxes = _box_array(boxes, "fbox", where)
    _refuse_without_extent(full_boxes[~ignore], where)
    return record["ID"], PersonAnnotations(
        full_boxes=full_boxes,
        visible_boxes=_with_extent(_box_array(boxes, "vbox", where)),
        head_boxes=_with_extent(_box_array(boxes, "hbox", where)),
        ignore=ignore,
        tagged_person=tagged,
    )


def _stores(paths: Sequence[Path]) -> list[Store]:
    """The places of the images: the paths themselves, and the zips in folders among them."""
    stores: list[Store] = []
    for path in paths:
        stores.append(open_store(path))
        if path.is_dir():
            inside = sorted(item for item in path.iterdir() if item.name.lower() != TEST_ARCHIVE)
            zips = [open_store(item) for item in inside if item.suffix.lower() == ".zip" and is_zip(item)]
            stores += [store for store in zips if not has_index(store)]  # one with an index was made of the images
    return stores


def _image_paths(store: Store) -> Iterator[PurePosixPath]:
    """Images of a store, without those of datasets that were written into it."""
    paths = [PurePosixPath(name) for name in store.names()]
    datasets = {path.parent for path in paths if path.name == INDEX_NAME}
    for path in paths:
        if is_image_name(path.name) and datasets.isdisjoint(path.parents):
            yield path


def _annotation_files(stores: Sequence[Store], annotations: Path | None) -> list[AnnotationFile]:
    if annotations is not None:
        return [AnnotationFile(FolderStore(annotations.parent), annotations.name)]
    return [AnnotationFile(store, name) for store in stores for name in store.names() if name.lower().endswith(SUFFIX)]


def _is_ignored(box: dict[str, Any], where: str) -> bool:
    extra = box.get("extra", {})
    if not isinstance(extra, dict):
        raise DatasetError(f"{where}: extra is {type(extra).__name__}; it must be a JSON object")
    return bool(extra.get("ignore", 0))


def _refuse_without_extent(full_boxes: Boxes, where: str) -> None:
    for column, side in ((2, "width"), (3, "height")):
        wrong = full_boxes[full_boxes[:, column] <= 0, column]
        if len(wrong):
            raise DatasetError(f"{where}: full_box {side} is {wrong[0]:g} px; it must be above 0")


def _with_extent(boxes_xywh: Boxes) -> Boxes:
    """The boxes, with NaN for those without width or height."""
    return np.where((boxes_xywh[:, 2:] > 0).all(axis=1, keepdims=True), boxes_xywh, np.nan)


def _box_array(boxes: list[dict[str, Any]], key: str, where: str) -> Boxes:
    """The boxes of one kind, `[num_boxes, 4]`; NaN where an annotation has none.

    Checked all at once, since most of the time of reading annotations would go into checking number by number.
    """
    rows = [NO_BOX if (row := box.get(key)) is None else row for box in boxes]
    array = _number_array(rows)
    if array is not None:
        missing = np.array([row is NO_BOX for row in rows], bool)
        if ((np.abs(array) <= MAX_COORDINATE_PX).all(axis=1) | missing).all():
            return array
    raise DatasetError(f"{where}: {_first_wrong(rows, key)}; it must be four numbers x, y, width, height in pixels")


def _number_array(rows: list[Any]) -> Boxes | None:
    """Rows of four ints or floats as an array `[num_rows, 4]`; None where they are anything else."""
    if not set(map(type, rows)) <= {list, tuple} or not set(map(len, rows)) <= {4}:
        return None
    if not set(map(type, itertools.chain.from_iterable(rows))) <= {int, float}:
        return None
    try:
        return np.array(rows, float).reshape(-1, 4)
    except OverflowError:  # an int beyond all floats
        return None


def _first_wrong(rows: list[Any], key: str) -> str:
    """The first row that is no box, for a message."""
    for row in rows:
        array = _number_array([row])
        if row is not NO_BOX and (array is None or not (np.abs(array) <= MAX_COORDINATE_PX).all()):
            return f"{key} is {json.dumps(row)[:60]}"
    raise AssertionError("called for rows of which one is no box")
