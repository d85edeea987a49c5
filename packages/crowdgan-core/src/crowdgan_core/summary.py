"""What became of the pictures of a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from crowdgan_core.dataset import Label, PictureRecord

FIRST_NAMES = 3
"""Names shown of a list of problems."""


@dataclass(kw_only=True)
class Summary:
    """Counts over one run of the pipeline."""

    pictures_in: int = 0
    pictures_out: int = 0
    skipped: dict[str, list[str]] = field(default_factory=dict)
    """Reason to what was skipped for it."""
    label_counts: Counter[Label] = field(default_factory=Counter)
    """Pictures per class number."""
    classes: tuple[str, ...] = ()
    unit: str | None = None
    value_range: tuple[float, float] | None = None
    """Lowest and highest density, in `unit`."""
    elapsed_s: float = 0.0

    def skip(self, kind: str, what: str) -> None:
        """Counts something that was skipped."""
        self.skipped.setdefault(kind, []).append(what)

    def count(self, record: PictureRecord) -> None:
        """Counts a picture that was stored."""
        self.pictures_out += 1
        if isinstance(record.label, int):
            self.label_counts[record.label] += 1
        if record.density is not None:
            low, high = self.value_range or (record.density, record.density)
            self.value_range = (min(low, record.density), max(high, record.density))

    def skipped_text(self) -> str:
        """What was skipped and why, for a message."""
        return "; ".join(counted(reason, names) for reason, names in self.skipped.items()) or "the source is empty"


def counted(reason: str, names: Sequence[str]) -> str:
    """A problem by count and first names, for example `pictures without an annotation: 2 (a.jpg, b.jpg)`."""
    more = f" and {len(names) - FIRST_NAMES} more" if len(names) > FIRST_NAMES else ""
    return f"{reason}: {len(names)} ({', '.join(names[:FIRST_NAMES])}{more})"
