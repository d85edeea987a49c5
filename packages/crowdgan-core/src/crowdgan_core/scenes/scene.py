"""Annotated images of people: the boxes (`PersonAnnotations`), and the boxes with the image's size (`Scene`)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.utils.arrays import BoolArray, Boxes

SomePeople = TypeVar("SomePeople", bound="PersonAnnotations")

BOX_FIELDS = ("full_boxes", "visible_boxes", "head_boxes")
FLAG_FIELDS = ("ignore", "tagged_person")


def _no_boxes() -> Boxes:
    return np.empty((0, 4))


def _no_flags() -> BoolArray:
    return np.empty(0, bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonAnnotations:
    """The annotated rows of one image: persons, and regions to be ignored.

    All arrays have one row per annotation. An array that is left out is filled: boxes with NaN, `ignore` with False,
    `tagged_person` with `not ignore`.

    Raises:
        ValueError: an array has the wrong shape or another number of rows than the others.
    """

    full_boxes: Boxes = field(default_factory=_no_boxes)
    """Whole bodies, hidden parts and parts outside the image included (CrowdHuman `fbox`)."""

    visible_boxes: Boxes = field(default_factory=_no_boxes)
    """The parts of the bodies that can be seen (CrowdHuman `vbox`)."""

    head_boxes: Boxes = field(default_factory=_no_boxes)
    """Heads (CrowdHuman `hbox`); of size 0 where a source marks heads by points."""

    ignore: BoolArray = field(default_factory=_no_flags)
    """Rows that are no single person: crowds too small to tell apart, posters, reflections (`mask`, `extra.ignore`)."""

    tagged_person: BoolArray = field(default_factory=_no_flags)
    """Rows that the source tags as a person, to be ignored or not."""

    def __post_init__(self) -> None:
        arrays = {name: np.asarray(getattr(self, name), float) for name in BOX_FIELDS}
        for name, boxes in arrays.items():
            if boxes.ndim != 2 or boxes.shape[1] != 4:
                raise ValueError(f"{name} has shape {list(boxes.shape)}; it must be [num_persons, 4]")
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
        """Number of annotated rows, ignore regions included."""
        return len(self.ignore)

    def select(self: SomePeople, keep: npt.NDArray[Any]) -> SomePeople:
        """The rows that `keep` picks (a `[num_persons]` bool mask, or indices in the order wanted)."""
        return replace(self, **{name: getattr(self, name)[keep] for name in (*BOX_FIELDS, *FLAG_FIELDS)})

    @property
    def person_full_boxes(self) -> Boxes:
        """Full boxes of the persons alone, `[person_count, 4]`, without ignore regions."""
        return self.full_boxes[~self.ignore]

    @property
    def person_head_boxes(self) -> Boxes:
        """Head boxes of the persons alone, `[person_count, 4]`, without ignore regions."""
        return self.head_boxes[~self.ignore]

    @property
    def person_count(self) -> int:
        """Number of persons, ignore regions not counted."""
        return int(np.count_nonzero(~self.ignore))


@dataclass(frozen=True, kw_only=True, eq=False)
class Crop:
    """A part of a photograph. What belongs to the camera, such as perspective, is told from the whole."""

    full_scene: Scene
    """The whole photograph, with everybody in it."""

    left: float
    top: float
    size: tuple[float, float]
    """`(height, width)`; all in pixels of the whole."""

    scale_xy: tuple[float, float]
    """Pixels of the scene per pixel of the whole, horizontally and vertically."""

    padding_xy: tuple[float, float] = (0.0, 0.0)
    """Width of a left bar and height of a top bar beside the part, in pixels of the scene."""

    def project(self, points_px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where the scene shows points of the whole photograph, `[num_points, 2]` x, y in pixels of the scene."""
        return np.asarray((points_px - [self.left, self.top]) * np.array(self.scale_xy) + self.padding_xy, float)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene(PersonAnnotations):
    """One annotated image, or the part of it that a crop shows; boxes are in its upright pixels."""

    source_name: str
    """The image's name in its source, for messages and metadata."""

    size: tuple[int, int]
    """`(height, width)` in pixels."""

    focal_length_px: float | None = None
    """Focal length in pixels of this image; None where nothing tells it."""

    crop: Crop | None = None
    """Where this scene lies in the photograph that it was cropped from; None for a whole photograph."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.size) < 1:
            raise ValueError(f"size is {self.size}; height and width must be at least 1 px")

    @classmethod
    def from_annotations(
        cls, people: PersonAnnotations, *, source_name: str, size: tuple[int, int], focal_length_px: float | None = None
    ) -> Scene:
        """The scene of `people` in an image of `size` (height, width)."""
        rows = {item.name: getattr(people, item.name) for item in fields(PersonAnnotations)}
        return cls(source_name=source_name, size=size, focal_length_px=focal_length_px, **rows)
