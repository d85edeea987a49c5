"""The model page, and the models that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crowdgan_plot.viewer.app import Link, render_page
from crowdgan_plot.viewer.image_routes import ImageRoutes
from crowdgan_plot.viewer.jobs import LatestJobs
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.model.density_controls import density_controls, strip_densities
from crowdgan_plot.viewer.model.images import ModelImages


class ModelSource(Protocol):
    """The model of a page. The methods are called in the thread of the jobs."""

    @property
    def is_live(self) -> bool:
        """Whether a newer model can appear."""
        ...

    def loaded(self) -> ModelImages:
        """The model that was loaded last."""
        ...

    def refresh(self) -> ModelImages:
        """The newest model."""
        ...


class FixedModel:
    """One model, an implementation of `ModelSource`."""

    is_live = False

    def __init__(self, images: ModelImages) -> None:
        self._images = images

    def loaded(self) -> ModelImages:
        """The model."""
        return self._images

    def refresh(self) -> ModelImages:
        """The model."""
        return self._images


class ModelPage:
    """The model page and its data.

    Args:
        source: the model.
        jobs: runs the computations.
        measured: measures the density of images; None without a dataset.
        path: address of the page.
        title: title of the page.
        links: links to the pages of the view.
    """

    def __init__(
        self,
        source: ModelSource,
        jobs: LatestJobs,
        measured: MeasuredDensity | None,
        *,
        path: str,
        title: str,
        links: Sequence[Link] = (),
    ) -> None:
        self._source, self._jobs, self._measured = source, jobs, measured
        self._path, self._title, self._links = path, title, links

    def routes(self) -> Sequence[BaseRoute]:
        """The page, the description of the model, and its images."""
        images = ImageRoutes(self._source.loaded, self._jobs, self._measured)
        return [Route(self._path, self._page), Route("/description", self._description), *images.routes()]

    async def _page(self, request: Request) -> Response:
        data = await self._jobs.run(None, self._describe)
        return render_page("model.html", title=self._title, data=data, links=self._links, path=self._path)

    async def _description(self, request: Request) -> Response:
        return JSONResponse(await self._jobs.run(None, self._describe, "strip"))

    def _describe(self) -> dict[str, Any]:
        """The model and its controls, JSON-ready."""
        images = self._source.refresh()
        return {
            **images.describe_model(),
            "density": density_controls(images.card),
            "strip": strip_densities(images.card),
            "controls": images.controls,
            "is_measured": self._measured is not None,
            "is_live": self._source.is_live,
        }


class ModelView:
    """View of one model."""

    def __init__(self, images: ModelImages, measured: MeasuredDensity | None = None) -> None:
        self.title = images.file
        self._page = ModelPage(FixedModel(images), LatestJobs(), measured, path="/", title=self.title)

    def routes(self) -> Sequence[BaseRoute]:
        """The model page and its data."""
        return self._page.routes()
