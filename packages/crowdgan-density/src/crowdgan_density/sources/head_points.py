"""Scene sources of crowd-counting datasets, which mark each head by a point: ShanghaiTech and UCF-CC-50.

A head becomes a head box of width and height 0; full and visible boxes are unknown. Estimators that need boxes
therefore cannot tell, and those that count persons can.

Points are x, y. Where their origin lies is not documented, so it is taken from the data. The 16,626 points of 60
ShanghaiTech images reach from 0.09 px to 0.17 px before the far side, 16 coordinates of them below 1: they are
distances from the image's corner, as the literature uses them, and stay as they are. The 11,619 points of 8 UCF-CC-50
images reach from 1.20 px to 0.33 px *beyond* the far side: MATLAB's coordinates, in which the middle of the first
pixel is 1 and the corner 0.5. There 0.5 px is taken off, without which heads at the far side would be outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_density.sources.matlab import read_variable

Points = npt.NDArray[np.float64]
"""`[num_heads, 2]` x, y in pixels."""


@dataclass(frozen=True)
class HeadPointFile:
    """An image and the MATLAB file with its head points."""

    source_name: str
    image: Path
    annotation: Path


class HeadPointSource:
    """A kind of dataset whose images have one MATLAB file of head points each."""

    name: str
    """For messages and metadata."""

    description: str
    """What it reads, in one line."""

    is_fallback = False
    """It takes nothing but its own datasets."""

    layout: str
    """What a folder must hold, for messages."""

    splits: tuple[str, ...] = ()
    """Folders below a given one, as glob patterns, that may hold a part of the dataset, as that one itself may."""

    folders: tuple[tuple[str, str], ...]
    """In such a folder: the folder of images and the folder of annotations, in every known spelling."""

    image_pattern: re.Pattern[str]
    """File name of an image; the group is its number."""

    annotation_pattern: re.Pattern[str]
    """File name of an annotation; the group is the number of its image."""

    variable: str
    """Name of the MATLAB variable that holds the points."""

    origin_px: float
    """Coordinate of the image's left and upper border."""

    def points_of(self, variable: Any) -> Any:
        """The points in the MATLAB variable."""
        return variable

    def matches(self, paths: Sequence[Path], annotations: Path | None) -> bool:
        """Whether each path holds an image with head points where this dataset keeps them."""
        try:
            return annotations is None and bool(paths) and all(bool(self._index(path)[0]) for path in paths)
        except OSError:
            return False

    def open(self, paths: Sequence[Path], annotations: Path | None) -> HeadPointReader:
        """Indexes the images and tries their annotations, which takes about 0.1 ms each.

        Names are below the path, or start with it when there are several. Damaged annotations and missing partners
        become problems.

        Raises:
            ConfigError: an annotation file is given.
            DatasetError: a path cannot be read, or holds no image with head points.
        """
        if annotations is not None:
            raise ConfigError(f"--annotations {annotations}: {self.name} has one file per image and needs no other")
        files: list[HeadPointFile] = []
        problems: dict[str, list[str]] = {
            "damaged annotations": [],
            "images without annotations": [],
            "annotations without an image": [],
        }
        damaged, lonely_images, lonely_annotations = problems.values()
        for path in paths:
            try:
                pairs, images, others = self._index(path)
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
            if not pairs:
                raise DatasetError(f"{path}: {self.name} needs {self.layout}; there is none")
            root = path if len(paths) == 1 else None
            for image, annotation in pairs:
                if damage := self._damage(annotation):
                    damaged.append(damage)
                else:
                    files.append(HeadPointFile(_name(image, root), image, annotation))
            lonely_images += [_name(image, root) for image in images]
            lonely_annotations += [_name(annotation, root) for annotation in others]
        found = [SourceProblem(reason=reason, names=names) for reason, names in problems.items() if names]
        return HeadPointReader(source=self, files=files, problems=found)

    def read_points(self, path: Path) -> Points:
        """Head points of one annotation file, `[num_heads, 2]` x, y in pixels from the image's upper left corner.

        Raises:
            DatasetError: the file cannot be read, is damaged or too large, or holds no points; the message names it.
        """
        variable = read_variable(path, self.variable)
        try:
            found = np.asarray(self.points_of(variable))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{path}: {self.variable} is not laid out as in {self.name} ({error})") from error
        if found.dtype.kind not in "iuf" or not (found.size == 0 or (found.ndim == 2 and found.shape[1] == 2)):
            raise DatasetError(
                f"{path}: {self.variable} holds {found.dtype} {list(found.shape)}; it must be numbers [num_heads, 2]"
            )
        points: Points = found.reshape(-1, 2).astype(np.float64)
        if not np.isfinite(points).all():
            raise DatasetError(f"{path}: {self.variable} holds numbers that are not finite")
        return points - self.origin_px

    def _damage(self, annotation: Path) -> str | None:
        """What is wrong with an annotation file; None when it can be read."""
        try:
            self.read_points(annotation)
        except DatasetError as error:
            return str(error)
        return None

    def _index(self, path: Path) -> tuple[list[tuple[Path, Path]], list[Path], list[Path]]:
        """Images with their annotations, images without, and annotations without, in the order of numbers."""
        pairs: list[tuple[Path, Path]] = []
        lonely_images: list[Path] = []
        lonely_annotations: list[Path] = []
        for split in [path, *sorted(found for pattern in self.splits for found in path.glob(pattern))]:
            for image_folder, annotation_folder in self.folders:
                if not ((split / image_folder).is_dir() and (split / annotation_folder).is_dir()):
                    continue
                images = _numbered(split / image_folder, self.image_pattern)
                annotations = _numbered(split / annotation_folder, self.annotation_pattern)
                pairs += [(images[number], annotations[number]) for number in images if number in annotations]
                lonely_images += [images[number] for number in images if number not in annotations]
                lonely_annotations += [annotations[number] for number in annotations if number not in images]
        return pairs, lonely_images, lonely_annotations


@dataclass(kw_only=True)
class HeadPointReader:
    """An indexed head-point dataset."""

    source: HeadPointSource
    """Knows how to read an annotation file."""

    files: Sequence[HeadPointFile]
    """Those that can be read, in the order of paths, folders and numbers."""

    problems: Sequence[SourceProblem]
    """Damaged annotations, images without annotations, and annotations without an image."""

    has_annotations: bool = True
    """Heads say where people are."""

    metadata: DatasetMetadata = field(default_factory=DatasetMetadata)
    """Empty: these datasets have no labels."""

    def __len__(self) -> int:
        """Number of images with annotations that can be read."""
        return len(self.files)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """The images with their heads.

        Raises:
            DatasetError: an annotation file can no longer be read; the message names it.
        """
        for file in self.files:
            points = self.source.read_points(file.annotation)
            people = PersonAnnotations(head_boxes=np.hstack([points, np.zeros_like(points)]))
            yield AnnotatedImage(source_name=file.source_name, image=ImageFile(file.image), people=people)


class ShanghaiTech(HeadPointSource):
    """ShanghaiTech: `images/IMG_n.jpg` with `ground-truth/GT_IMG_n.mat`.

    Source: Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016.
    """

    name = "shanghaitech"
    description = "ShanghaiTech parts A and B: the root, a part, a split, or a folder with images and ground-truth"
    layout = "images/IMG_n.jpg with ground-truth/GT_IMG_n.mat, in the folder or in its part_*/ or *_data/"
    splits = ("test_data", "train_data", "part_*/test_data", "part_*/train_data")
    folders = (("images", "ground-truth"), ("images", "ground_truth"))
    image_pattern = re.compile(r"IMG_(\d+)\.jpe?g", re.IGNORECASE)
    annotation_pattern = re.compile(r"GT_IMG_(\d+)\.mat", re.IGNORECASE)
    variable = "image_info"
    origin_px = 0.0

    def points_of(self, variable: Any) -> Any:
        """The points: in a cell, in a structure, the first field (`location`)."""
        return variable[0, 0][0, 0][0]


class UcfCc50(HeadPointSource):
    """UCF-CC-50: `n.jpg` with `n_ann.mat` beside it.

    Source: Idrees et al., "Multi-Source Multi-Scale Counting in Extremely Dense Crowd Images", CVPR 2013.
    """

    name = "ucf-cc-50"
    description = "UCF-CC-50: a folder with n.jpg and n_ann.mat"
    layout = "n.jpg with n_ann.mat beside it"
    folders = (("", ""),)
    image_pattern = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
    annotation_pattern = re.compile(r"(\d+)_ann\.mat", re.IGNORECASE)
    variable = "annPoints"
    origin_px = 0.5


def _name(path: Path, root: Path | None) -> str:
    return (path.relative_to(root) if root is not None else path).as_posix()


def _numbered(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """Files of a folder whose names fit the pattern, under their number as written, in the order of numbers."""
    matches = [(match[1], path) for path in folder.iterdir() if (match := pattern.fullmatch(path.name))]
    return dict(sorted(matches, key=lambda item: (int(item[0]), item[0], item[1].name)))
