"""Sources of crowd-counting datasets that annotate each head by a point, with one annotation file per image.

A head point becomes a head box of width and height 0; full and visible boxes are missing. The density is therefore
unknown to estimators that need boxes, and known to those that count people.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import Boxes, FloatArray, Points

_NumberedFiles = dict[str, str]
"""Names of files by the number in them, as written."""


@dataclass(frozen=True)
class HeadPointFile:
    """An image and the file with its head points, in a folder or ZIP archive."""

    source_name: str
    store: Store
    image: str
    annotation: str


@dataclass
class HeadPointIndex:
    """Names of the images and annotations in a folder or ZIP archive, in the order of parts and numbers."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    """Images with their annotations."""
    images: list[str] = field(default_factory=list)
    """Images without an annotation."""
    annotations: list[str] = field(default_factory=list)
    """Annotations without an image."""
    test_images: list[str] = field(default_factory=list)
    """Images whose annotations are not published."""


class HeadPointSource(ABC):
    """A dataset format with one file of head points per image.

    An image and an annotation belong together if they have the same number and are in the same part of the dataset:
    if their folders are equal apart from those in `kind_folders`. Of two annotations of an image with different
    suffixes, the first is used.
    """

    name: str
    """Name in messages and metadata."""

    description: str
    """One line about the format."""

    is_fallback = False
    """Only its own datasets match."""

    layout: str
    """Required files, for messages."""

    kind_folders: frozenset[str] = frozenset()
    """Names of folders, in lower case, that contain either the images or the annotations of a part."""

    image_pattern: re.Pattern[str]
    """File name of an image, with any suffix; the group is its number."""

    annotation_pattern: re.Pattern[str]
    """File name of an annotation; the group is the number of its image."""

    annotation_folders: frozenset[str] = frozenset()
    """Names of the folders of annotations, in lower case; empty: any folder."""

    @abstractmethod
    def read_heads(self, store: Store, name: str) -> Boxes:
        """Head boxes of one annotation file, `[num_heads, 4]`; width and height are 0 if only points are annotated.

        Raises:
            DatasetError: the file cannot be read, is damaged or too large, or contains no heads; the message names it.
        """

    def test_numbers(self, store: Store) -> frozenset[str]:
        """Numbers of the images whose annotations are not published.

        Raises:
            DatasetError: their list cannot be read.
        """
        return frozenset()

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether each path contains an image with head points in this dataset's layout."""
        try:
            return annotations is None and bool(paths) and all(self._index(open_store(path)).pairs for path in paths)
        except (DatasetError, OSError):
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> HeadPointReader:
        """Indexes the images and checks their annotations, in about 0.1 ms each.

        Names are relative to the path, or start with it if there are several. Damaged annotations and unmatched
        images or annotations become problems.

        Raises:
            ConfigError: an annotation file is given.
            DatasetError: a path cannot be read, or contains no image with head points.
        """
        if annotations is not None:
            raise ConfigError(f"--annotations {annotations}: {self.name} has one file per image; remove the option")
        files: list[HeadPointFile] = []
        problems: dict[str, list[str]] = {
            "damaged annotations": [],
            "images without annotations": [],
            "annotations without an image": [],
        }
        damaged, unmatched_images, unmatched_annotations = problems.values()
        test_images: list[str] = []
        for path in paths:
            store = open_store(path)
            index = self._index(store)
            if not index.pairs:
                found = f"found {len(index.images)} such images and {len(index.annotations)} such annotations"
                raise DatasetError(f"{path}: contains no {self.name} images; it must contain {self.layout}; {found}")
            name = str if len(paths) == 1 else store.where
            for image, annotation in index.pairs:
                if damage := self._damage(store, annotation):
                    damaged.append(damage)
                else:
                    files.append(HeadPointFile(name(image), store, image, annotation))
            unmatched_images += map(name, index.images)
            unmatched_annotations += map(name, index.annotations)
            test_images += map(name, index.test_images)
        reported = [SourceProblem(reason=reason, names=names) for reason, names in problems.items() if names]
        if test_images:
            reason = "test images without published annotations"
            reported.append(SourceProblem(reason=reason, names=test_images, is_error=False))
        return HeadPointReader(source=self, files=files, problems=reported)

    def _damage(self, store: Store, annotation: str) -> str | None:
        """The error message for a damaged annotation file; None if it can be read."""
        try:
            self.read_heads(store, annotation)
        except DatasetError as error:
            return str(error)
        return None

    def _index(self, store: Store) -> HeadPointIndex:
        """Images and annotations of all parts of the dataset."""
        parts: dict[tuple[str, ...], tuple[_NumberedFiles, _NumberedFiles]] = {}
        index = HeadPointIndex()
        for name in store.names():
            *folders, file_name = canonical_name(name).split("/")
            part = tuple(folder for folder in folders if folder.lower() not in self.kind_folders)
            if is_image_name(file_name) and (match := self.image_pattern.fullmatch(file_name)):
                kind, repeated = 0, index.images
            elif self._is_annotation_folder(folders) and (match := self.annotation_pattern.fullmatch(file_name)):
                kind, repeated = 1, index.annotations
            else:
                continue
            first = parts.setdefault(part, ({}, {}))[kind].setdefault(match[1], name)
            is_other_format = kind == 1 and PurePosixPath(first).suffix != PurePosixPath(name).suffix
            if first != name and not is_other_format:
                repeated.append(name)
        test_numbers = self.test_numbers(store) if parts else frozenset()
        for images, points in (parts[part] for part in sorted(parts)):
            for number in sorted({*images, *points}, key=lambda number: (int(number), number)):
                if number not in points and number in test_numbers:
                    index.test_images.append(images[number])
                elif number not in points:
                    index.images.append(images[number])
                elif number not in images:
                    index.annotations.append(points[number])
                else:
                    index.pairs.append((images[number], points[number]))
        return index

    def _is_annotation_folder(self, folders: Sequence[str]) -> bool:
        return not self.annotation_folders or (bool(folders) and folders[-1].lower() in self.annotation_folders)


@dataclass(kw_only=True)
class HeadPointReader:
    """An indexed head-point dataset."""

    source: HeadPointSource
    """Format of the annotation files."""

    files: Sequence[HeadPointFile]
    """Readable images with annotations, in the order of paths, folders and numbers."""

    problems: Sequence[SourceProblem]
    """Damaged annotations, images without annotations, and annotations without an image."""

    has_annotations: bool = True
    """Heads are annotated."""

    metadata: DatasetMetadata = field(default_factory=DatasetMetadata)
    """Empty: these datasets have no labels."""

    def __len__(self) -> int:
        """Number of images with readable annotations."""
        return len(self.files)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """The images with their heads.

        Raises:
            DatasetError: an annotation file can no longer be read; the message names it.
        """
        for file in self.files:
            people = PersonAnnotations(head_boxes=self.source.read_heads(file.store, file.annotation))
            yield AnnotatedImage(source_name=file.source_name, image=file.store.image(file.image), people=people)


def number_array(values: Any, num_columns: int, where: str, name: str) -> FloatArray:
    """Finite numbers `[num_heads, num_columns]` of a variable of an annotation file; an empty one has no heads.

    Args:
        values: an array, or nested lists.
        num_columns: numbers per head.
        where: location of the file for messages.
        name: name of the variable for messages.

    Raises:
        DatasetError: the values are not numbers, not finite, or have another shape.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DatasetError(f"{where}: {name} has rows of different lengths ({error})") from error
    shape_is_valid = array.size == 0 or (array.ndim == 2 and array.shape[1] == num_columns)
    if array.dtype.kind not in "iuf" or not shape_is_valid:
        shape = f"[num_heads, {num_columns}]"
        raise DatasetError(f"{where}: {name} is {array.dtype} {list(array.shape)}; it must be numbers {shape}")
    numbers: FloatArray = array.reshape(-1, num_columns).astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DatasetError(f"{where}: {name} contains non-finite numbers")
    return numbers


def head_boxes_of_points(points: Points) -> Boxes:
    """Head boxes of width and height 0, `[num_heads, 4]`, at points x, y in pixels."""
    return np.hstack([points, np.zeros_like(points)])
