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
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import Points
from crowdgan_density.sources.matlab import read_variable


@dataclass(frozen=True)
class HeadPointFile:
    """An image and the MATLAB file with its head points."""

    source_name: str
    image: Path
    annotation: Path


class HeadPointSource:
    """A dataset format with one MATLAB file of head points per image."""

    name: str
    """Name in messages and metadata."""

    description: str
    """One line about the format."""

    is_fallback = False
    """Only its own datasets match."""

    layout: str
    """Required files, for messages."""

    splits: tuple[str, ...] = ()
    """Glob patterns of subfolders that may contain a part of the dataset, besides the folder itself."""

    folders: tuple[tuple[str, str], ...]
    """Folder of images and folder of annotations in each such folder, in all known spellings."""

    image_pattern: re.Pattern[str]
    """File name of an image; the group is its number."""

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
            return annotations is None and bool(paths) and all(bool(self._index(path)[0]) for path in paths)
        except OSError:
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
            try:
                pairs, images, others = self._index(path)
            except OSError as error:
                raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
            if not pairs:
                raise DatasetError(f"{path}: contains no {self.name} images; it must contain {self.layout}")
            root = path if len(paths) == 1 else None
            for image, annotation in pairs:
                if damage := self._damage(annotation):
                    damaged.append(damage)
                else:
                    files.append(HeadPointFile(_name(image, root), image, annotation))
            unmatched_images += [_name(image, root) for image in images]
            unmatched_annotations += [_name(annotation, root) for annotation in others]
        reported = [SourceProblem(reason=reason, names=names) for reason, names in problems.items() if names]
        return HeadPointReader(source=self, files=files, problems=reported)

    def read_points(self, path: Path) -> Points:
        """Head points of one annotation file, `[num_heads, 2]` x, y in pixels from the image's upper left corner.

        Raises:
            DatasetError: the file cannot be read, is damaged or too large, or contains no points; the message names it.
        """
        variable = read_variable(path, self.variable)
        try:
            values = np.asarray(self.extract_points(variable))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{path}: {self.variable} has another structure than in {self.name} ({error})"
            ) from error
        if values.dtype.kind not in "iuf" or not (values.size == 0 or (values.ndim == 2 and values.shape[1] == 2)):
            raise DatasetError(
                f"{path}: {self.variable} is {values.dtype} {list(values.shape)}; it must be numbers [num_heads, 2]"
            )
        points: Points = values.reshape(-1, 2).astype(np.float64)
        if not np.isfinite(points).all():
            raise DatasetError(f"{path}: {self.variable} contains non-finite numbers")
        return points - self.origin_px

    def _damage(self, annotation: Path) -> str | None:
        """The error message for a damaged annotation file; None if it can be read."""
        try:
            self.read_points(annotation)
        except DatasetError as error:
            return str(error)
        return None

    def _index(self, path: Path) -> tuple[list[tuple[Path, Path]], list[Path], list[Path]]:
        """Images with their annotations, unmatched images, and unmatched annotations, in the order of numbers."""
        pairs: list[tuple[Path, Path]] = []
        unmatched_images: list[Path] = []
        unmatched_annotations: list[Path] = []
        for split in [path, *sorted(folder for pattern in self.splits for folder in path.glob(pattern))]:
            for image_folder, annotation_folder in self.folders:
                if not ((split / image_folder).is_dir() and (split / annotation_folder).is_dir()):
                    continue
                images = _numbered_files(split / image_folder, self.image_pattern)
                annotations = _numbered_files(split / annotation_folder, self.annotation_pattern)
                pairs += [(images[number], annotations[number]) for number in images if number in annotations]
                unmatched_images += [images[number] for number in images if number not in annotations]
                unmatched_annotations += [annotations[number] for number in annotations if number not in images]
        return pairs, unmatched_images, unmatched_annotations


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
    folders = (("", ""),)
    image_pattern = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
    annotation_pattern = re.compile(r"(\d+)_ann\.mat", re.IGNORECASE)
    variable = "annPoints"
    origin_px = 0.5


def _name(path: Path, root: Path | None) -> str:
    return (path.relative_to(root) if root is not None else path).as_posix()


def _numbered_files(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """Files of a folder with matching names, by their number as written, in the order of numbers."""
    matches = [(match[1], path) for path in folder.iterdir() if (match := pattern.fullmatch(path.name))]
    return dict(sorted(matches, key=lambda item: (int(item[0]), item[0], item[1].name)))
