"""Annotations of people (`PersonAnnotations`), annotated images (`Scene`) and their crops (`Crop`)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.utils.arrays import BoolArray, Boxes, Points

AnnotationsT = TypeVar("AnnotationsT", bound="PersonAnnotations")

BOX_FIELDS = ("full_boxes", "visible_boxes", "head_boxes")
FLAG_FIELDS = ("ignore", "tagged_person")


def _no_boxes() -> Boxes:
    return np.empty((0, 4))


def _no_flags() -> BoolArray:
    return np.empty(0, bool)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PersonAnnotations:
    """The annotations of one image: people and ignore regions.

    All arrays have one row per annotation. Arrays that are not given are filled: boxes with NaN, `ignore` with False,
    `tagged_person` with `~ignore`.

    Raises:
        ValueError: an array has the wrong shape, or the numbers of rows differ.
    """

    full_boxes: Boxes = field(default_factory=_no_boxes)
    """Boxes of full bodies, including parts that are occluded or outside the image (CrowdHuman `fbox`)."""

    visible_boxes: Boxes = field(default_factory=_no_boxes)
    """Boxes of the visible parts of bodies (CrowdHuman `vbox`)."""

    head_boxes: Boxes = field(default_factory=_no_boxes)
    """Boxes of heads (CrowdHuman `hbox`); of size 0 if the source has head points."""

    ignore: BoolArray = field(default_factory=_no_flags)
    """Ignore regions: unresolved crowds, posters, reflections (CrowdHuman tag `mask`, or `extra.ignore`)."""

    tagged_person: BoolArray = field(default_factory=_no_flags)
    """Rows that the source tags as a person, including ignored ones."""

    def __post_init__(self) -> None:
        arrays = {name: np.asarray(getattr(self, name), float) for name in BOX_FIELDS}
        for name, boxes in arrays.items():
            if boxes.ndim != 2 or boxes.shape[1] != 4:
                raise ValueError(f"{name} has shape {list(boxes.shape)}; it must be [num_annotations, 4]")
        rows = max(len(boxes) for boxes in arrays.values())
        for name, boxes in arrays.items():
            object.__setattr__(self, name, boxes if len(boxes) else np.full((rows, 4), np.nan))
        ignore = np.asarray(self.ignore, bool)
        object.__setattr__(self, "ignore", ignore if len(ignore) else np.zeros(rows, bool))
        tagged = np.asarray(self.tagged_person, bool)
        object.__setattr__(self, "tagged_person", tagged if len(tagged) else ~self.ignore)
        for name in (*BOX_FIELDS, *FLAG_FIELDS):
            if len(getattr(self, name)) != rows:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows where other arrays have {rows}")

    def __len__(self) -> int:
        """Number of annotations, including ignore regions."""
        return len(self.ignore)

    def __repr__(self) -> str:
        """For example `PersonAnnotations(31 people, 2 ignore regions)`."""
        num_ignored = len(self) - self.person_count
        regions = f", {num_ignored} ignore {'region' if num_ignored == 1 else 'regions'}" if num_ignored else ""
        return f"PersonAnnotations({self._people_text()}{regions})"

    def _people_text(self) -> str:
        return "1 person" if self.person_count == 1 else f"{self.person_count} people"

    def select(self: AnnotationsT, keep: npt.NDArray[Any]) -> AnnotationsT:
        """The rows that `keep` selects: a `[num_annotations]` bool mask, or indices in the desired order."""
        return replace(self, **{name: getattr(self, name)[keep] for name in (*BOX_FIELDS, *FLAG_FIELDS)})

    @property
    def person_full_boxes(self) -> Boxes:
        """Full boxes of the people, `[person_count, 4]`, without ignore regions."""
        return self.full_boxes[~self.ignore]

    @property
    def person_head_boxes(self) -> Boxes:
        """Head boxes of the people, `[person_count, 4]`, without ignore regions."""
        return self.head_boxes[~self.ignore]

    @property
    def person_count(self) -> int:
        """Number of people, without ignore regions."""
        return int(np.count_nonzero(~self.ignore))


@dataclass(frozen=True, kw_only=True, eq=False)
class Crop:
    """Position of a scene in the full image. Camera properties, such as perspective, refer to the full image.

    The scene has the pixels of the full image: it is measured before the crop is resized to the output size.
    """

    full_scene: Scene
    """The scene of the full image, with all annotations."""

    left: float
    """Left edge of the crop in pixels of the full image."""

    top: float
    """Top edge of the crop in pixels of the full image."""

    size: tuple[float, float]
    """`(height, width)` of the crop in pixels of the full image."""

    def project(self, points_px: Points) -> Points:
        """Converts points of the full image to pixels of the scene, `[num_points, 2]`, x and y."""
        return np.asarray(points_px - [self.left, self.top], float)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Scene(PersonAnnotations):
    """One annotated image, or a crop of one; boxes are in pixels of the upright image."""

    source_name: str
    """The image's name in its source, for messages and metadata."""

    size: tuple[int, int]
    """`(height, width)` in pixels."""

    focal_length_px: float | None = None
    """Focal length in pixels of this image; None if it is unknown."""

    crop: Crop | None = None
    """Position of this scene in the full image; None if the scene is a full image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.size) < 1:
            raise ValueError(f"size is {self.size}; height and width must be at least 1 px")

    def __repr__(self) -> str:
        """For example `Scene('273271,c9db', 1280x720, 31 people)`."""
        return f"Scene({self.source_name!r}, {self.size[1]}x{self.size[0]}, {self._people_text()})"

    @classmethod
    def from_annotations(
        cls, people: PersonAnnotations, *, source_name: str, size: tuple[int, int], focal_length_px: float | None = None
    ) -> Scene:
        """The scene of `people` in an image of `size` `(height, width)`."""
        rows = {item.name: getattr(people, item.name) for item in fields(PersonAnnotations)}
        return cls(source_name=source_name, size=size, focal_length_px=focal_length_px, **rows)
