"""Densities and labels do not depend on the output size: a crop is measured in the pixels of the full image."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.api import build_dataset, open_dataset, open_source
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.scenes.transform import TransformName
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset

THIRD_PARTY = Path(__file__).parents[1] / "plugins" / "crowdgan-density-nearest" / "src"

RESOLUTIONS = [(16, 32), (64, 128), (300, 600)]
"""Sizes `(height, width)` with the same crop, below and above that of the images."""


@dataclass(frozen=True, kw_only=True)
class PixelEstimator(DensityEstimator):
    """Everything that an estimator can read from a scene and that has a unit of pixels."""

    name: ClassVar[str] = "pixels"
    unit: ClassVar[str] = "pixels"
    classes: ClassVar[tuple[str, ...]] = ("small", "large")

    def estimate(self, scene: Scene) -> DensityEstimate:
        lengths = [*scene.size, *np.nan_to_num(scene.full_boxes).ravel(), *np.nan_to_num(scene.head_boxes).ravel()]
        lengths.append(scene.focal_length_px or 0.0)
        if scene.crop is not None:
            lengths += [scene.crop.left, scene.crop.top, *scene.crop.size, *scene.crop.full_scene.size]
        return DensityEstimate(value=math.fsum(lengths), unit=self.unit, class_index=0)


def third_party_estimators() -> Sequence[type[DensityEstimator]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(THIRD_PARTY))
        module: Any = importlib.import_module("crowdgan_density_nearest")
    estimators: Sequence[type[DensityEstimator]] = module.crowdgan_register_density_estimators()
    return [PixelEstimator, *estimators]


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=6, size=(240, 320), max_people=60, seed=5), folder)
    return folder


def labelled_images(
    source: Path, dest: Path, estimator: DensityEstimator, resolution: tuple[int, int], transform: TransformName
) -> Sequence[tuple[Any, ...]]:
    """Name, person count, density and class of each labelled image."""
    build_dataset(open_source(source), dest, density=estimator, resolution=resolution, transform=transform, workers=1)
    with open_dataset(dest) as reader:
        return [(item.source, item.person_count, item.density, item.label) for item in reader.metadata.images]


ESTIMATORS = [*installed_plugins().density_estimators.values(), *third_party_estimators()]


@pytest.mark.parametrize("transform", ["center-crop", "none"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
def test_labels_do_not_depend_on_the_resolution(
    tmp_path: Path, crowds: Path, estimator: type[DensityEstimator], transform: TransformName
) -> None:
    options = {"file": crowds / "truth.json"} if estimator.name == "ground-truth" else {}
    small, medium, large = (
        labelled_images(crowds, tmp_path / f"{height}.zip", estimator(**options), (height, width), transform)
        for height, width in RESOLUTIONS
    )
    assert len(small) >= 3, "enough images have a known density"
    assert small == medium == large
