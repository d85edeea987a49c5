"""Base of the estimators of persons/m², whose classes are those of a level-of-service scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.density.options import option
from crowdgan_core.utils.formatting import GROUND_UNIT
from crowdgan_density.level_of_service_scales import DEFAULT_SCALE, LEVEL_OF_SERVICE_SCALES, parse_scale


@dataclass(frozen=True, kw_only=True)
class LevelOfServiceEstimator(DensityEstimator):
    """An estimator of persons/m² with the option `scale`.

    Raises:
        ConfigError: no such scale.
    """

    unit: ClassVar[str] = GROUND_UNIT

    scale: str = option(
        DEFAULT_SCALE, f"classes: {', '.join(LEVEL_OF_SERVICE_SCALES)}, or bounds in persons/m², e.g. 0.5,1,2"
    )

    def __post_init__(self) -> None:
        parse_scale(self.scale)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the scale."""
        return parse_scale(self.scale).classes

    @property
    def class_bounds(self) -> ClassBounds:
        """The class boundaries of the scale, in persons/m²."""
        return parse_scale(self.scale).class_bounds("scale")

    def class_index(self, density_per_m2: float) -> int:
        """Index of the class of a density in persons/m²."""
        return self.class_bounds.class_index(density_per_m2)
