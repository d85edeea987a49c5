"""Text for messages: shortened lists, durations and densities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NO_VALUE = "–"
"""Cell of a table without a value."""

GROUND_UNIT = "persons/m²"
"""Unit of densities on the ground."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def join_limited(items: Iterable[object], limit: int) -> str:
    """Items separated by commas, at most `limit` of them: `a, b, c and 4 more`."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return f"{', '.join(texts[:limit])}{more}"


def count_and_list(title: str, names: Sequence[str], limit: int = 3) -> str:
    """A title, the number of names and the first names: `images without an annotation: 2 (a.jpg, b.jpg)`."""
    return f"{title}: {len(names)} ({join_limited(names, limit)})"


def format_density(density_per_m2: float) -> str:
    """A density in persons/m² with two decimals, as in tables, pages and figures."""
    return f"{density_per_m2:.2f}"


def format_duration(seconds: float) -> str:
    """A duration in its two largest units: `45s`, `3m 20s`, `2h 05m`, `3d 04h`."""
    if seconds < MINUTE_S:
        return f"{seconds:.0f}s"
    total_s = int(seconds)
    if total_s < HOUR_S:
        return f"{total_s // MINUTE_S}m {total_s % MINUTE_S:02d}s"
    if total_s < DAY_S:
        return f"{total_s // HOUR_S}h {total_s % HOUR_S // MINUTE_S:02d}m"
    return f"{total_s // DAY_S}d {total_s % DAY_S // HOUR_S:02d}h"
