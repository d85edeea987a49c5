"""Densities from a file, such as the ground truth of synthetic crowds: `ground-truth`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.options import option
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.evaluation.ground_truth import GroundTruthIndex, read_ground_truth
from crowdgan_density.level_of_service_estimator import LevelOfServiceEstimator


@dataclass(frozen=True, kw_only=True)
class GroundTruthEstimator(LevelOfServiceEstimator):
    """Persons/m² from a file, such as truth.json of crowdgan synth.

    The density is that of the full image, also for a crop. The forms of the file are those of
    `evaluation.ground_truth.read_ground_truth`.
    """

    name: ClassVar[str] = "ground-truth"

    file: Path | None = option(None, "JSON or CSV file of persons/m² by image name; required")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The density of the scene in the file; unknown for a scene that it does not contain.

        Raises:
            DatasetError: the file cannot be read or has another form.
        """
        if self.file is None:
            return DensityEstimate.unknown(self.unit, "no file of ground truth; set file=truth.json")
        density = _index(self.file).density_per_m2(scene.source_name)
        if density is None:
            return DensityEstimate.unknown(self.unit, f"not in {self.file}")
        return DensityEstimate(value=density, unit=self.unit, class_index=self.class_index(density))


@lru_cache(maxsize=1)
def _index(file: Path) -> GroundTruthIndex:
    """Densities by image name; the file is read once per process."""
    return GroundTruthIndex(read_ground_truth(file))
