"""CrowdHuman: `.odgt` annotations (one JSON object per line) with their images.

Supported layouts: a folder or ZIP archive with images and annotations; a folder with the downloaded ZIP archives and
annotation files; several ZIP archives and a separate annotation file. Boxes refer to the stored pixels.

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
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, reader_repr
from crowdgan_core.utils.arrays import Boxes

ANNOTATION_SUFFIX = ".odgt"
"""Suffix of annotation files."""

MAX_LINE_BYTES = 64 * 2**20
"""Maximum length of an annotation line in bytes, sufficient for a million people in one image."""

MAX_COORDINATE_PX = 1e6
"""Maximum magnitude of a coordinate in pixels; larger values indicate damage."""

TEST_ARCHIVE_NAME = "crowdhuman_test.zip"
"""Archive of the official test images, which have no annotations; it is ignored in a folder."""

MISSING_BOX = (math.nan,) * 4
"""Row of a missing box."""


class CrowdHumanSource:
    """Reads CrowdHuman, and other datasets in its annotation format."""

    name = "crowdhuman"
    is_fallback = False
    description = "CrowdHuman: images (folder or ZIP archives) with .odgt annotations"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether an annotation file is given, or the paths contain one."""
        try:
            return annotations is not None or bool(_annotation_files(_stores(paths), None))
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CrowdHumanReader:
        """Indexes images and annotations; damaged lines and unmatched items become problems."""
        stores = _stores(paths)
        files = _annotation_files(stores, annotations)
        if not files:
            missing = f"contains no {ANNOTATION_SUFFIX} annotations"
            raise DatasetError(f"{paths[0]}: {missing}; set the annotation file with --annotations FILE")
        return CrowdHumanReader(stores, files)


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file in a folder or ZIP archive."""

    store: Store
    name: str

    @property
    def where(self) -> str:
        """Location of the file for messages."""
        return self.store.where(self.name)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Line number, from 1, and bytes of each line that is not blank."""
        with self.store.open(self.name) as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DatasetError(f"{self.where}:{number}: the line is longer than {MAX_LINE_BYTES} bytes")
                if line.strip():
                    yield number, line


class CrowdHumanReader:
    """Reader of indexed images and annotations.

    Each iteration parses the annotation files again, so that only one image's annotations are in memory.
    """

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
                self._assign_image(path, store, index)
        index.annotations_without_image += [item for item in index.first_line if item not in self._images]
        self._first_line = {item: index.first_line[item] for item in self._images}
        self.problems = index.problems()

    def __len__(self) -> int:
        """Number of images with annotations."""
        return len(self._images)

    def __repr__(self) -> str:
        """For example `SourceReader(crowdhuman, 15000 images)`."""
        return reader_repr(CrowdHumanSource.name, self)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the annotated images in the order of the annotation lines."""
        for file in self._files:
            for number, line in file.lines():
                where = f"{file.where}:{number}"
                try:
                    image_id, people = parse_line(line, where)
                except DatasetError:
                    continue  # already listed in `problems`
                if self._first_line.get(image_id) == where:
                    yield AnnotatedImage(source_name=image_id, image=self._images[image_id], people=people)

    def _assign_image(self, path: PurePosixPath, store: Store, index: _Index) -> None:
        """Assigns an image to the annotation with its path or file name as ID, each with or without suffix.

        If several stores contain the image, the first is used: a ZIP archive may be next to its unpacked files.
        """
        for image_id in (str(path), str(path.with_suffix("")), path.name, path.stem):
            if image_id in index.first_line:
                image = store.image(str(path))
                assigned = self._images.setdefault(image_id, image)
                if assigned != image and index.image_store[image_id] is store:
                    index.repeated_images.append(f"{image.where}, not used because of {assigned.where}")
                index.image_store.setdefault(image_id, store)
                return
        index.images_without_annotation.append(store.where(str(path)))


@dataclass
class _Index:
    """Result of the first pass over annotations and images: locations of valid annotations, and problems."""

    first_line: dict[str, str] = field(default_factory=dict)
    """Location of the first annotation line of each image, by image ID."""

    image_store: dict[str, Store] = field(default_factory=dict)
    """Store of each assigned image, by image ID."""

    damaged_lines: list[str] = field(default_factory=list)
    repeated_annotations: list[str] = field(default_factory=list)
    annotations_without_image: list[str] = field(default_factory=list)
    images_without_annotation: list[str] = field(default_factory=list)
    repeated_images: list[str] = field(default_factory=list)

    def add_line(self, line: bytes, where: str) -> None:
        try:
            image_id, _ = parse_line(line, where)
        except DatasetError as error:
            self.damaged_lines.append(str(error))
            return
        if image_id in self.first_line:
            self.repeated_annotations.append(f"{where}: ID {image_id}, first used in {self.first_line[image_id]}")
        else:
            self.first_line[image_id] = where

    def problems(self) -> list[SourceProblem]:
        names_by_reason = {
            "damaged annotation lines": self.damaged_lines,
            "annotations with a repeated ID": self.repeated_annotations,
            "annotations without an image": self.annotations_without_image,
            "images without an annotation": self.images_without_annotation,
            "images with a repeated name": self.repeated_images,
        }
        return [SourceProblem(reason=reason, names=names) for reason, names in names_by_reason.items() if names]


def parse_line(line: bytes | str, where: str) -> tuple[str, PersonAnnotations]:
    """Image ID and annotations of one annotation line.

    Rows with tag `mask` or a non-zero `extra.ignore` are ignore regions. Visible and head boxes with a width or
    height of 0 are treated as missing.

    Raises:
        DatasetError: the line is not a valid annotation; the message starts with `where`.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(record, dict):
        raise DatasetError(f"{where}: the annotation is {type(record).__name__}; it must be a JSON object")
    if not isinstance(record.get("ID"), str) or not record["ID"]:
        raise DatasetError(f"{where}: ID is missing or invalid; it must be the name of the image")
    boxes = record.get("gtboxes")
    if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
        raise DatasetError(f"{where}: gtboxes is {type(boxes).__name__}; it must be a list of JSON objects")
    tagged = np.array([box.get("tag", "person") == "person" for box in boxes], bool)
    ignore = ~tagged | np.array([_is_ignored(box, where) for box in boxes], bool)
    full_boxes = _box_array(boxes, "fbox", where)
    _check_not_empty(full_boxes[~ignore], where)
    return record["ID"], PersonAnnotations(
        full_boxes=full_boxes,
        visible_boxes=_empty_to_nan(_box_array(boxes, "vbox", where)),
        head_boxes=_empty_to_nan(_box_array(boxes, "hbox", where)),
        ignore=ignore,
        tagged_person=tagged,
    )


def _stores(paths: Sequence[Path]) -> list[Store]:
    """The stores of the images: the paths, and ZIP archives directly inside folders."""
    stores: list[Store] = []
    for path in paths:
        stores.append(open_store(path))
        if path.is_dir():
            files = sorted(item for item in path.iterdir() if item.name.lower() != TEST_ARCHIVE_NAME)
            archives = [open_store(item) for item in files if item.suffix.lower() == ".zip" and is_zip(item)]
            stores += [store for store in archives if not has_index(store)]  # others are datasets made from the images
    return stores


def _image_paths(store: Store) -> Iterator[PurePosixPath]:
    """Paths of the images in a store, without those of training datasets in it."""
    paths = [PurePosixPath(name) for name in store.names()]
    datasets = {path.parent for path in paths if path.name == INDEX_NAME}
    for path in paths:
        if is_image_name(path.name) and datasets.isdisjoint(path.parents):
            yield path


def _annotation_files(stores: Sequence[Store], annotations: Path | None) -> list[AnnotationFile]:
    if annotations is not None:
        return [AnnotationFile(FolderStore(annotations.parent), annotations.name)]
    return [
        AnnotationFile(store, name)
        for store in stores
        for name in store.names()
        if name.lower().endswith(ANNOTATION_SUFFIX)
    ]


def _is_ignored(box: dict[str, Any], where: str) -> bool:
    extra = box.get("extra", {})
    if not isinstance(extra, dict):
        raise DatasetError(f"{where}: extra is {type(extra).__name__}; it must be a JSON object")
    return bool(extra.get("ignore", 0))


def _check_not_empty(full_boxes: Boxes, where: str) -> None:
    for column, side in ((2, "width"), (3, "height")):
        invalid = full_boxes[full_boxes[:, column] <= 0, column]
        if len(invalid):
            raise DatasetError(f"{where}: full_box {side} is {invalid[0]:g} px; it must be above 0")


def _empty_to_nan(boxes_xywh: Boxes) -> Boxes:
    """The boxes, with NaN for those with a width or height of 0 or less."""
    return np.where((boxes_xywh[:, 2:] > 0).all(axis=1, keepdims=True), boxes_xywh, np.nan)


def _box_array(boxes: list[dict[str, Any]], key: str, where: str) -> Boxes:
    """The boxes with one key, `[num_boxes, 4]`; NaN for missing boxes.

    All boxes are validated at once: a check of each number would take most of the reading time.
    """
    rows = [MISSING_BOX if (row := box.get(key)) is None else row for box in boxes]
    array = _number_array(rows)
    if array is not None:
        missing = np.array([row is MISSING_BOX for row in rows], bool)
        if ((np.abs(array) <= MAX_COORDINATE_PX).all(axis=1) | missing).all():
            return array
    limits = f"from -{MAX_COORDINATE_PX:.0f} to {MAX_COORDINATE_PX:.0f} px"
    invalid = _first_invalid_row(rows)
    raise DatasetError(f"{where}: {key} is {invalid}; it must be four numbers x, y, width, height {limits}")


def _number_array(rows: list[Any]) -> Boxes | None:
    """The rows as an array `[num_rows, 4]`; None unless each row consists of four ints or floats."""
    if not set(map(type, rows)) <= {list, tuple} or not set(map(len, rows)) <= {4}:
        return None
    if not set(map(type, itertools.chain.from_iterable(rows))) <= {int, float}:
        return None
    try:
        return np.array(rows, float).reshape(-1, 4)
    except OverflowError:  # an int larger than the largest float
        return None


def _first_invalid_row(rows: list[Any]) -> str:
    """The first invalid row as text, for an error message."""
    for row in rows:
        array = _number_array([row])
        if row is not MISSING_BOX and (array is None or not (np.abs(array) <= MAX_COORDINATE_PX).all()):
            return json.dumps(row)[:60]
    raise AssertionError("at least one row must be invalid")
