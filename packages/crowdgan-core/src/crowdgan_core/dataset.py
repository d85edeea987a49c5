"""Training datasets on disk: what one holds, and the contract of a format that writes and reads it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import DatasetError

if TYPE_CHECKING:
    from crowdgan_core.sources import Picture

FORMAT_VERSION = 1
"""Version of the metadata record; readers refuse a later one."""

Label = int | tuple[float, ...]
"""A class index, or a vector for continuous conditioning."""

Pixels = npt.NDArray[np.uint8]
"""`[height, width, 3]` uint8 RGB."""


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What a dataset says of one of its pictures."""

    name: str
    """Name in the dataset, for example `00000/img00000000.png`."""

    source: str | None = None
    """Name of the picture that it was made from."""

    person_count: int | None = None
    """Persons in the region that was measured."""

    density: float | None = None
    """The value in the dataset's unit; None when the estimator cannot tell, or none was asked."""

    label: Label | None = None
    """The conditioning label; None in a dataset without labels."""

    @classmethod
    def from_json(cls, data: object, where: str) -> PictureRecord:
        """The record in JSON data.

        Raises:
            DatasetError: it is no such record; the message starts with `where`.
        """
        if not isinstance(data, dict) or data.keys() - {item.name for item in fields(cls)}:
            raise DatasetError(f"{where}: {data!r:.80} is no record of a picture")
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
    """How pictures were cropped and scaled, for example `center-crop 256x256`."""

    region: str | None = None
    """`crop` when densities were measured on the crop, `full` on the whole photograph."""

    tool_version: str | None = None
    """Version of crowdgan-core that wrote the dataset."""

    pictures: tuple[PictureRecord, ...] = ()
    """One record per picture, in the order of the dataset."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready data, with its format version first."""
        return {"format": FORMAT_VERSION, **asdict(self)}

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
        known = {item.name for item in fields(cls)}
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
            pictures=tuple(PictureRecord.from_json(record, where) for record in data["pictures"]),
        )
        made._check_labels(where)
        return made

    def _check_labels(self, where: str) -> None:
        """Checks that every picture has a label of the dataset's kind, and one of its classes."""
        kinds: dict[str | None, type] = {"class": int, "value": tuple, None: NoneType}
        kind = kinds[self.label_kind]
        for record in self.pictures:
            if not isinstance(record.label, kind):
                raise DatasetError(f"{where}: {record.name} has label {record.label}; label_kind is {self.label_kind}")
            if isinstance(record.label, int) and record.label >= len(self.classes):
                found = f"{record.name} has label {record.label}"
                raise DatasetError(f"{where}: {found}; there are {len(self.classes)} classes, from 0")

    def with_pictures(self, pictures: list[PictureRecord]) -> DatasetMetadata:
        """The same record with these pictures."""
        return replace(self, pictures=tuple(pictures))


def strict_json(text: bytes) -> Any:
    """The data in a JSON text; NaN and infinities, which are no JSON, are refused.

    Raises:
        ValueError, RecursionError: the text is no JSON.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


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


class DatasetWriter(Protocol):
    """A dataset that is being written beside its destination."""

    def add(self, encoded: bytes, size: tuple[int, int]) -> str:
        """Adds one picture as the format's `encode` made it, of `size` (height, width); returns its name.

        All pictures of a dataset have one size.
        """
        ...

    def finish(self, metadata: DatasetMetadata) -> None:
        """Writes labels and metadata: the last call."""
        ...


class DatasetReader(Protocol):
    """An open dataset that is being read."""

    @property
    def metadata(self) -> DatasetMetadata:
        """The metadata record."""
        ...

    def __len__(self) -> int:
        """Number of pictures."""
        ...

    def image(self, index: int) -> Pixels:
        """Pixels of one picture, `[height, width, 3]` uint8.

        Raises:
            DatasetError: the picture is damaged.
        """
        ...

    def picture(self, index: int) -> Picture:
        """One picture as other processes can open it.

        Raises:
            DatasetError: as `image`.
        """
        ...

    def close(self) -> None:
        """Closes the dataset's files."""
        ...


class DatasetFormat(Protocol):
    """A way to store a dataset. Picklable: workers encode with it."""

    @property
    def name(self) -> str:
        """For messages and `crowdgan plugins`."""
        ...

    @property
    def suffixes(self) -> str:
        """What its paths look like, for messages, for example `NAME.h5 or NAME.hdf5`."""
        ...

    def fits(self, path: Path) -> bool:
        """Whether a destination or a dataset with this path is of this format, judged by its name and kind."""
        ...

    def encode(self, pixels: Pixels) -> bytes:
        """The bytes that `DatasetWriter.add` stores for one picture; runs in worker processes."""
        ...

    def create(self, dest: Path, *, overwrite: bool) -> AbstractContextManager[DatasetWriter]:
        """A writer for a new dataset, which appears at `dest`, whole, when the context ends without an error.

        Raises:
            DatasetError: the destination exists and `overwrite` is False, or it cannot be written.
        """
        ...

    def open(self, path: Path) -> DatasetReader:
        """A reader for a dataset.

        Raises:
            DatasetError: the path holds no dataset of this format, or a damaged one.
        """
        ...
