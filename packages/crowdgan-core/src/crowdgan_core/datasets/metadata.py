"""Metadata of a training dataset: one record per image, and one for the dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, Literal

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import DatasetError
from crowdgan_core.io import codec

FORMAT_VERSION = 1
"""Version of the metadata record; other versions are an error."""

Label = int | tuple[float, ...]
"""A class index, or a vector for continuous conditioning."""

LabelKind = Literal["class", "value"]
"""Whether a label is a class index, or continuous: the density itself, or a vector of numbers."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """Metadata of one image of a dataset.

    Raises:
        DatasetError: a negative class index, or an empty label vector.
    """

    name: str
    """Name in the dataset, for example `00000/img00000000.png`."""

    source: str | None = None
    """Name of the input image."""

    person_count: int | None = None
    """People in the region that was measured."""

    density: float | None = None
    """Density in the dataset's unit; None if it is unknown or was not estimated."""

    interval: tuple[float, float] | None = field(default=None, metadata=codec.omitted_default())
    """95 % interval of the density; None if the estimator computes none, and in older datasets."""

    peak: float | None = field(default=None, metadata=codec.omitted_default())
    """High percentile of people's local densities; None if the estimator computes none, and in older datasets."""

    label: Label | None = None
    """The conditioning label; None in a dataset without labels."""

    def __post_init__(self) -> None:
        if self.label == () or (isinstance(self.label, int) and self.label < 0):
            raise DatasetError(f"label is {self.label}; it must be a class index from 0 or a list of numbers")


@dataclass(frozen=True, kw_only=True)
class DatasetMetadata:
    """Metadata of a dataset, the same in every format."""

    estimator: str | None = None
    """Name of the density estimator; None for a dataset without densities."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option of the estimator, including defaults and fitted values."""

    unit: str | None = None
    """Unit of the densities."""

    classes: tuple[str, ...] = ()
    """Names of the label classes in order; empty without labels or with continuous ones."""

    class_bounds: ClassBounds | None = None
    """Exact boundaries between the classes; None if the estimator does not state them, or in older datasets."""

    label_kind: LabelKind | None = None
    """`class`, `value`, or None without labels."""

    source: str | None = None
    """Type and names of the source, for example `crowdhuman: CrowdHuman_train01.zip`."""

    transform: str | None = None
    """How images were cropped and resized, for example `center-crop 256x256`."""

    region: str | None = None
    """`crop` if densities were measured on the crop, `full` if on the full image."""

    tool_version: str | None = None
    """Version of crowdgan-core that wrote the dataset."""

    images: Sequence[ImageRecord] = field(default=(), metadata=codec.json_name("pictures"))
    """One record per image, in the order of the dataset; a tuple, or records that are read when they are used."""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, starting with the format version."""
        return {"format": FORMAT_VERSION, **codec.to_json(self)}

    @classmethod
    def from_json(cls, data: object, where: str) -> DatasetMetadata:
        """Metadata from JSON values.

        Raises:
            DatasetError: the data is not a metadata record, or of a later version; the message starts with `where`.
        """
        if not isinstance(data, dict):
            raise DatasetError(f"{where}: the metadata is {type(data).__name__}; it must be a JSON object")
        version = data.get("format")
        if version != FORMAT_VERSION:
            raise DatasetError(f"{where}: metadata of format {version!r}; this version reads format {FORMAT_VERSION}")
        values = {key: value for key, value in data.items() if key != "format"}
        metadata = codec.from_json(cls, values, where, DatasetError)
        metadata._check_labels(where)
        return metadata

    def with_images(self, images: Iterable[ImageRecord]) -> DatasetMetadata:
        """The same metadata with other images."""
        return replace(self, images=tuple(images))

    def _check_labels(self, where: str) -> None:
        """Checks that every image has a label of the dataset's kind, and of one of its classes."""
        if self.class_bounds is not None and len(self.class_bounds.values) != len(self.classes) - 1:
            count = len(self.class_bounds.values)
            raise DatasetError(f"{where}: class_bounds has {count} boundaries for {len(self.classes)} classes")
        for record in self.images:
            self.check_label(record, where)

    def check_label(self, record: ImageRecord, where: str) -> None:
        """Checks that the label of an image has the dataset's kind, and is one of its classes.

        Raises:
            DatasetError: it is another label; the message starts with `where`.
        """
        if not isinstance(record.label, _LABEL_TYPES[self.label_kind]):
            raise DatasetError(f"{where}: {record.name} has label {record.label}; label_kind is {self.label_kind}")
        if isinstance(record.label, int) and record.label >= len(self.classes):
            label = f"{record.name} has label {record.label}"
            raise DatasetError(f"{where}: {label}; the dataset has {len(self.classes)} classes, numbered from 0")


_LABEL_TYPES: dict[LabelKind | None, type] = {"class": int, "value": tuple, None: NoneType}
"""Types of the labels by kind."""
