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
from crowdgan_core.datasets.zip_folder import find_dataset
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import check_complete, is_zip
from crowdgan_core.io.names import canonical_name, is_ignored
from crowdgan_core.io.storage import FolderStore, Store, open_store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem, reader_repr
from crowdgan_core.sources.listing import list_files
from crowdgan_core.utils.arrays import BoolArray, Boxes

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

BOX_KEYS = ("fbox", "vbox", "hbox")
"""Keys of the full, visible and head box of a row."""


class CrowdHumanSource:
    """Reads CrowdHuman, and other datasets in its annotation format."""

    name = "crowdhuman"
    is_fallback = False
    description = "CrowdHuman: images (folder or ZIP archives) with .odgt annotations"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether an annotation file is given, or the paths contain one."""
        try:
            return annotations is not None or bool(_annotation_files(_stores(paths, may_be_incomplete=True), None))
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> CrowdHumanReader:
        """Indexes images and annotations; damaged lines, invalid boxes and unmatched items become problems.

        Raises:
            DatasetError: there are no annotations, or a ZIP archive in a folder is incomplete.
        """
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
            listing = list_files(store)
            index.unsupported_images += [store.where(name) for name in listing.unsupported_images]
            for name in listing.images:
                self._assign_image(name, store, index)
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
                key = canonical_name(image_id)
                if self._first_line.get(key) == where:
                    yield AnnotatedImage(source_name=image_id, image=self._images[key], people=people)

    def _assign_image(self, name: str, store: Store, index: _Index) -> None:
        """Assigns an image to the annotation whose ID is the end of its path, with or without suffix.

        If several stores contain the image, the first is used: a ZIP archive may be next to its unpacked files.
        """
        for image_id in _image_ids(name):
            if image_id in index.first_line:
                image = store.image(name)
                assigned = self._images.setdefault(image_id, image)
                if assigned != image and index.image_store[image_id] is store:
                    index.repeated_images.append(f"{image.where}, not used because of {assigned.where}")
                index.image_store.setdefault(image_id, store)
                return
        index.images_without_annotation.append(store.where(name))


@dataclass
class _Index:
    """Result of the first pass over annotations and images: locations of valid annotations, and problems."""

    first_line: dict[str, str] = field(default_factory=dict)
    """Location of the first annotation line of each image, by canonical image ID."""

    image_store: dict[str, Store] = field(default_factory=dict)
    """Store of each assigned image, by canonical image ID."""

    damaged_lines: list[str] = field(default_factory=list)
    repeated_annotations: list[str] = field(default_factory=list)
    annotations_without_image: list[str] = field(default_factory=list)
    images_without_annotation: list[str] = field(default_factory=list)
    repeated_images: list[str] = field(default_factory=list)
    invalid_boxes: list[str] = field(default_factory=list)
    unsupported_images: list[str] = field(default_factory=list)

    def add_line(self, line: bytes, where: str) -> None:
        try:
            parsed = _parse(line, where)
        except DatasetError as error:
            self.damaged_lines.append(str(error))
            return
        self.invalid_boxes += [f"{where}: {box}" for box in parsed.invalid_boxes]
        image_id = canonical_name(parsed.image_id)
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
        counted = {
            "boxes without a valid position and size, whose people are counted without them": self.invalid_boxes,
            "image files in unsupported formats": self.unsupported_images,
        }
        errors = [SourceProblem(reason=reason, names=names) for reason, names in names_by_reason.items() if names]
        return errors + [
            SourceProblem(reason=reason, names=names, is_error=False) for reason, names in counted.items() if names
        ]


@dataclass(frozen=True)
class _ParsedLine:
    """The content of one annotation line."""

    image_id: str
    people: PersonAnnotations
    invalid_boxes: Sequence[str]
    """Boxes of people that are given but not valid, for example `gtboxes[3].fbox`."""


def parse_line(line: bytes | str, where: str) -> tuple[str, PersonAnnotations]:
    """Image ID and annotations of one annotation line.

    Rows with tag `mask` or a non-zero `extra.ignore` are ignore regions. A box is treated as missing if its width or
    height is 0 or less, or if a number is not finite or above `MAX_COORDINATE_PX`; its row is kept.

    Raises:
        DatasetError: the line is not a valid annotation; the message starts with `where`.
    """
    parsed = _parse(line, where)
    return parsed.image_id, parsed.people


def _parse(line: bytes | str, where: str) -> _ParsedLine:
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
    arrays, invalid = {}, np.zeros((len(boxes), len(BOX_KEYS)), bool)
    for column, key in enumerate(BOX_KEYS):
        array, is_given = _box_array(boxes, key, where)
        in_range = (np.abs(array) <= MAX_COORDINATE_PX).all(axis=1)
        has_area = (array[:, 2:] > 0).all(axis=1)
        is_valid = in_range & (has_area | (ignore & (key == "fbox")))  # a region may have size 0
        arrays[key] = np.where(is_valid[:, None], array, np.nan)
        invalid[:, column] = is_given & ~is_valid & ~ignore
    people = PersonAnnotations(
        full_boxes=arrays["fbox"],
        visible_boxes=arrays["vbox"],
        head_boxes=arrays["hbox"],
        ignore=ignore,
        tagged_person=tagged,
    )
    return _ParsedLine(record["ID"], people, [f"gtboxes[{row}].{BOX_KEYS[key]}" for row, key in np.argwhere(invalid)])


def _image_ids(name: str) -> Iterator[str]:
    """Canonical image IDs for a path: it and its ends, from the longest to the file name, with and without suffix."""
    parts = canonical_name(name).split("/")
    for start in range(len(parts)):
        path = PurePosixPath(*parts[start:])
        yield str(path)
        yield str(path.with_suffix(""))


def _stores(paths: Sequence[Path], *, may_be_incomplete: bool = False) -> list[Store]:
    """The stores of the images: the paths, and ZIP archives in folders, at the top or next to annotations.

    Raises:
        DatasetError: an archive is incomplete, and `may_be_incomplete` is False.
    """
    stores: list[Store] = []
    for path in paths:
        store = open_store(path)
        stores.append(store)
        if path.is_dir():
            for item in _files_with_annotations(path, store.names()):
                if not may_be_incomplete:
                    check_complete(item)
                if item.suffix.lower() == ".zip" and is_zip(item):
                    archive = open_store(item)
                    if find_dataset(archive) is None:  # others are datasets made from the images
                        stores.append(archive)
    return stores


def _files_with_annotations(path: Path, names: Sequence[str]) -> Iterator[Path]:
    """Files at the top of a folder, and in its subfolders with annotations, without that of the test images."""
    folders = {path, *((path / name).parent for name in names if name.lower().endswith(ANNOTATION_SUFFIX))}
    for folder in sorted(folders):
        for item in sorted(folder.iterdir()):
            if item.name.lower() != TEST_ARCHIVE_NAME and not is_ignored(item.name):
                yield item


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
    extra = box.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise DatasetError(f"{where}: extra is {type(extra).__name__}; it must be a JSON object")
    return bool((extra or {}).get("ignore", 0))


def _box_array(boxes: list[dict[str, Any]], key: str, where: str) -> tuple[Boxes, BoolArray]:
    """The boxes with one key, `[num_boxes, 4]`, NaN for missing boxes, and whether each is given, `[num_boxes]`.

    All boxes are converted at once: a check of each number would take most of the reading time.
    """
    rows = [MISSING_BOX if (row := box.get(key)) is None else row for box in boxes]
    array = _number_array(rows)
    if array is None:
        invalid = next(json.dumps(row)[:60] for row in rows if _number_array([row]) is None)
        raise DatasetError(f"{where}: {key} is {invalid}; it must be four numbers x, y, width, height")
    return array, np.array([row is not MISSING_BOX for row in rows], bool)


def _number_array(rows: list[Any]) -> Boxes | None:
    """The rows as an array `[num_rows, 4]`; None unless each row consists of four ints or floats."""
    if not set(map(type, rows)) <= {list, tuple} or not set(map(len, rows)) <= {4}:
        return None
    if not set(map(type, itertools.chain.from_iterable(rows))) <= {int, float}:
        return None
    try:
        return np.array(rows, float).reshape(-1, 4)
    except OverflowError:  # an int larger than the largest float
        numbers = [number if abs(number) <= MAX_COORDINATE_PX else math.nan for row in rows for number in row]
        return np.array(numbers, float).reshape(-1, 4)
