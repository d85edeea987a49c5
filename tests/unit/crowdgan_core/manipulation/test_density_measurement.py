"""Densities of images, measured with predictors that are fitted to a dataset."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.api import open_dataset
from crowdgan_core.datasets.record_densities import LogScale
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.metrics.predictor import DensityPredictor
from tests.support.fidelity import SIDE_PX, squares_image, write_squares


class Brightness(DensityPredictor):
    """A polynomial of the mean brightness."""

    name: ClassVar[str] = "brightness"
    description: ClassVar[str] = "mean brightness"

    def __init__(self, coefficients: np.ndarray) -> None:
        self._coefficients = coefficients

    @classmethod
    def fit(cls, images: Any, targets: Any, **options: Any) -> Brightness:
        brightness = np.concatenate([batch.mean(axis=(1, 2, 3)) for batch in images.batches(16)])
        return cls(np.polyfit(brightness, targets, 4))

    def predict(self, images: Any) -> Any:
        return np.polyval(self._coefficients, images.mean(axis=(1, 2, 3)))


class Unavailable(Brightness):
    """A predictor that cannot be used."""

    name: ClassVar[str] = "unavailable"

    @classmethod
    def unavailable_reason(cls) -> str | None:
        return "its weights are missing"


def plugins(*predictors: type[DensityPredictor]) -> Any:
    return SimpleNamespace(density_predictors={cls.name: cls for cls in predictors}, feature_extractors={})


def test_densities_of_images_are_measured(tmp_path: Path) -> None:
    path = write_squares(tmp_path / "squares.zip", 120)
    with open_dataset(path) as reader:
        measurement = DensityMeasurement.fit(
            reader, plugins(Brightness, Unavailable), resolution=(SIDE_PX, SIDE_PX), device="cpu"
        )
    counts = [2, 6, 10, 14]
    measured = measurement.measure(np.stack([squares_image(count, seed=500 + count) for count in counts]))
    assert list(measured) == ["brightness"]
    assert measured["brightness"] == pytest.approx(counts, rel=0.25)


def test_extreme_predictions_are_limited() -> None:
    predictors: dict[str, DensityPredictor] = {"high": Brightness(np.array([1.0, 0.0]))}  # the brightness, 0 to 255
    measurement = DensityMeasurement(predictors, LogScale(offset=0.5, max_density=8.0))
    images = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 1, 255)])
    assert measurement.measure(images)["high"] == pytest.approx([0.5, np.e - 0.5, 8.0])


def test_what_prevents_a_measurement_is_an_error(tmp_path: Path) -> None:
    large, small = write_squares(tmp_path / "large.zip", 60), write_squares(tmp_path / "small.zip", 10)
    size = (SIDE_PX, SIDE_PX)
    with open_dataset(large) as reader:
        with pytest.raises(ConfigError, match="no density predictor is available: unavailable: its weights"):
            DensityMeasurement.fit(reader, plugins(Unavailable), resolution=size)
        with pytest.raises(ConfigError, match=r"large\.zip: the images are 32x32 px; those of the model are 16x16 px"):
            DensityMeasurement.fit(reader, plugins(Brightness), resolution=(16, 16))
    with open_dataset(small) as reader, pytest.raises(DatasetError, match="10 images have a density; at least 20"):
        DensityMeasurement.fit(reader, plugins(Brightness), resolution=size)
