"""The projection page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.io.stored_images import ImageFile
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import format_size
from crowdgan_plot.viewer.app import render_page
from crowdgan_plot.viewer.encoding import encode_image, image_response
from crowdgan_plot.viewer.image_routes import ImageRoutes
from crowdgan_plot.viewer.jobs import LatestJobs
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.model.density_controls import density_controls, source_density, strip_densities
from crowdgan_plot.viewer.projection.images import ProjectionImages


class ProjectionView:
    """View of a projection.

    Args:
        images: images of the projected latent.
        title: name of the projection.
        measured: measures the density of images; None without a dataset.
    """

    def __init__(self, images: ProjectionImages, title: str, measured: MeasuredDensity | None = None) -> None:
        self.title = title
        self._images, self._jobs, self._measured = images, LatestJobs(), measured

    def routes(self) -> Sequence[BaseRoute]:
        """The page, the target, and the images of edits."""
        images = ImageRoutes(lambda: self._images, self._jobs, self._measured)
        own = [Route("/", self._page), Route("/target", self._target), Route("/reconstruction", self._reconstruction)]
        return [*own, *images.routes()]

    async def _page(self, request: Request) -> Response:
        data = await self._jobs.run(None, self._describe)
        return render_page("projection.html", title=self.title, data=data)

    async def _target(self, request: Request) -> Response:
        """The target, as a PNG file; the reconstruction if the target is unknown."""
        return image_response(encode_image(self._images.reference))

    async def _reconstruction(self, request: Request) -> Response:
        """The image of the latent, as a PNG file."""
        return image_response(encode_image(self._images.reconstruction))

    def _describe(self) -> dict[str, Any]:
        images = self._images
        num_layers, _ = images.generator.latent_shape
        return {
            **images.describe_model(),
            "density": density_controls(images.card) if images.can_edit else None,
            "strip": strip_densities(images.card) if images.can_edit else [],
            "num_layers": num_layers,
            "source": images.describe_source(),
            "source_density": None if images.source is None else source_density(images.card, images.source),
            "has_target": images.target is not None,
            "psnr_db": images.psnr_db,
            "is_measured": self._measured is not None,
        }


def read_target(path: Path, size: tuple[int, int]) -> ImageArray:
    """The target of a projection, `[height, width, 3]`.

    Raises:
        ConfigError: it has another size than the images of the model.
        DatasetError: the file is damaged.
    """
    file = ImageFile(path)
    pixels = np.asarray(to_upright_rgb(file.open(), file.where))
    height, width, _ = pixels.shape
    if (height, width) != size:
        sizes = format_size((height, width)), format_size(size)
        raise ConfigError(f"{path}: the target is {sizes[0]} px; the images of the model are {sizes[1]} px")
    return pixels
