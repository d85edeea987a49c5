"""Requests for images of a page's state: the image, files to save, the equivalent command, the measured density."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata
from crowdgan_core.models.latent_file import encode_latent
from crowdgan_core.models.latent_generator import LatentArray
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_plot.viewer.encoding import IMAGE_FORMATS, encode_image, image_response
from crowdgan_plot.viewer.jobs import PRIORITIES, LatestJobs, Priority
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.query import Query

State = TypeVar("State")

CLIENT = re.compile(r"[a-z0-9]{0,20}")
"""Names of clients, which the pages choose at random."""


class StateImages(Protocol[State]):
    """Images as a function of a state, which a query describes. The methods are called in one thread."""

    def parse(self, query: Query) -> State:
        """The state of a query."""
        ...

    def image(self, state: State) -> ImageArray:
        """The image of a state, `[height, width, 3]`."""
        ...

    def latents(self, state: State) -> LatentArray:
        """Intermediate latents of a state, `[1, num_layers, latent_dim]`."""
        ...

    def record(self, state: State) -> dict[str, Any]:
        """The generation record of an image, JSON-ready."""
        ...

    def file_name(self, state: State) -> str:
        """Name of the image file."""
        ...

    def details(self, state: State) -> dict[str, Any]:
        """Texts about a state, JSON-ready."""
        ...


class ImageRoutes:
    """Routes of the images of a page.

    Args:
        images: returns the images; called in the thread of the jobs.
        jobs: runs the computations.
        measured: measures the density of images; None without a dataset.
    """

    def __init__(
        self, images: Callable[[], StateImages[Any]], jobs: LatestJobs, measured: MeasuredDensity | None
    ) -> None:
        self._images, self._jobs, self._measured = images, jobs, measured

    def routes(self) -> Sequence[BaseRoute]:
        """Routes of the image, the measured density, texts, and files to save."""
        return [
            Route("/image", self._image),
            Route("/measurement", self._measurement),
            Route("/details", self._details),
            Route("/save", self._save),
            Route("/latents", self._latents),
        ]

    async def _image(self, request: Request) -> Response:
        """The image of a state for the page, as PNG or JPEG; `client` and `purpose` name the requests it replaces."""
        query = Query(request.query_params)
        image_format: Any = query.choice("format", IMAGE_FORMATS)
        purpose: Any = query.choice("purpose", PRIORITIES[:2])

        def compute() -> bytes:
            images = self._images()
            return encode_image(images.image(images.parse(query)), image_format)

        return image_response(await self._run(query, purpose, compute), image_format)

    async def _measurement(self, request: Request) -> Response:
        """The measured density of a state."""
        query, measured = Query(request.query_params), self._measured
        if measured is None:
            raise ConfigError("the density is measured only with --data")

        def compute() -> dict[str, Any]:
            images = self._images()
            return measured.measure(images.image(images.parse(query)))

        return JSONResponse(await self._run(query, "measurement", compute))

    async def _details(self, request: Request) -> Response:
        """Texts about a state: the equivalent command and warnings."""
        query = Query(request.query_params)

        def compute() -> dict[str, Any]:
            images = self._images()
            return images.details(images.parse(query))

        return JSONResponse(await self._run(query, "strip", compute, name="details"))

    async def _save(self, request: Request) -> Response:
        """The image of a state as a PNG file with its generation record."""
        query = Query(request.query_params)

        def compute() -> tuple[str, bytes]:
            images = self._images()
            state = images.parse(query)
            return images.file_name(state), encode_png_with_metadata(images.image(state), images.record(state))

        name, data = await self._jobs.run(None, compute)
        return _attachment(data, name, "image/png")

    async def _latents(self, request: Request) -> Response:
        """The latents of a state as a latent file with its record."""
        query = Query(request.query_params)

        def compute() -> tuple[str, bytes]:
            images = self._images()
            state = images.parse(query)
            return latent_file_name(images.file_name(state)), encode_latent(images.latents(state), images.record(state))

        name, data = await self._jobs.run(None, compute)
        return _attachment(data, name, "application/octet-stream")

    async def _run(self, query: Query, priority: Priority, compute: Callable[[], Any], name: str = "") -> Any:
        """The result of a job of the client of a query; its key is the client and the priority, or another name."""
        client = query.text("client")
        if CLIENT.fullmatch(client) is None:
            raise ConfigError(f"client is {client!r:.40}; it must consist of at most 20 lower-case letters and digits")
        return await self._jobs.run(f"{client} {name or priority}", compute, priority)


def latent_file_name(image_name: str) -> str:
    """Name of the latent file of an image."""
    return f"{image_name.removesuffix('.png')}.npz"


def _attachment(data: bytes, name: str, media_type: str) -> Response:
    """A file to save."""
    headers = {"Content-Disposition": f"attachment; filename={json.dumps(name, ensure_ascii=True)}"}
    return Response(data, media_type=media_type, headers=headers)
