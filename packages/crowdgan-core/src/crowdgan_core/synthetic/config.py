"""Configuration of a synthetic dataset; imports no rendering code, so that the command line starts fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.flags import flag, format_size, parse_size

MIN_SIDE_PX, MAX_SIDE_PX = 64, 8192
"""Range of image heights and widths in pixels."""

DENSITY_LIMITS_PER_M2 = (0.01, 6.0)
"""Range of densities in persons/m²: from one person on 100 m² to bodies that touch."""

MAX_PEOPLE = 5000
"""Largest permitted `max_people`."""


CAMERA_HEIGHT_LIMITS_M = (1.5, 30.0)
"""Range of camera heights in metres: a person of short stature to a roof; ours."""

CAMERA_PITCH_LIMITS_DEG = (0.0, 60.0)
"""Range of camera pitches below the horizontal in degrees; ours."""

FOCAL_LENGTH_LIMITS_MM = (10, 300)
"""Range of 35 mm equivalent focal lengths in mm: ultra-wide to telephoto lens."""

CrowdRegion = Literal["mixed", "full"]


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

    camera_height_m: tuple[float, float] = flag(
        "--camera-height", default=(2.0, 9.0), metavar="LOW HIGH", help="Range of camera heights in metres."
    )
    """The heights are log-uniform: from a raised arm to a second floor by default; ours."""

    camera_pitch_deg: tuple[float, float] = flag(
        "--camera-pitch",
        default=(4.0, 28.0),
        metavar="LOW HIGH",
        help="Range of camera pitches below the horizontal in degrees.",
    )
    """The pitches are uniform; the default is ours."""

    focal_length_mm: tuple[int, int] = flag(
        "--focal-length",
        default=(24, 50),
        metavar="LOW HIGH",
        help="Range of focal lengths in mm (35 mm equivalent).",
    )
    """Wide-angle to normal lens by default."""

    crowd_region: CrowdRegion = flag(
        "--crowd-region",
        default="mixed",
        help="Ground that the crowd occupies: all visible ground (full), or a part of it in some images (mixed).",
    )
    """With `full`, people also stand where their heads are above the image."""

    max_people: int = flag("--max-people", default=200, help=f"Maximum number of people per image (1 to {MAX_PEOPLE}).")
    """Dense crowds occupy less ground, so that the maximum holds."""

    def __post_init__(self) -> None:
        _check("images", self.images, 1, math.inf)
        for name, side in zip(("height", "width"), self.size, strict=True):
            _check(f"size: {name}", side, MIN_SIDE_PX, MAX_SIDE_PX)
        _check("seed", self.seed, 0, math.inf)
        _check("max_people", self.max_people, 1, MAX_PEOPLE)
        _check_range("density", self.density, DENSITY_LIMITS_PER_M2)
        _check_range("camera_height_m", self.camera_height_m, CAMERA_HEIGHT_LIMITS_M)
        _check_range("camera_pitch_deg", self.camera_pitch_deg, CAMERA_PITCH_LIMITS_DEG)
        _check_range("focal_length_mm", self.focal_length_mm, FOCAL_LENGTH_LIMITS_MM)
        if self.crowd_region not in get_args(CrowdRegion):
            raise ConfigError(
                f"crowd_region is {self.crowd_region}; it must be one of {', '.join(get_args(CrowdRegion))}"
            )


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value}; it must be {limits}")


def _check_range(name: str, values: tuple[float, float], limits: tuple[float, float]) -> None:
    for value in values:
        _check(name, value, *limits)
    if values[0] > values[1]:
        raise ConfigError(f"{name} is {values}; the first value must not exceed the second")
