"""Density of the shown images, measured by predictors that are fitted to a dataset while the viewer runs."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from crowdgan_core.errors import CrowdganError
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.utils.arrays import ImageArray

logger = logging.getLogger(__name__)


class MeasuredDensity:
    """Density predictors that are fitted in a thread.

    Args:
        fit: returns the fitted predictors.
        unit: unit of the densities of the dataset.
    """

    def __init__(self, fit: Callable[[], DensityMeasurement], unit: str | None) -> None:
        self._fit, self._unit = fit, unit
        self._measurement: DensityMeasurement | None = None
        self._error: str | None = None
        threading.Thread(target=self._run, name="density predictors", daemon=True).start()

    def measure(self, image: ImageArray) -> dict[str, Any]:
        """Densities of an image `[height, width, 3]` by predictor, JSON-ready; without them while they are fitted."""
        if self._error is not None:
            return {"status": "failed", "error": self._error}
        if self._measurement is None:
            return {"status": "fitting"}
        values = {name: float(densities[0]) for name, densities in self._measurement.measure(image[None]).items()}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        if not finite:
            return {"status": "failed", "error": "no predictor gave a finite density"}
        return {"status": "ready", "values": finite, "unit": self._unit}

    def _run(self) -> None:
        try:
            self._measurement = self._fit()
        except CrowdganError as error:
            self._error = str(error)
        except Exception:  # the thread has no caller
            logger.exception("the density predictors could not be fitted")
            self._error = "unexpected error; see the output of crowdgan view"
