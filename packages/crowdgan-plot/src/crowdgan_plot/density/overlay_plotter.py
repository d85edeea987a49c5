"""Plotter of the density overlays of `crowdgan label --plot`; importing it does not load matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_plot.output import import_matplotlib


@dataclass(frozen=True)
class OverlayPlotter:
    """Draws the figure of `crowdgan plot density` for a measured image."""

    name: str = "overlay"

    def draw(
        self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate | None = None
    ) -> bytes:
        """A PNG file: the image with boxes, and the layers of the estimator over it; None estimates the density."""
        import_matplotlib()
        from crowdgan_plot.density.estimate_figure import ESTIMATE_DPI, plot_estimate
        from crowdgan_plot.style import encode_figure, plot_style

        with plot_style():
            return encode_figure(plot_estimate(pixels, scene, estimator, density), "png", dpi=ESTIMATE_DPI)
