"""The pages of a training run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_plot.viewer.app import Link, render_page
from crowdgan_plot.viewer.encoding import image_response
from crowdgan_plot.viewer.jobs import LatestJobs
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.model.images import ModelImages
from crowdgan_plot.viewer.model.view import ModelPage
from crowdgan_plot.viewer.query import Query
from crowdgan_plot.viewer.run.monitor import RunMonitor

LINKS = (Link("/", "Training", "training-link"), Link("/model", "Newest model", "model-link"))
"""Pages of a run."""

MAX_INDEX = 1_000_000

logger = logging.getLogger(__name__)


class NewestSnapshot:
    """The newest network snapshot of a run, an implementation of `ModelSource`.

    Args:
        run: the run folder.
        load: loads a model file.
    """

    is_live = True

    def __init__(self, run: RunFolder, load: Callable[[Path], ImageGenerator]) -> None:
        self._run, self._load = run, load
        self._images: ModelImages | None = None
        self._path: Path | None = None

    def loaded(self) -> ModelImages:
        """The snapshot that was loaded last."""
        return self._images or self.refresh()

    def refresh(self) -> ModelImages:
        """The newest snapshot.

        Raises:
            ConfigError: the run has no snapshot yet.
        """
        snapshots = self._run.snapshots()
        if not snapshots:
            raise ConfigError(f"{self._run.path}: no network snapshot yet; training writes the first one after a while")
        path = snapshots[-1][1]
        if path != self._path:
            self._path = path  # a damaged one is not read again
            try:
                self._images = ModelImages(self._load(path), str(path))
            except CheckpointError as error:
                if self._images is None:
                    raise
                logger.warning("%s; the previous snapshot is shown", error)
        if self._images is None:
            raise ConfigError(f"{path}: cannot be read")
        return self._images


class RunView:
    """View of a run: a page that follows its training, and the model page of its newest snapshot.

    Args:
        run: the run folder.
        load: loads a model file.
        measured: measures the density of images; None without a dataset.
    """

    def __init__(
        self, run: RunFolder, load: Callable[[Path], ImageGenerator], measured: MeasuredDensity | None = None
    ) -> None:
        self.title = run.path.resolve().name
        self._monitor, self._jobs = RunMonitor(run), LatestJobs()
        newest = NewestSnapshot(run, load)
        self._model = ModelPage(newest, LatestJobs(), measured, path="/model", title=self.title, links=LINKS)

    def routes(self) -> Sequence[BaseRoute]:
        """The pages and their data."""
        return [
            Route("/", self._page),
            Route("/status", self._status),
            Route("/chart", self._chart),
            Route("/reals", self._reals),
            Route("/grid", self._grid),
            *self._model.routes(),
        ]

    async def _page(self, request: Request) -> Response:
        status = await self._jobs.run(None, self._monitor.poll)
        options = await self._jobs.run(None, self._monitor.options)
        return render_page("run.html", title=self.title, data=status, options=options, links=LINKS)

    async def _status(self, request: Request) -> Response:
        return JSONResponse(await self._jobs.run(None, self._monitor.poll))

    async def _chart(self, request: Request) -> Response:
        """A chart; the parameter `lines` only distinguishes addresses."""
        query = Query(request.query_params)
        index = query.integer("index", 0, 0, MAX_INDEX)
        query.integer("lines", 0, 0, MAX_INDEX)
        query.end()
        svg = await self._jobs.run(None, lambda: self._monitor.chart(index), "strip")
        return Response(svg, media_type="image/svg+xml")

    async def _reals(self, request: Request) -> Response:
        return image_response(await self._jobs.run(None, self._monitor.reals), "jpeg")

    async def _grid(self, request: Request) -> Response:
        query = Query(request.query_params)
        index = query.integer("index", 0, 0, MAX_INDEX)
        query.end()
        return image_response(await self._jobs.run(None, lambda: self._monitor.grid(index)), "jpeg")
