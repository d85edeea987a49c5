"""Sources of crowd-counting datasets that annotate each head by a point: ShanghaiTech and UCF-CC-50.

A head point becomes a head box of width and height 0; full and visible boxes are missing. The density is therefore
unknown to estimators that need boxes, and known to those that count people.

Points are x, y. Their origin is not documented, so it is inferred from the data. The 16,626 points of 60 ShanghaiTech
images range from 0.09 px to 0.17 px before the far edge, with 16 coordinates below 1: they are distances from the
corner of the image, as the literature uses them, and are not changed. The 11,619 points of 8 UCF-CC-50 images range
from 1.20 px to 0.33 px *beyond* the far edge: they are MATLAB coordinates, in which the centre of the first pixel is 1
and the corner is 0.5. For these 0.5 px is subtracted; otherwise heads at the far edge would be outside the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store, is_image_name, open_store
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import Points
from crowdgan_density.sources.matlab import read_variable

_NumberedFiles = dict[str, str]
"""Names of files by the number in them, as written."""


@dataclass(frozen=True)
class HeadPointFile:
    """An image and the MATLAB file with its head points, in a folder or ZIP archive."""

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


class HeadPointSource:
    """A dataset format with one MATLAB file of head points per image.

    An image and an annotation belong together if they have the same number and are in the same part of the dataset:
    if their folders are equal apart from those in `kind_folders`.
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

    variable: str
    """Name of the MATLAB variable with the points."""

    origin_px: float
    """Coordinate of the image's left and upper edge."""

    def extract_points(self, variable: Any) -> Any:
        """The points in the value of the MATLAB variable."""
        return variable

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
        reported = [SourceProblem(reason=reason, names=names) for reason, names in problems.items() if names]
        return HeadPointReader(source=self, files=files, problems=reported)

    def read_points(self, store: Store, name: str) -> Points:
        """Head points of one annotation file, `[num_heads, 2]` x, y in pixels from the image's upper left corner.

        Raises:
            DatasetError: the file cannot be read, is damaged or too large, or contains no points; the message names it.
        """
        where = store.where(name)
        with store.open(name) as file:
            variable = read_variable(file, where, self.variable)
        try:
            values = np.asarray(self.extract_points(variable))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{where}: {self.variable} has another structure than in {self.name} ({error})"
            ) from error
        if values.dtype.kind not in "iuf" or not (values.size == 0 or (values.ndim == 2 and values.shape[1] == 2)):
            raise DatasetError(
                f"{where}: {self.variable} is {values.dtype} {list(values.shape)}; it must be numbers [num_heads, 2]"
            )
        points: Points = values.reshape(-1, 2).astype(np.float64)
        if not np.isfinite(points).all():
            raise DatasetError(f"{where}: {self.variable} contains non-finite numbers")
        return points - self.origin_px

    def _damage(self, store: Store, annotation: str) -> str | None:
        """The error message for a damaged annotation file; None if it can be read."""
        try:
            self.read_points(store, annotation)
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
            elif match := self.annotation_pattern.fullmatch(file_name):
                kind, repeated = 1, index.annotations
            else:
                continue
            if parts.setdefault(part, ({}, {}))[kind].setdefault(match[1], name) != name:
                repeated.append(name)
        for images, points in (parts[part] for part in sorted(parts)):
            for number in sorted({*images, *points}, key=lambda number: (int(number), number)):
                if number not in points:
                    index.images.append(images[number])
                elif number not in images:
                    index.annotations.append(points[number])
                else:
                    index.pairs.append((images[number], points[number]))
        return index


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

    def __repr__(self) -> str:
        """For example `SourceReader(shanghaitech, 482 images)`."""
        return f"SourceReader({self.source.name}, {len(self)} images)"

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """The images with their heads.

        Raises:
            DatasetError: an annotation file can no longer be read; the message names it.
        """
        for file in self.files:
            points = self.source.read_points(file.store, file.annotation)
            people = PersonAnnotations(head_boxes=np.hstack([points, np.zeros_like(points)]))
            yield AnnotatedImage(source_name=file.source_name, image=file.store.image(file.image), people=people)


class ShanghaiTech(HeadPointSource):
    """ShanghaiTech: `images/IMG_n.jpg` with `ground-truth/GT_IMG_n.mat`.

    Source: Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016.
    """

    name = "shanghaitech"
    description = "ShanghaiTech parts A and B: the root, a part, a split, or a folder with images and ground-truth"
    layout = "images/IMG_n.jpg with ground-truth/GT_IMG_n.mat, in the folder or in a part such as part_A/train"
    kind_folders = frozenset(
        {"images", "image", "imgs", "img", "ground-truth", "ground_truth", "groundtruth", "ground truth", "gt"}
    )
    image_pattern = re.compile(r"IMG_(\d+)\.\w+", re.IGNORECASE)
    annotation_pattern = re.compile(r"GT_IMG_(\d+)\.mat", re.IGNORECASE)
    variable = "image_info"
    origin_px = 0.0

    def extract_points(self, variable: Any) -> Any:
        """The points: the first field (`location`) of a structure in a cell."""
        return variable[0, 0][0, 0][0]


class UcfCc50(HeadPointSource):
    """UCF-CC-50: `n.jpg` with `n_ann.mat` in the same folder.

    Source: Idrees et al., "Multi-Source Multi-Scale Counting in Extremely Dense Crowd Images", CVPR 2013.
    """

    name = "ucf-cc-50"
    description = "UCF-CC-50: a folder with n.jpg and n_ann.mat"
    layout = "n.jpg with n_ann.mat in the same folder"
    image_pattern = re.compile(r"(\d+)\.\w+", re.IGNORECASE)
    annotation_pattern = re.compile(r"(\d+)_ann\.mat", re.IGNORECASE)
    variable = "annPoints"
    origin_px = 0.5
