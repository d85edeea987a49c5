"""Configuration of a synthetic dataset; imports no rendering code, so that the command line starts fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.flags import flag, format_size, parse_size

MIN_SIDE_PX, MAX_SIDE_PX = 64, 8192
"""Range of image heights and widths in pixels."""

DENSITY_LIMITS_PER_M2 = (0.01, 6.0)
"""Range of densities in persons/m²: from one person on 100 m² to bodies that touch."""

MAX_PEOPLE = 5000
"""Largest permitted `max_people`."""


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Configuration of a synthetic dataset.

    Raises:
        ConfigError: a value is out of range.
    """

    images: int = flag("--images", min=1, help="Number of images.")

    size: tuple[int, int] = flag(
        "--resolution",
        default=(480, 640),
        parse=parse_size,
        format=format_size,
        metavar="WIDTHxHEIGHT",
        help="Image size in pixels.",
    )
    """`(height, width)`."""

    seed: int = flag("--seed", default=0, min=0, help="Random seed. Equal seeds give identical files.")
    """Each image depends only on the seed, its index and the other settings, not on the number of images."""

    density: tuple[float, float] = flag(
        "--density",
        default=(0.08, 4.0),
        metavar="LOW HIGH",
        help="Range of densities in persons/m², within {:g} to {:g}.".format(*DENSITY_LIMITS_PER_M2),
    )
    """The densities of the images are evenly spaced on a log scale."""

    max_people: int = flag("--max-people", default=200, help=f"Maximum number of people per image (1 to {MAX_PEOPLE}).")
    """Dense crowds occupy less ground, so that the maximum holds."""

    workers: int = 1
    """Number of worker processes; the result does not depend on it."""

    def __post_init__(self) -> None:
        _check("images", self.images, 1, math.inf)
        for name, side in zip(("height", "width"), self.size, strict=True):
            _check(f"size: {name}", side, MIN_SIDE_PX, MAX_SIDE_PX)
        _check("seed", self.seed, 0, math.inf)
        _check("workers", self.workers, 1, math.inf)
        _check("max_people", self.max_people, 1, MAX_PEOPLE)
        for density in self.density:
            _check("density", density, *DENSITY_LIMITS_PER_M2)
        if self.density[0] > self.density[1]:
            raise ConfigError(f"density is {self.density}; the first value must not exceed the second")


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value}; it must be {limits}")
