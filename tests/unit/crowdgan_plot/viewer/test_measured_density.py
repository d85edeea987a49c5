"""Density predictors that are fitted while the viewer runs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_plot.viewer.measured_density import MeasuredDensity

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Fixed(DensityMeasurement):
    def __init__(self, **values: float) -> None:
        self._values = values

    def measure(self, images: Any) -> dict[str, Any]:
        return {name: np.full(len(images), value) for name, value in self._values.items()}


def wait_until_fitted(measured: MeasuredDensity) -> dict[str, Any]:
    for _ in range(1000):
        result = measured.measure(IMAGE)
        if result["status"] != "fitting":
            return result
        threading.Event().wait(0.01)
    raise AssertionError("the predictors were not fitted")


def test_the_status_changes_from_fitting_to_ready() -> None:
    fitted = threading.Event()

    def fit() -> DensityMeasurement:
        assert fitted.wait(timeout=60)
        return Fixed(ridge=1.5, broken=float("nan"))

    measured = MeasuredDensity(fit, "persons/m²")
    assert measured.measure(IMAGE) == {"status": "fitting"}
    fitted.set()
    assert wait_until_fitted(measured) == {"status": "ready", "values": {"ridge": 1.5}, "unit": "persons/m²"}


def test_errors_are_the_result() -> None:
    def fit() -> DensityMeasurement:
        raise DatasetError("crowds.zip: 3 images have a density; at least 20 are needed")

    assert "at least 20 are needed" in wait_until_fitted(MeasuredDensity(fit, None))["error"]
    result = wait_until_fitted(MeasuredDensity(lambda: Fixed(ridge=float("inf")), None))
    assert (result["status"], result["error"]) == ("failed", "no predictor gave a finite density")
