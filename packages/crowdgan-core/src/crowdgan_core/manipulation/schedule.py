"""Learning rate of the optimisations.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix D.
"""

from __future__ import annotations

import math

WARM_UP, COOL_DOWN = 0.05, 0.25
"""Fractions of the steps in which the learning rate rises linearly from 0, and falls to 0 as a cosine."""


def learning_rate_factor(t: float) -> float:
    """Factor of the learning rate, 0 to 1, at the fraction `t` of the steps."""
    rise = min(1.0, t / WARM_UP)
    fall = min(1.0, (1 - t) / COOL_DOWN)
    return rise * (0.5 - 0.5 * math.cos(math.pi * fall))
