"""Levels of service: named scales that sort persons/m² into classes."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from crowdgan_core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LevelOfServiceScale:
    """A named table of density classes, from the least to the most crowded."""

    name: str
    classes: tuple[str, ...]
    bounds_per_m2: tuple[float, ...]
    """Densities in persons/m² between neighbouring classes, rising."""
    bound_is_lower: bool
    """Whether a density equal to a bound belongs to the less crowded class."""
    source: str

    def class_index(self, density_per_m2: float) -> int:
        """Index of the class of a density in persons/m²."""
        find = bisect.bisect_left if self.bound_is_lower else bisect.bisect_right
        return find(self.bounds_per_m2, density_per_m2)


def _levels(name: str, areas_m2: Sequence[float], source: str, *, bound_is_lower: bool = True) -> LevelOfServiceScale:
    """A scale A to F that is published as the least area per person of A to E, in m²."""
    bounds = tuple(1 / area for area in areas_m2)
    return LevelOfServiceScale(
        name=name, classes=tuple("ABCDEF"), bounds_per_m2=bounds, bound_is_lower=bound_is_lower, source=source
    )


LEVEL_OF_SERVICE_SCALES: dict[str, LevelOfServiceScale] = {
    scale.name: scale
    for scale in (
        _levels(
            "fruin-walkway", (3.24, 2.32, 1.39, 0.93, 0.46), "Fruin, Pedestrian Planning and Design, 1971: walkways"
        ),
        _levels(
            "fruin-queuing", (1.21, 0.93, 0.65, 0.28, 0.19), "Fruin, Pedestrian Planning and Design, 1971: queuing"
        ),
        _levels("hcm-walkway", (5.6, 3.7, 2.2, 1.4, 0.75), "Highway Capacity Manual, 2000", bound_is_lower=False),
        _levels("khcm-walkway", (3.3, 2.0, 1.4, 0.9, 0.38), "Korean Highway Capacity Manual, 2013"),
        LevelOfServiceScale(
            name="crowd-safety",
            classes=("free", "busy", "dense", "limit", "crush"),
            bounds_per_m2=(2.0, 3.5, 4.7, 6.0),
            bound_is_lower=True,
            source="free standing; busy; the Green Guide's limit for standing areas, 47 per 10 m²; crush risk",
        ),
    )
}
"""The named scales. Areas that are published with ≥ belong to the better level, those with > to the worse."""


def parse_scale(text: str) -> LevelOfServiceScale:
    """The scale of a name, or one with bounds given as persons/m², for example `0.5,1,2`.

    Classes of given bounds are called by them, for example `below 0.5`, `0.5 to 1`, `above 1`.

    Raises:
        ConfigError: neither a name nor rising numbers above 0.
    """
    if text in LEVEL_OF_SERVICE_SCALES:
        return LEVEL_OF_SERVICE_SCALES[text]
    try:
        bounds = tuple(float(part) for part in text.split(","))
    except ValueError:
        bounds = ()
    rising = all(low < high for low, high in itertools.pairwise(bounds))
    if not bounds or not rising or not all(math.isfinite(bound) and bound > 0 for bound in bounds):
        raise ConfigError(
            f"scale is {text}; it must be {', '.join(LEVEL_OF_SERVICE_SCALES)}, or rising persons/m² such as 0.5,1,2"
        )
    inner = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(bounds)]
    classes = (f"below {bounds[0]:g}", *inner, f"above {bounds[-1]:g}")
    return LevelOfServiceScale(
        name=text, classes=classes, bounds_per_m2=bounds, bound_is_lower=True, source="given by the user"
    )
