"""What is in a dataset: sizes, classes and their balance, images near a class border, a contact sheet."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader

AMBIGUOUS_FRACTION = 0.05
"""An image is doubtful when its density is nearer to a border than this share of the interquartile range of all."""


@dataclass(frozen=True, kw_only=True)
class ClassBoundary:
    """The border between two neighbouring classes, as the densities in the dataset show it."""

    below: str
    above: str
    value: float
    """Middle between the highest density below and the lowest above."""


@dataclass(frozen=True, kw_only=True)
class DatasetReport:
    """What `crowdgan inspect` says of a dataset."""

    size: tuple[int, int] | None
    """`(height, width)` of the images; None in an empty dataset."""
    image_count: int
    class_counts: dict[str, int]
    density_range: tuple[float, float, float] | None
    """Lowest, median and highest density."""
    person_range: tuple[int, float, int] | None
    """Lowest, median and highest number of persons."""
    unknown_count: int
    """Images without a density, in a dataset with densities."""
    borders: tuple[ClassBoundary, ...]
    doubtful: tuple[ImageRecord, ...]
    """Images near a class border, the nearest first."""


def inspect_dataset(reader: DatasetReader) -> DatasetReport:
    """The report on an open dataset; reads one image."""
    metadata = reader.metadata
    densities = [record.density for record in metadata.images if record.density is not None]
    persons = [record.person_count for record in metadata.images if record.person_count is not None]
    borders = class_boundaries(metadata)
    has_densities = metadata.estimator is not None
    return DatasetReport(
        size=reader.image(0).shape[:2] if len(reader) else None,
        image_count=len(reader),
        class_counts=class_counts(metadata),
        density_range=(min(densities), statistics.median(densities), max(densities)) if densities else None,
        person_range=(min(persons), statistics.median(persons), max(persons)) if persons else None,
        unknown_count=len(reader) - len(densities) if has_densities else 0,
        borders=borders,
        doubtful=ambiguous_images(metadata, borders),
    )


def class_counts(metadata: DatasetMetadata) -> dict[str, int]:
    """Images per class, classes without images included."""
    counts = dict.fromkeys(metadata.classes, 0)
    for record in metadata.images:
        if isinstance(record.label, int):
            name = class_name(metadata, record.label)
            counts[name] = counts.get(name, 0) + 1
    return counts


def class_name(metadata: DatasetMetadata, label: int) -> str:
    """Name of a class; its number where it has none."""
    return metadata.classes[label] if label < len(metadata.classes) else str(label)


def class_boundaries(metadata: DatasetMetadata) -> tuple[ClassBoundary, ...]:
    """Borders between neighbouring classes that do not overlap in density."""
    by_class: dict[int, list[float]] = {}
    for record in metadata.images:
        if isinstance(record.label, int) and record.density is not None:
            by_class.setdefault(record.label, []).append(record.density)
    present = sorted(by_class)
    borders = []
    for low, high in itertools.pairwise(present):
        highest, lowest = max(by_class[low]), min(by_class[high])
        if highest <= lowest:
            middle = (highest + lowest) / 2
            borders.append(
                ClassBoundary(below=class_name(metadata, low), above=class_name(metadata, high), value=middle)
            )
    return tuple(borders)


def ambiguous_images(metadata: DatasetMetadata, borders: Sequence[ClassBoundary]) -> tuple[ImageRecord, ...]:
    """Images whose class a small error of the density would change, the nearest to a border first."""
    known = [record for record in metadata.images if record.density is not None]
    if not borders or len(known) < 2:
        return ()
    values = np.array([record.density for record in known], float)
    distances = np.abs(values[:, None] - [border.value for border in borders]).min(axis=1)
    low, high = np.quantile(values, [0.25, 0.75])
    near = np.flatnonzero(distances <= AMBIGUOUS_FRACTION * (high - low))
    return tuple(known[index] for index in near[np.argsort(distances[near], kind="stable")])
