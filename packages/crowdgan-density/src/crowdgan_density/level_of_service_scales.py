"""Levels of service: published scales that divide persons/m² into classes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.layers import ValueClasses
from crowdgan_core.errors import ConfigError, DensityError

DEFAULT_SCALE = "fruin-walkway"
"""Name of the default scale."""


@dataclass(frozen=True, kw_only=True)
class LevelOfServiceScale:
    """A named scale of density classes, from the least to the most crowded."""

    name: str
    """Name of the scale, or its class boundaries as text."""
    classes: tuple[str, ...]
    """Names of the classes."""
    bounds_per_m2: tuple[float, ...]
    """Class boundaries in persons/m², increasing; one fewer than classes."""
    bound_is_lower: bool
    """Whether a density equal to a class boundary belongs to the less crowded class."""
    source: str
    """Publication."""

    @property
    def is_named(self) -> bool:
        """Whether the scale is one of `LEVEL_OF_SERVICE_SCALES`; else its classes are not levels of service."""
        return self.name in LEVEL_OF_SERVICE_SCALES

    def class_index(self, density_per_m2: float) -> int:
        """Index of the class of a density in persons/m²."""
        return self.class_bounds().class_index(density_per_m2)

    def class_bounds(self, *options: str) -> ClassBounds:
        """The class boundaries in persons/m², set by these options of an estimator."""
        return ClassBounds(
            values=self.bounds_per_m2,
            included_above=(not self.bound_is_lower,) * len(self.bounds_per_m2),
            scale=self.name if self.is_named else None,
            options=options,
        )

    def value_classes(self) -> ValueClasses:
        """The classes of the scale, which determine the colours of layers."""
        title = f"level of service, {self.name}" if self.is_named else f"class boundaries {self.name}"
        return ValueClasses(title=title, names=self.classes, bounds=self.class_bounds())


def _scale_from_areas(
    name: str, areas_m2: Sequence[float], source: str, *, bound_is_lower: bool = True
) -> LevelOfServiceScale:
    """A scale A to F that is published as the minimum area per person of A to E, in m²."""
    bounds = tuple(1 / area for area in areas_m2)
    return LevelOfServiceScale(
        name=name, classes=tuple("ABCDEF"), bounds_per_m2=bounds, bound_is_lower=bound_is_lower, source=source
    )


LEVEL_OF_SERVICE_SCALES: dict[str, LevelOfServiceScale] = {
    scale.name: scale
    for scale in (
        _scale_from_areas(
            "fruin-walkway", (3.24, 2.32, 1.39, 0.93, 0.46), "Fruin, Pedestrian Planning and Design, 1971: walkways"
        ),
        _scale_from_areas(
            "fruin-queuing", (1.21, 0.93, 0.65, 0.28, 0.19), "Fruin, Pedestrian Planning and Design, 1971: queuing"
        ),
        _scale_from_areas(
            "hcm-walkway", (5.6, 3.7, 2.2, 1.4, 0.75), "Highway Capacity Manual, 2000", bound_is_lower=False
        ),
        _scale_from_areas("khcm-walkway", (3.3, 2.0, 1.4, 0.9, 0.38), "Korean Highway Capacity Manual, 2013"),
        LevelOfServiceScale(
            name="crowd-safety",
            classes=("free", "busy", "dense", "limit", "crush"),
            bounds_per_m2=(2.0, 3.5, 4.7, 6.0),
            bound_is_lower=True,
            source="free standing; busy; the Green Guide's limit for standing areas, 47 per 10 m²; crush risk",
        ),
    )
}
"""Scales by name. An area equal to a boundary belongs to the better level if published with ≥, else to the worse."""


def level_of_service(density_per_m2: float, scale: str = DEFAULT_SCALE) -> str:
    """Name of the class of a density, for example `D`.

    Args:
        density_per_m2: density in persons/m², 0 or above.
        scale: name of a scale, or class boundaries as for `parse_scale`.

    Raises:
        ConfigError: no such scale.
        DensityError: the density is negative or not finite.
    """
    parsed = parse_scale(scale)
    if not (math.isfinite(density_per_m2) and density_per_m2 >= 0):
        raise DensityError(f"the density is {density_per_m2} persons/m²; it must be 0 or above")
    return parsed.classes[parsed.class_index(density_per_m2)]


def parse_scale(text: str) -> LevelOfServiceScale:
    """The scale of a name, or a scale with class boundaries in persons/m², for example `0.5,1,2`.

    The classes of given boundaries are named after them, for example `below 0.5`, `0.5 to 1`, `above 1`.

    Raises:
        ConfigError: the text is neither a name nor increasing numbers above 0.
    """
    if text in LEVEL_OF_SERVICE_SCALES:
        return LEVEL_OF_SERVICE_SCALES[text]
    try:
        bounds = tuple(float(part) for part in text.split(","))
    except ValueError:
        bounds = ()
    increasing = all(low < high for low, high in itertools.pairwise(bounds))
    if not bounds or not increasing or not all(math.isfinite(bound) and bound > 0 for bound in bounds):
        raise ConfigError(
            f"no such scale {text}; choose from {', '.join(LEVEL_OF_SERVICE_SCALES)}, "
            "or write increasing class boundaries in persons/m², for example 0.5,1,2"
        )
    inner = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(bounds)]
    classes = (f"below {bounds[0]:g}", *inner, f"above {bounds[-1]:g}")
    return LevelOfServiceScale(
        name=text, classes=classes, bounds_per_m2=bounds, bound_is_lower=True, source="given by the user"
    )
