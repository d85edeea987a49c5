"""Training datasets on disk: what one holds, and the contract of a format that writes and reads it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import NoneType
from typing import TYPE_CHECKING, Any

from crowdgan_core.errors import DatasetError

if TYPE_CHECKING:
    pass


FORMAT_VERSION = 1
"""Version of the metadata record; readers refuse a later one."""


Label = int | tuple[float, ...]
"""A class index, or a vector for continuous conditioning."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """What a dataset says of one of its images."""

    name: str
    """Name in the dataset, for example `00000/img00000000.png`."""

    source: str | None = None
    """Name of the image that it was made from."""

    person_count: int | None = None
    """Persons in the region that was measured."""

    density: float | None = None
    """The value in the dataset's unit; None when the estimator cannot tell, or none was asked."""

    label: Label | None = None
    """The conditioning label; None in a dataset without labels."""

    @classmethod
    def from_json(cls, data: object, where: str) -> ImageRecord:
        """The record in JSON data.

        Raises:
            DatasetError: it is no such record; the message starts with `where`.
        """
        if not isinstance(data, dict) or data.keys() - {item.name for item in fields(cls)}:
            raise DatasetError(f"{where}: {data!r:.80} is no record of an image")
        _check_kind(data, "name", (str,), where)
        _check_kind(data, "source", (str, NoneType), where)
        _check_kind(data, "person_count", (int, NoneType), where)
        _check_kind(data, "density", (int, float, NoneType), where)
        density = data.get("density")
        if density is not None and not _is_finite_number(density):
            raise DatasetError(f"{where}: density {density}; it must be a finite number or null")
        return cls(**{**data, "label": label_from_json(data.get("label"), where)})


@dataclass(frozen=True, kw_only=True)
class DatasetMetadata:
    """The one metadata record of a dataset, the same in every format."""

    estimator: str | None = None
    """Name of the density estimator; None for a dataset without densities."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option of the estimator, defaults and what it fitted included."""

    unit: str | None = None
    """Unit of the densities."""

    classes: tuple[str, ...] = ()
    """Names of the label classes in order; empty without labels or with continuous ones."""

    label_kind: str | None = None
    """`class`, `value`, or None without labels."""

    source: str | None = None
    """Kind and names of what was read, for example `crowdhuman: CrowdHuman_train01.zip`."""

    transform: str | None = None
    """How images were cropped and scaled, for example `center-crop 256x256`."""

    region: str | None = None
    """`crop` when densities were measured on the crop, `full` on the whole photograph."""

    tool_version: str | None = None
    """Version of crowdgan-core that wrote the dataset."""

    images: tuple[ImageRecord, ...] = ()
    """One record per image, in the order of the dataset."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready data, with its format version first."""
        data = asdict(self)
        data["pictures"] = data.pop("images")  # the name in files
        return {"format": FORMAT_VERSION, **data}

    @classmethod
    def from_json(cls, data: object, where: str) -> DatasetMetadata:
        """The record in JSON data.

        Raises:
            DatasetError: the data is no metadata record, or one of a later version; the message starts with `where`.
        """
        if not isinstance(data, dict):
            raise DatasetError(f"{where}: the metadata is {type(data).__name__}; it must be a JSON object")
        version = data.get("format")
        if version != FORMAT_VERSION:
            raise DatasetError(f"{where}: metadata of format {version!r}; this version reads format {FORMAT_VERSION}")
        known = {"pictures" if item.name == "images" else item.name for item in fields(cls)}
        if unknown := data.keys() - known - {"format"}:
            raise DatasetError(f"{where}: metadata has {min(unknown)!r}; it may have {', '.join(sorted(known))}")
        for name in ("estimator", "unit", "source", "transform", "region", "tool_version"):
            _check_kind(data, name, (str, NoneType), where)
        for name, kind in (("options", dict), ("classes", list), ("pictures", list)):
            _check_kind(data, name, (kind,), where)
        if data.get("label_kind") not in ("class", "value", None) or not all(
            isinstance(c, str) for c in data["classes"]
        ):
            raise DatasetError(f"{where}: label_kind must be class, value or null, and classes a list of names")
        made = cls(
            **{name: value for name, value in data.items() if name not in ("format", "classes", "pictures")},
            classes=tuple(data["classes"]),
            images=tuple(ImageRecord.from_json(record, where) for record in data["pictures"]),
        )
        made._check_labels(where)
        return made

    def _check_labels(self, where: str) -> None:
        """Checks that every image has a label of the dataset's kind, and one of its classes."""
        kinds: dict[str | None, type] = {"class": int, "value": tuple, None: NoneType}
        kind = kinds[self.label_kind]
        for record in self.images:
            if not isinstance(record.label, kind):
                raise DatasetError(f"{where}: {record.name} has label {record.label}; label_kind is {self.label_kind}")
            if isinstance(record.label, int) and record.label >= len(self.classes):
                found = f"{record.name} has label {record.label}"
                raise DatasetError(f"{where}: {found}; there are {len(self.classes)} classes, from 0")

    def with_images(self, images: list[ImageRecord]) -> DatasetMetadata:
        """The same record with these images."""
        return replace(self, images=tuple(images))


def label_from_json(label: object, where: str) -> Label | None:
    """A label as JSON holds it: an int, a list of numbers, or null.

    Raises:
        DatasetError: anything else, a boolean or a number that is not finite included.
    """
    if label is None or (isinstance(label, int) and not isinstance(label, bool) and label >= 0):
        return label
    if isinstance(label, list) and label and all(_is_finite_number(item) for item in label):
        return tuple(float(item) for item in label)
    raise DatasetError(f"{where}: label {label!r:.60}; it must be a class number from 0 or a list of numbers")


def _check_kind(data: Mapping[str, Any], name: str, kinds: tuple[type, ...], where: str) -> None:
    value = data.get(name)
    if not isinstance(value, kinds) or isinstance(value, bool):
        allowed = " or ".join("null" if kind is NoneType else kind.__name__ for kind in kinds)
        raise DatasetError(f"{where}: {name} is {value!r:.60}; it must be {allowed}")


def _is_finite_number(item: object) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool) and abs(item) <= sys.float_info.max
