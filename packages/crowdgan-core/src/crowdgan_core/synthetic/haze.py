"""Atmospheric haze: the fraction of an object's colour that the air replaces, by distance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.utils.arrays import FloatArray

Colour = FloatArray
"""`[3]` RGB, 0 to 255."""

HAZE_DISTANCE_M = 260.0
"""Distance in metres at which haze replaces 63 % of an object's colour; ours."""


def haze_fraction(distance_m: npt.ArrayLike) -> FloatArray:
    """Fraction of haze in the colour of objects at a distance, 1 − exp(−d / HAZE_DISTANCE_M), of the input's shape.

    Source: Koschmieder, "Theorie der horizontalen Sichtweite", 1924.
    """
    return np.asarray(1 - np.exp(-np.asarray(distance_m, float) / HAZE_DISTANCE_M))
