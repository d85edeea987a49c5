"""Counts of one dataset build."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crowdgan_core.datasets.metadata import ImageRecord
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.utils.formatting import count_and_list


@dataclass(kw_only=True)
class BuildSummary:
    """Counts of one dataset build."""

    num_read: int = 0
    """Images read from the source."""
    num_written: int = 0
    """Images written to the dataset."""
    skipped: dict[str, list[str]] = field(default_factory=dict)
    """Skipped items by category."""
    num_resumed: int = 0
    """Images of shards that an interrupted build had finished."""
    label_counts: Counter[int] = field(default_factory=Counter)
    """Images per class index."""
    label_types: set[type] = field(default_factory=set)
    """Types of the labels: int, tuple, or NoneType for images without a label."""
    classes: tuple[str, ...] = ()
    unit: str | None = None
    densities: array[float] = field(default_factory=lambda: array("d"))
    """Densities of the images written, in `unit`."""
    estimator: str | None = None
    """Name of the density estimator; None if no densities were estimated."""
    class_bounds: ClassBounds | None = None
    """Class boundaries of the estimator; None if they are unknown."""
    elapsed_s: float = 0.0

    def skip(self, category: str, item: str) -> None:
        """Counts a skipped item."""
        self.skipped.setdefault(category, []).append(item)

    def count(self, record: ImageRecord) -> None:
        """Counts a stored image."""
        self.num_written += 1
        self.label_types.add(type(record.label))
        if isinstance(record.label, int):
            self.label_counts[record.label] += 1
        if record.density is not None:
            self.densities.append(record.density)

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Lowest and highest density, in `unit`; None without densities."""
        return (min(self.densities), max(self.densities)) if self.densities else None

    def density_quartiles(self) -> list[float]:
        """Minimum, lower quartile, median, upper quartile and maximum of the densities; there must be at least one."""
        return [float(value) for value in np.quantile(self.densities, [0, 0.25, 0.5, 0.75, 1])]

    @property
    def empty_classes(self) -> list[str]:
        """Names of the classes without images; a model cannot learn them."""
        return [name for index, name in enumerate(self.classes) if not self.label_counts[index]]

    def __repr__(self) -> str:
        """For example `BuildSummary(14210 of 15000 images)`."""
        return f"BuildSummary({self.num_written} of {self.num_read} images)"


def list_skipped(skipped: Mapping[str, Sequence[str]]) -> str:
    """Number and first names of the skipped items of each category, for a message."""
    return "; ".join(count_and_list(category, names) for category, names in skipped.items()) or "the source is empty"
