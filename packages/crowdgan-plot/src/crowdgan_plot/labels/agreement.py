"""Comparison of two labellings of the same images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.utils.arrays import FloatArray

MIN_CORRELATED_IMAGES = 3
"""Minimum number of images for a rank correlation: that of two images is always 1 or −1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """Comparison of two labellings on the images that both contain."""

    image_count: int
    """Images in both datasets, matched by their source."""

    confusion: npt.NDArray[np.int64] | None
    """`[classes of the first, classes of the second]` images; None if one dataset has no classes."""

    same_class_fraction: float | None
    """Fraction of images with the same class; None if the classes differ."""

    densities: FloatArray
    """`[num_known, 2]` densities of the images whose density is known in both."""

    @property
    def spearman(self) -> float | None:
        """Spearman's rank correlation of the densities; None for fewer than 3 images or equal densities."""
        if len(self.densities) < MIN_CORRELATED_IMAGES or (np.ptp(self.densities, axis=0) == 0).any():
            return None
        return float(spearmanr(*self.densities.T).statistic)


def compare_labels(first: DatasetMetadata, second: DatasetMetadata) -> Agreement:
    """Comparison of two labellings on the images that both contain."""
    second_records = _records_by_source(second)
    pairs = [
        (record, second_records[source])
        for source, record in _records_by_source(first).items()
        if source in second_records
    ]
    class_pairs = [
        (one.label, other.label) for one, other in pairs if isinstance(one.label, int) and isinstance(other.label, int)
    ]
    has_classes = bool(first.classes and second.classes)
    confusion = np.zeros((len(first.classes), len(second.classes)), np.int64)
    for (row, column), count in Counter(class_pairs).items() if has_classes else ():
        confusion[row, column] = count
    is_comparable = has_classes and first.classes == second.classes and bool(class_pairs)
    density_pairs = [(density_of(one), density_of(other)) for one, other in pairs]
    known_pairs = [pair for pair in density_pairs if None not in pair]
    return Agreement(
        image_count=len(pairs),
        confusion=confusion if has_classes else None,
        same_class_fraction=float(np.trace(confusion) / confusion.sum()) if is_comparable else None,
        densities=np.array(known_pairs, float).reshape(-1, 2),
    )


def density_of(record: ImageRecord) -> float | None:
    """The density of an image; for a continuous label the label itself."""
    if record.density is None and isinstance(record.label, tuple) and len(record.label) == 1:
        return record.label[0]
    return record.density


def _records_by_source(metadata: DatasetMetadata) -> dict[str, ImageRecord]:
    return {record.source or record.name: record for record in metadata.images}
