"""Statistics of a dataset: image size, class balance, density, class boundaries and ambiguous images."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.utils.arrays import FloatArray

AMBIGUOUS_FRACTION = 0.05
"""An image is ambiguous if its distance to a class boundary is at most this fraction of the interquartile range."""


@dataclass(frozen=True, kw_only=True)
class ClassBoundary:
    """The boundary between two neighbouring classes."""

    below: str
    """Name of the class below the boundary."""

    above: str
    """Name of the class above the boundary."""

    value: float
    """Density at which the class changes, in the unit of the dataset."""

    is_exact: bool
    """Whether the estimator stated the boundary; False for the midpoint between the highest density below and the
    lowest density above."""


@dataclass(frozen=True, kw_only=True)
class DatasetReport:
    """Statistics of a dataset, as shown by `crowdgan inspect`."""

    size: tuple[int, int] | None
    """`(height, width)` of most images; None for an empty dataset."""

    other_sizes: dict[str, tuple[int, int]]
    """`(height, width)` of the images of another size, by name; training requires images of one size."""

    image_count: int
    """Number of images."""

    class_counts: dict[str, int]
    """Number of images of each class."""

    density_range: tuple[float, float, float] | None
    """Minimum, median and maximum density; None without densities."""

    peak_range: tuple[float, float, float] | None
    """Minimum, median and maximum peak of local densities; None without peaks."""

    uncertain_count: int | None
    """Number of images whose 95 % interval of the density includes a class boundary; None without intervals."""

    label_ranges: tuple[tuple[float, float, float], ...]
    """Minimum, median and maximum of each number of continuous labels; empty without continuous labels."""

    person_range: tuple[int, float, int] | None
    """Minimum, median and maximum number of people per image; None without person counts."""

    unknown_count: int
    """Number of images with unknown density; 0 if the dataset has no densities."""

    boundaries: tuple[ClassBoundary, ...]
    """Boundaries between neighbouring classes, in ascending order."""

    ambiguous: tuple[ImageRecord, ...]
    """Images near a class boundary, nearest first."""


def inspect_dataset(reader: DatasetReader) -> DatasetReport:
    """Statistics of an open dataset; reads the sizes of all images from their headers.

    Raises:
        DatasetError: the header of an image is damaged.
    """
    sizes = [reader.image_size(index) for index in range(len(reader))]
    common_size = Counter(sizes).most_common(1)[0][0] if sizes else None
    metadata = reader.metadata
    densities = [record.density for record in metadata.images if record.density is not None]
    counts = [record.person_count for record in metadata.images if record.person_count is not None]
    boundaries = class_boundaries(metadata)
    peaks = [record.peak for record in metadata.images if record.peak is not None]
    has_densities = metadata.estimator is not None
    return DatasetReport(
        size=common_size,
        other_sizes={
            record.name: size for record, size in zip(metadata.images, sizes, strict=True) if size != common_size
        },
        image_count=len(reader),
        class_counts=class_counts(metadata),
        density_range=(min(densities), statistics.median(densities), max(densities)) if densities else None,
        peak_range=(min(peaks), statistics.median(peaks), max(peaks)) if peaks else None,
        uncertain_count=uncertain_count(metadata, boundaries),
        label_ranges=label_ranges(metadata),
        person_range=(min(counts), statistics.median(counts), max(counts)) if counts else None,
        unknown_count=len(reader) - len(densities) if has_densities else 0,
        boundaries=boundaries,
        ambiguous=ambiguous_images(metadata, boundaries),
    )


def class_counts(metadata: DatasetMetadata) -> dict[str, int]:
    """Number of images of each class, including classes without images."""
    counts = dict.fromkeys(metadata.classes, 0)
    for record in metadata.images:
        if isinstance(record.label, int):
            name = class_name(metadata, record.label)
            counts[name] = counts.get(name, 0) + 1
    return counts


def label_ranges(metadata: DatasetMetadata) -> tuple[tuple[float, float, float], ...]:
    """Minimum, median and maximum of each number of continuous labels: one range for densities, several for vectors."""
    vectors = [record.label for record in metadata.images if isinstance(record.label, tuple)]
    columns = zip(*vectors, strict=True) if len({len(vector) for vector in vectors}) == 1 else ()
    return tuple((min(column), statistics.median(column), max(column)) for column in columns)


def class_name(metadata: DatasetMetadata, label: int) -> str:
    """Name of a class, or its index if it has no name."""
    return metadata.classes[label] if label < len(metadata.classes) else str(label)


def class_boundaries(metadata: DatasetMetadata) -> tuple[ClassBoundary, ...]:
    """Boundaries between neighbouring classes, in ascending order.

    The exact ones of the estimator. If the metadata does not have them, they are approximated between classes whose
    densities do not overlap.
    """
    if metadata.class_bounds is not None:
        values = metadata.class_bounds.values
        pairs = zip(itertools.pairwise(metadata.classes), values, strict=True)
        return tuple(
            ClassBoundary(below=below, above=above, value=value, is_exact=True) for (below, above), value in pairs
        )
    return _approximate_boundaries(metadata)


def boundary_distances(densities: FloatArray, boundaries: Sequence[ClassBoundary]) -> FloatArray:
    """Distance of each density to the nearest of one or more class boundaries, `[num_densities]`."""
    return np.asarray(np.abs(densities[:, None] - [boundary.value for boundary in boundaries]).min(axis=1))


def ambiguous_images(metadata: DatasetMetadata, boundaries: Sequence[ClassBoundary]) -> tuple[ImageRecord, ...]:
    """Images whose class would change with a small change of density, nearest to a boundary first."""
    known = [record for record in metadata.images if record.density is not None]
    if not boundaries or len(known) < 2:
        return ()
    values = np.array([record.density for record in known], float)
    distances = boundary_distances(values, boundaries)
    lower_quartile, upper_quartile = np.quantile(values, [0.25, 0.75])
    near = np.flatnonzero(distances <= AMBIGUOUS_FRACTION * (upper_quartile - lower_quartile))
    return tuple(known[index] for index in near[np.argsort(distances[near], kind="stable")])


def uncertain_count(metadata: DatasetMetadata, boundaries: Sequence[ClassBoundary]) -> int | None:
    """Number of images whose 95 % interval of the density includes a class boundary; None without intervals."""
    intervals = [record.interval for record in metadata.images if record.interval is not None]
    if not intervals or not boundaries:
        return None
    return sum(any(low < boundary.value < high for boundary in boundaries) for low, high in intervals)


def _approximate_boundaries(metadata: DatasetMetadata) -> tuple[ClassBoundary, ...]:
    """Midpoints between the densities of neighbouring classes that do not overlap."""
    by_class: dict[int, list[float]] = {}
    for record in metadata.images:
        if isinstance(record.label, int) and record.density is not None:
            by_class.setdefault(record.label, []).append(record.density)
    present = sorted(by_class)
    boundaries = []
    for low, high in itertools.pairwise(present):
        max_below, min_above = max(by_class[low]), min(by_class[high])
        if max_below <= min_above:
            midpoint = (max_below + min_above) / 2
            below, above = class_name(metadata, low), class_name(metadata, high)
            boundaries.append(ClassBoundary(below=below, above=above, value=midpoint, is_exact=False))
    return tuple(boundaries)
