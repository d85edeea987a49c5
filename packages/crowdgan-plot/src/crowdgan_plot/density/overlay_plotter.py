"""What draws the overlay images of `crowdgan label --plot`; importing it does not load matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import ImageArray


@dataclass(frozen=True)
class OverlayPlotter:
    """Draws a measured image as `crowdgan plot density` does."""

    name: str = "overlay"

    def draw(self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        """A PNG file: the image with its boxes, and what the estimator says of it."""
        from crowdgan_plot.density.estimate_figure import (  # here, because `--help` loads no matplotlib
            DPI,
            density_figure,
            explain_image,
        )
        from crowdgan_plot.style import encode_figure, plot_style

        with plot_style():
            return encode_figure(density_figure(explain_image(pixels, scene, estimator, density)), "png", dpi=DPI)
