"""Text for messages: shortened lists, durations and densities."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

NO_VALUE = "–"
"""Cell of a table without a value."""

GROUND_UNIT = "persons/m²"
"""Unit of densities on the ground."""

NUMBER = re.compile(r"(?<![\w.-])[0-9]+(?:\.[0-9]+)?(?![\w.-]*\w)")
"""A number without sign that is a word."""

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


def format_plain(value: float, digits: int = 3) -> str:
    """A number with significant digits and without exponent: `1.69`, `1810`, `0.00012`."""
    magnitude = 0 if value == 0 else math.floor(math.log10(abs(value)))
    decimals = digits - 1 - magnitude
    return f"{round(value, decimals):.{max(decimals, 0)}f}"


def merge_numbers(texts: Iterable[str]) -> dict[str, str]:
    """Each text with the range of every number that differs among the texts of the same words: `3 to 12 people`.

    Numbers inside words, such as `frame_12`, are part of the words.
    """
    numbers_by_words: dict[str, list[list[str]]] = {}
    texts = list(dict.fromkeys(texts))
    for text in texts:
        numbers_by_words.setdefault(NUMBER.sub("0", text), []).append(NUMBER.findall(text))
    merged = {}
    for text in texts:
        columns = zip(*numbers_by_words[NUMBER.sub("0", text)], strict=True)
        ranges = iter([_range(sorted(set(column), key=float)) for column in columns])
        merged[text] = NUMBER.sub(lambda _, ranges=ranges: next(ranges), text)  # type: ignore[misc]
    return merged


def _range(numbers: Sequence[str]) -> str:
    return numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


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
