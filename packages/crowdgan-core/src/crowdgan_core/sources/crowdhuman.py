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
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.zip_folder import find_dataset
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.archive import check_complete, is_zip
from crowdgan_core.io.names import canonical_name, is_ignored
from crowdgan_core.io.storage import Store, open_store
from crowdgan_core.io.text_files import TextFile
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.annotation_files.box_checks import (
    INVALID_BOXES,
    MAX_COORDINATE_PX,
    MISSING_BOX,
    valid_boxes,
)
from crowdgan_core.sources.annotation_files.image_matching import list_problems, match_images
from crowdgan_core.sources.annotation_files.table_detection import CROWDHUMAN_SUFFIX, TABLE_SUFFIXES, is_crowdhuman
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import BoolArray, Boxes

TEST_ARCHIVE_NAME = "crowdhuman_test.zip"
"""Archive of the official test images, which have no annotations; it is ignored in a folder."""

BOX_KEYS = ("fbox", "vbox", "hbox")
"""Keys of the full, visible and head box of a row."""


class CrowdHumanSource:
    """Reads CrowdHuman, and other datasets in its annotation format."""

    name = "crowdhuman"
    is_fallback = False
    description = "CrowdHuman: images (folder or ZIP archives) with .odgt annotations"

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether the annotation file, or one in the paths, has CrowdHuman annotations.

        A file that is given with the suffix `.odgt` is opened in any case, so that errors give its lines.
        """
        if annotations is not None and annotations.suffix.lower() in (CROWDHUMAN_SUFFIX, *TABLE_SUFFIXES):
            return annotations.suffix.lower() == CROWDHUMAN_SUFFIX
        try:
            return any(map(is_crowdhuman, _annotation_files(_stores(paths, may_be_incomplete=True), annotations)))
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
            missing = f"contains no {CROWDHUMAN_SUFFIX} annotations"
            raise DatasetError(f"{paths[0]}: {missing}; set the annotation file with --annotations FILE")
        return CrowdHumanReader(stores, files)


class CrowdHumanReader:
    """Reader of indexed images and annotations.

    Each iteration parses the annotation files again, so that only one image's annotations are in memory.
    """

    metadata = DatasetMetadata()
    has_annotations = True

    def __init__(self, stores: Sequence[Store], files: Sequence[TextFile]) -> None:
        self._files = files
        index = _Index()
        for file in files:
            for number, line in file.lines():
                index.add_line(line, f"{file.where}:{number}")
        matches = match_images(index.first_line, stores)
        self._images = matches.images
        self._first_line = {item: index.first_line[item] for item in self._images}
        self.problems = [*index.errors(), *matches.errors(), *index.counted(), *matches.counted()]

    def __len__(self) -> int:
        """Number of images with annotations."""
        return len(self._images)

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


@dataclass
class _Index:
    """Result of the first pass over the annotations: locations of valid ones, and problems."""

    first_line: dict[str, str] = field(default_factory=dict)
    """Location of the first annotation line of each image, by canonical image ID."""

    damaged_lines: list[str] = field(default_factory=list)
    repeated_annotations: list[str] = field(default_factory=list)
    invalid_boxes: list[str] = field(default_factory=list)

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

    def errors(self) -> list[SourceProblem]:
        return list_problems(
            {
                "damaged annotation lines": self.damaged_lines,
                "annotations with a repeated ID": self.repeated_annotations,
            }
        )

    def counted(self) -> list[SourceProblem]:
        return list_problems({INVALID_BOXES: self.invalid_boxes}, is_error=False)


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
        is_valid = valid_boxes(array, may_be_empty=ignore & (key == "fbox"))
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
    folders = {path, *((path / name).parent for name in names if name.lower().endswith(CROWDHUMAN_SUFFIX))}
    for folder in sorted(folders):
        for item in sorted(folder.iterdir()):
            if item.name.lower() != TEST_ARCHIVE_NAME and not is_ignored(item.name):
                yield item


def _annotation_files(stores: Sequence[Store], annotations: Path | None) -> list[TextFile]:
    if annotations is not None:
        return [TextFile.at(annotations)]
    return [
        TextFile(store, name) for store in stores for name in store.names() if name.lower().endswith(CROWDHUMAN_SUFFIX)
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
