"""Counts of one dataset build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crowdgan_core.datasets.metadata import ImageRecord, Label
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
    label_counts: Counter[Label] = field(default_factory=Counter)
    """Images per class index."""
    classes: tuple[str, ...] = ()
    unit: str | None = None
    value_range: tuple[float, float] | None = None
    """Lowest and highest density, in `unit`."""
    elapsed_s: float = 0.0

    def skip(self, category: str, item: str) -> None:
        """Counts a skipped item."""
        self.skipped.setdefault(category, []).append(item)

    def count(self, record: ImageRecord) -> None:
        """Counts a stored image."""
        self.num_written += 1
        if isinstance(record.label, int):
            self.label_counts[record.label] += 1
        if record.density is not None:
            low, high = self.value_range or (record.density, record.density)
            self.value_range = (min(low, record.density), max(high, record.density))

    def __repr__(self) -> str:
        """For example `BuildSummary(14210 of 15000 images)`."""
        return f"BuildSummary({self.num_written} of {self.num_read} images)"


def list_skipped(skipped: Mapping[str, Sequence[str]]) -> str:
    """Number and first names of the skipped items of each category, for a message."""
    return "; ".join(count_and_list(category, names) for category, names in skipped.items()) or "the source is empty"
