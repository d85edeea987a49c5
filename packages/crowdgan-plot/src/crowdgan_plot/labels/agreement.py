"""How far two labelled versions of one dataset agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """What two versions say of the images that both have."""

    images: int
    """Images that both have; an image is known by its source."""

    counts: npt.NDArray[np.int64] | None
    """`[classes of the first, classes of the second]` images; None where one of them has no classes."""

    same_share: float | None
    """Share of the images with the same class; None where the classes differ."""

    densities: Floats
    """`[num_known, 2]` values of the images whose density both know."""

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's rank correlation of the values; None for fewer than 3 images, or where all values are equal."""
        first, second = (ranks(column) for column in self.densities.T)
        if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
            return None
        return float(np.corrcoef(first, second)[0, 1])


def compare_labels(first: DatasetMetadata, second: DatasetMetadata) -> Agreement:
    """How far two versions agree on the images that both have."""
    known = _by_source(second)
    pairs = [(record, known[key]) for key, record in _by_source(first).items() if key in known]
    labels = [
        (one.label, other.label) for one, other in pairs if isinstance(one.label, int) and isinstance(other.label, int)
    ]
    has_classes = bool(first.classes and second.classes)
    counts = np.zeros((len(first.classes), len(second.classes)), np.int64)
    for (row, column), number in Counter(labels).items() if has_classes else ():
        counts[row, column] = number
    comparable = has_classes and first.classes == second.classes and bool(labels)
    values = [(density_of(one), density_of(other)) for one, other in pairs]
    told = [pair for pair in values if None not in pair]
    return Agreement(
        images=len(pairs),
        counts=counts if has_classes else None,
        same_share=float(np.trace(counts) / counts.sum()) if comparable else None,
        densities=np.array(told, float).reshape(-1, 2),
    )


def density_of(record: ImageRecord) -> float | None:
    """The density of an image; where the label is the density itself, the label."""
    if record.density is None and isinstance(record.label, tuple) and len(record.label) == 1:
        return record.label[0]
    return record.density


def ranks(values: Floats) -> Floats:
    """Ranks from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(((ends - counts + ends - 1) / 2)[inverse])


def _by_source(metadata: DatasetMetadata) -> dict[str, ImageRecord]:
    return {record.source or record.name: record for record in metadata.images}
