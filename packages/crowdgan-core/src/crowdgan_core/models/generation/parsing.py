"""Texts that name seeds, grids and pairs of numbers."""

from __future__ import annotations

import math
import re
from collections import Counter

from crowdgan_core.errors import ConfigError

MAX_SEED = 2**32 - 1
"""Largest seed: 32 bits, unsigned."""

MAX_NUMBER = 1e30
"""Largest number for networks, whose single precision ends at 3e38."""

MAX_SEEDS = 1_000_000
"""Most seeds in one run; a longer list is a slip of the pen."""

SHOWN_GRIDS = 7
"""Grids that a message proposes."""


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of a text such as `3`, `0-31` or `1,5,9-12`, in its order.

    A seed that is named twice is refused: it would give the same image, of the same name.

    Raises:
        ConfigError: no such text, a seed beyond 32 bits, one that is named twice, or more than a million.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:\s*-\s*(\d{1,10}))?\s*", part, re.ASCII)
        if match is None:
            raise ConfigError(f"seeds {text!r:.80}: {part.strip()!r:.40} is no seed; write them as in 0-31 or 1,5,9-12")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"seeds {text!r:.80}: {first}-{last} runs backwards; write {last}-{first}")
        if last > MAX_SEED:
            raise ConfigError(f"seeds {text!r:.80}: {last} is too large; seeds go from 0 to {MAX_SEED}")
        if len(seeds) + last - first >= MAX_SEEDS:
            raise ConfigError(f"seeds {text!r:.80}: more than {MAX_SEEDS} of them; split the run")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        twice = Counter(seeds).most_common(1)[0][0]
        raise ConfigError(f"seeds {text!r:.80}: {twice} is named twice; it gives the same image")
    return tuple(seeds)


def parse_grid(text: str) -> tuple[int, int]:
    """`(columns, rows)` of a text such as `8x4`.

    Raises:
        ConfigError: no such text.
    """
    match = re.fullmatch(r"(\d{1,7})x(\d{1,7})", text, re.ASCII)
    if match is None or min(int(match[1]), int(match[2])) < 1:
        raise ConfigError(f"grid {text!r:.40}: write columns and rows as in 8x4")
    return int(match[1]), int(match[2])


def parse_pair(text: str) -> tuple[float, float]:
    """Two numbers of a text such as `0.1,-0.25`.

    Raises:
        ConfigError: no such text.
    """
    numbers = parse_numbers(text)
    if numbers is None or len(numbers) != 2:
        raise ConfigError(f"translate {text!r:.40}: write how far to the right and how far down, as in 0.1,-0.25")
    return numbers[0], numbers[1]


def parse_numbers(text: str) -> tuple[float, ...] | None:
    """The numbers of a text with commas, none of them beyond what networks compute with; None where it is none."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return numbers if all(map(is_usable, numbers)) else None


def is_usable(number: float) -> bool:
    """Whether networks, which compute in single precision, can work with a number."""
    return abs(number) <= MAX_NUMBER  # NaN is not


def check_grid(grid: tuple[int, int], count: int) -> None:
    """Checks that a grid has as many cells as there are images.

    Raises:
        ConfigError: it has more or fewer; the message names grids that fit, the squarest first.
    """
    columns, rows = grid
    if columns * rows == count:
        return
    widths = [width for width in range(1, count + 1) if count % width == 0]
    widths.sort(key=lambda width: (abs(math.log(width * width / count)), -width))
    fitting = ", ".join(f"{width}x{count // width}" for width in widths[:SHOWN_GRIDS])
    raise ConfigError(
        f"grid {columns}x{rows}: it holds {columns * rows} images, and there are {count} seeds; {fitting} would fit"
    )
