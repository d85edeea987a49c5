"""Annotations of many images in one file, with rows in any order, and their reader.

All rows are in memory, at about 120 bytes per person.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import DatasetError
from crowdgan_core.io.names import canonical_name
from crowdgan_core.io.storage import Store
from crowdgan_core.io.stored_images import StoredImage
from crowdgan_core.scenes.scene import BOX_FIELDS, PersonAnnotations
from crowdgan_core.sources.annotation_files.box_checks import INVALID_BOXES, MISSING_BOX, valid_boxes
from crowdgan_core.sources.annotation_files.image_matching import list_problems, match_images
from crowdgan_core.sources.annotation_files.row_kinds import RowKind, kind_of_class
from crowdgan_core.sources.base import AnnotatedImage, SourceProblem
from crowdgan_core.utils.arrays import BoolArray, Boxes, IndexArray

MIN_ROWS_FOR_UNIT = 5
"""Minimum number of rows at which coordinates of at most 1 are fractions of the image size; ours."""

UNUSED_CLASSES = "classes that are not people, not used"
"""Reason of the problem that lists the classes of rows that are not used."""

MOSTLY_UNUSED_CLASSES = f"{UNUSED_CLASSES}, though half or more of the rows (is a class of people among them?)"
"""The reason, if half or more of all rows are not used: the name of the class of people may not be accepted."""

Box = Sequence[float]
"""x, y, width, height in pixels."""


class CollectedAnnotations:
    """Annotations of one file, collected row by row.

    An image with a damaged row is not used: without the row, its density would be too low.

    Args:
        locate: the location of the row with a number, such as its line, for messages.
    """

    def __init__(self, locate: Callable[[int], str]) -> None:
        self._locate = locate
        self.names: list[str] = []
        """Names of the images, in the order in which they were added, as written."""
        self.first_row: dict[str, str] = {}
        """Location of the first row of each image, by canonical name."""
        self.damaged_rows: list[str] = []
        """Messages of rows that cannot be read."""
        self.dropped_rows: Counter[str] = Counter()
        """Number of rows of other classes, by class."""
        self._damaged_images: set[str] = set()
        self._index: dict[str, int] = {}
        self._index_of_name: dict[str, int] = {}
        self._image_of_row = array("q")
        self._numbers = array("q")
        self._kinds = bytearray()
        self._boxes = {name: array("d") for name in BOX_FIELDS}
        self._given = {name: bytearray() for name in BOX_FIELDS}
        self._arrays: tuple[PersonAnnotations, IndexArray, IndexArray] | None = None
        self.invalid_boxes: list[str] = []
        """Locations of boxes that are given but not valid; complete after `finish`."""

    def add_image(self, name: str, number: int) -> None:
        """Adds an image, which may have no rows; `number` locates the row with its name."""
        if name in self._index_of_name:  # most rows; the canonical name takes longer
            return
        key = canonical_name(name)
        if key not in self._index:
            self._index[key] = len(self.names)
            self.names.append(name)
            self.first_row[key] = self._locate(number)
        self._index_of_name[name] = self._index[key]

    def add_row(
        self,
        name: str,
        number: int,
        kind: RowKind,
        *,
        full: Box | None = None,
        visible: Box | None = None,
        head: Box | None = None,
    ) -> None:
        """Adds an annotation of the image `name`; None for a box that is not given."""
        self.add_image(name, number)
        self._image_of_row.append(self._index_of_name[name])
        self._numbers.append(number)
        self._kinds.append(kind)
        for field, box in zip(BOX_FIELDS, (full, visible, head), strict=True):
            self._boxes[field].extend(MISSING_BOX if box is None else box)
            self._given[field].append(box is not None)

    def add_damage(self, number: int, message: str, *names: str | None) -> None:
        """Adds a row that cannot be read, of the images `names`; None for an image that is not known."""
        self.damaged_rows.append(f"{self._locate(number)}: {message}")
        for name in filter(None, names):
            self.add_image(name, number)
            self._damaged_images.add(canonical_name(name))

    def is_usable(self, key: str) -> bool:
        """Whether an image, by its canonical name, has no damaged row."""
        return key not in self._damaged_images

    def finish(self) -> None:
        """Checks the boxes and sorts the rows by image, after the last row.

        Raises:
            DatasetError: all coordinates are fractions of the image size, in place of pixels.
        """
        self._require_pixels()
        kinds = np.frombuffer(bytes(self._kinds), np.uint8)
        ignore = kinds != RowKind.PERSON
        people = PersonAnnotations(
            full_boxes=self._checked("full_boxes", ignore),
            visible_boxes=self._checked("visible_boxes", ignore),
            head_boxes=self._checked("head_boxes", ignore),
            ignore=ignore,
            tagged_person=kinds != RowKind.IGNORE_REGION,
        )
        image_of_row = np.array(self._image_of_row, np.intp)
        order = np.argsort(image_of_row, kind="stable")
        starts = np.searchsorted(image_of_row[order], np.arange(len(self.names) + 1))
        self._arrays = people.select(order), starts[:-1], starts[1:]
        self._boxes.clear()

    @property
    def num_rows(self) -> int:
        """Number of people and ignore regions, without rows of other classes."""
        return len(self._numbers)

    def people(self, name: str) -> PersonAnnotations:
        """Annotations of one image, in the order of the rows; after `finish`."""
        assert self._arrays is not None
        people, starts, ends = self._arrays
        index = self._index_of_name[name]
        return people.select(np.arange(starts[index], ends[index]))

    def _require_pixels(self) -> None:
        coordinates = np.concatenate([np.array(boxes, float) for boxes in self._boxes.values()])
        given = coordinates[~np.isnan(coordinates)]
        if len(self._numbers) >= MIN_ROWS_FOR_UNIT and len(given) and np.abs(given).max() <= 1:
            where = self._locate(self._numbers[0])
            required = "they must be pixels, not fractions of the image size"
            raise DatasetError(f"{where}: all coordinates in the file are from -1 to 1; {required}")

    def _checked(self, field: str, ignore: BoolArray) -> Boxes:
        """The boxes `[num_rows, 4]`, NaN if missing or not valid; adds given boxes of people that are not valid.

        Head points have size 0, and ignore regions may have any.
        """
        boxes = np.array(self._boxes[field], float).reshape(-1, 4)
        given = np.frombuffer(bytes(self._given[field]), bool)
        is_point = np.all(boxes[:, 2:] == 0, axis=1)
        may_be_empty = {"full_boxes": ignore, "visible_boxes": False, "head_boxes": is_point}[field]
        valid = valid_boxes(boxes, may_be_empty)
        rows = np.flatnonzero(given & ~valid & ~ignore)
        self.invalid_boxes += [f"{self._locate(self._numbers[row])}: {field.removesuffix('es')}" for row in rows]
        return np.where(valid[:, None], boxes, np.nan)


class CollectedReader:
    """Reader of collected annotations and their images, in the order of the files and of the images in them.

    If several files contain an image, the first is used.

    Args:
        files: finished annotations.
        images: images by canonical name; annotations of other images are not used.
        errors: further problems that are errors.
        counted: further problems that are only counted.
    """

    metadata = DatasetMetadata()
    has_annotations = True

    def __init__(
        self,
        files: Sequence[CollectedAnnotations],
        images: Mapping[str, StoredImage],
        errors: Sequence[SourceProblem] = (),
        counted: Sequence[SourceProblem] = (),
    ) -> None:
        self._items: list[tuple[CollectedAnnotations, str, StoredImage]] = []
        first_row: dict[str, str] = {}
        repeated: list[str] = []
        for file in files:
            for name in file.names:
                key = canonical_name(name)
                if key in first_row:
                    repeated.append(f"{file.first_row[key]}: image {name}, first used in {first_row[key]}")
                    continue
                first_row[key] = file.first_row[key]
                if key in images and file.is_usable(key):
                    self._items.append((file, name, images[key]))
        damaged = [row for file in files for row in file.damaged_rows]
        dropped = sum((file.dropped_rows for file in files), Counter[str]())
        num_used = sum(file.num_rows for file in files)
        self.problems = [
            *list_problems(
                {
                    "damaged annotations, whose images are not used": damaged,
                    "images with annotations in several files": repeated,
                }
            ),
            *errors,
            *list_problems(
                {
                    INVALID_BOXES: [box for file in files for box in file.invalid_boxes],
                    _unused_reason(dropped, num_used): [f"{name}: {count}" for name, count in dropped.most_common()],
                },
                is_error=False,
            ),
            *counted,
        ]

    def __len__(self) -> int:
        """Number of images with annotations."""
        return len(self._items)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterates over the annotated images."""
        for file, name, image in self._items:
            yield AnnotatedImage(source_name=name, image=image, people=file.people(name))


def _unused_reason(unused: Counter[str], num_used: int) -> str:
    """The reason of the problem that lists unused classes; heads beside people are expected.

    Args:
        unused: number of unused rows by class.
        num_used: number of other rows.
    """
    unexpected = sum(count for name, count in unused.items() if kind_of_class(name, are_heads=True) is None)
    return MOSTLY_UNUSED_CLASSES if unexpected and unexpected >= num_used else UNUSED_CLASSES


def match_collected(files: Sequence[CollectedAnnotations], stores: Sequence[Store]) -> CollectedReader:
    """The reader of finished annotations with their images in the stores, found by name."""
    first_row = {key: row for file in reversed(files) for key, row in file.first_row.items()}
    matches = match_images(first_row, stores)
    matches.ids_without_image = [f"{first_row[key]}: image {key}" for key in matches.ids_without_image]
    return CollectedReader(files, matches.images, matches.errors(), matches.counted())
