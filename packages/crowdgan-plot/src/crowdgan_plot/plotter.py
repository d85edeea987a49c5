"""What draws the overlay pictures of `crowdgan label --plot`; importing it does not load matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.dataset import Pixels
from crowdgan_core.density import Density, DensityEstimator
from crowdgan_core.scene import Scene


@dataclass(frozen=True)
class OverlayPlotter:
    """Draws a measured picture as `crowdgan plot density` does."""

    name: str = "overlay"

    def draw(self, pixels: Pixels, scene: Scene, estimator: DensityEstimator, density: Density) -> bytes:
        """A PNG file: the picture with its boxes, and what the estimator says of it."""
        from crowdgan_plot.density import DPI, density_figure, measured  # here, because `--help` loads no matplotlib
        from crowdgan_plot.style import encoded, styled

        with styled():
            return encoded(density_figure(measured(pixels, scene, estimator, density)), "png", dpi=DPI)
