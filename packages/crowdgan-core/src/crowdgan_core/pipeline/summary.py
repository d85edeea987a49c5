"""What became of the images of a source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crowdgan_core.datasets.metadata import ImageRecord, Label
from crowdgan_core.utils.formatting import count_and_list

FIRST_NAMES = 3
"""Names shown of a list of problems."""


@dataclass(kw_only=True)
class BuildSummary:
    """Counts over one run of the pipeline."""

    num_read: int = 0
    num_written: int = 0
    skipped: dict[str, list[str]] = field(default_factory=dict)
    """Reason to what was skipped for it."""
    label_counts: Counter[Label] = field(default_factory=Counter)
    """Images per class number."""
    classes: tuple[str, ...] = ()
    unit: str | None = None
    value_range: tuple[float, float] | None = None
    """Lowest and highest density, in `unit`."""
    elapsed_s: float = 0.0

    def skip(self, kind: str, what: str) -> None:
        """Counts something that was skipped."""
        self.skipped.setdefault(kind, []).append(what)

    def count(self, record: ImageRecord) -> None:
        """Counts an image that was stored."""
        self.num_written += 1
        if isinstance(record.label, int):
            self.label_counts[record.label] += 1
        if record.density is not None:
            low, high = self.value_range or (record.density, record.density)
            self.value_range = (min(low, record.density), max(high, record.density))

    def skipped_text(self) -> str:
        """What was skipped and why, for a message."""
        return (
            "; ".join(count_and_list(reason, names) for reason, names in self.skipped.items()) or "the source is empty"
        )
