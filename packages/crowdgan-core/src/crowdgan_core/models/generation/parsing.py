"""Seeds, layers, grids and numbers from text."""

from __future__ import annotations

import math
import re
from collections import Counter

from crowdgan_core.errors import ConfigError

MAX_SEED = 2**32 - 1
"""Largest seed: an unsigned 32-bit number."""

MAX_LAYER = 999
"""Largest index of a layer in a text; models have fewer layers."""

MAX_MAGNITUDE = 1e30
"""Largest absolute value passed to a network; float32 ends at 3e38."""

MAX_SEEDS = 1_000_000
"""Maximum number of seeds per run, to detect typing errors."""

MAX_SUGGESTED_GRIDS = 7
"""Grids that an error message suggests."""


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds of a text such as `3`, `0-31` or `1,5,9-12`, in the order of the text.

    Raises:
        ConfigError: invalid text, a seed above `MAX_SEED`, a repeated seed, which would give the same file twice, or
            more than `MAX_SEEDS` seeds.
    """
    return _parse_ranges(text, "seed", MAX_SEED, example="0-31 or 1,5,9-12", once="each seed gives one image")


def parse_layers(text: str) -> tuple[int, ...]:
    """Layers of a text such as `3`, `0-6` or `0,2,4-6`, in the order of the text.

    Raises:
        ConfigError: invalid text, a layer above `MAX_LAYER`, or a repeated layer.
    """
    return _parse_ranges(text, "layer", MAX_LAYER, example="0-6 or 0,2,4-6", once="give each layer once")


def _parse_ranges(text: str, noun: str, largest: int, *, example: str, once: str) -> tuple[int, ...]:
    """Numbers and ranges of a text, at most `MAX_SEEDS` different numbers, in their order."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:\s*-\s*(\d{1,10}))?\s*", part, re.ASCII)
        if match is None:
            raise ConfigError(
                f"{noun}s {text!r:.80}: {part.strip()!r:.40} is not a {noun}; write for example {example}"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"{noun}s {text!r:.80}: {first}-{last} is a descending range; write {last}-{first}")
        if last > largest:
            raise ConfigError(f"{noun}s {text!r:.80}: {last} is too large; {noun}s must be from 0 to {largest}")
        if len(numbers) + last - first >= MAX_SEEDS:
            raise ConfigError(f"{noun}s {text!r:.80}: more than {MAX_SEEDS} {noun}s; split the run")
        numbers += range(first, last + 1)
    if len(set(numbers)) < len(numbers):
        repeated = Counter(numbers).most_common(1)[0][0]
        raise ConfigError(f"{noun}s {text!r:.80}: {repeated} is repeated; {once}")
    return tuple(numbers)


def parse_grid(text: str) -> tuple[int, int]:
    """`(columns, rows)` of a text such as `8x4`.

    Raises:
        ConfigError: invalid text.
    """
    match = re.fullmatch(r"(\d{1,7})x(\d{1,7})", text, re.ASCII)
    if match is None or min(int(match[1]), int(match[2])) < 1:
        raise ConfigError(f"grid {text!r:.40} is not valid; write columns and rows, for example 8x4")
    return int(match[1]), int(match[2])


def parse_pair(text: str) -> tuple[float, float]:
    """Translation `(x, y)` of a text such as `0.1,-0.25`.

    Raises:
        ConfigError: invalid text.
    """
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != 2:
        raise ConfigError(
            f"translate {text!r:.40} is not valid; write the translation right and down, for example 0.1,-0.25"
        )
    return numbers[0], numbers[1]


def parse_numbers(text: str) -> tuple[float, ...] | None:
    """Comma-separated numbers of a text; None if it is invalid or a number is above `MAX_MAGNITUDE`."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return numbers if all(map(is_in_float32_range, numbers)) else None


def is_in_float32_range(number: float) -> bool:
    """Whether a number is finite and at most `MAX_MAGNITUDE`, so that float32 networks can use it."""
    return abs(number) <= MAX_MAGNITUDE  # False for NaN


def check_grid(grid: tuple[int, int], count: int) -> None:
    """Checks that a grid has one cell per image.

    Raises:
        ConfigError: it has more or fewer cells; the message suggests grids, the squarest first.
    """
    columns, rows = grid
    if columns * rows == count:
        return
    widths = [width for width in range(1, count + 1) if count % width == 0]
    widths.sort(key=lambda width: (abs(math.log(width * width / count)), -width))
    suggestions = ", ".join(f"{width}x{count // width}" for width in widths[:MAX_SUGGESTED_GRIDS])
    raise ConfigError(
        f"grid {columns}x{rows} has {columns * rows} cells for {count} seeds; choose for example {suggestions}"
    )
