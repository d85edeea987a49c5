from dataclasses import dataclass
from typing import ClassVar

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.hookspecs import hookimpl


@dataclass(frozen=True, kw_only=True)
class Headcount(DensityEstimator):
    """Person count."""  # the help text

    name: ClassVar[str] = "example-plugin"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    many_from: int = option(20, "lower bound of class many")  # --set many_from=30

    def __post_init__(self):
        if self.many_from < 1:
            raise ConfigError(f"many_from is {self.many_from}; it must be at least 1")

    @property
    def class_bounds(self):  # may be omitted
        return ClassBounds(values=(self.many_from,), options=("many_from",))

    def estimate(self, scene):
        count = scene.person_count
        return DensityEstimate(value=count, unit=self.unit, class_index=self.class_bounds.class_index(count))


@hookimpl
def crowdgan_register_density_estimators():
    return [Headcount]
