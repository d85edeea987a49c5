"""The web application of the viewer: pages, static files and errors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from crowdgan_core.errors import CrowdganError, PluginError
from crowdgan_plot.viewer.access import AccessControl
from crowdgan_plot.viewer.jobs import SupersededError

logger = logging.getLogger(__name__)

_templates = Environment(
    loader=PackageLoader("crowdgan_plot.viewer"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


class View(Protocol):
    """The view of a model, a run, a dataset or a projection."""

    @property
    def title(self) -> str:
        """Title of the pages, and first line of the output of `crowdgan view`."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Pages and data; `/` is the first page."""
        ...


def create_app(view: View, token: str) -> ASGIApp:
    """The application, which answers only requests with the token, see `AccessControl`."""
    static = Mount("/static", StaticFiles(packages=[("crowdgan_plot.viewer", "static")]))
    handlers: dict[Any, Any] = {
        CrowdganError: _answer_error,
        PluginError: _answer_failure,
        SupersededError: _answer_superseded,
        Exception: _answer_failure,
    }
    return AccessControl(Starlette(routes=[*view.routes(), static], exception_handlers=handlers), token)


@dataclass(frozen=True)
class Link:
    """A link to another page of a view."""

    address: str
    name: str
    id: str
    """Identifier of the element."""


def render_page(
    template: str, *, title: str, data: Any, path: str = "/", links: Sequence[Link] = (), **context: Any
) -> Response:
    """A page from a template.

    Args:
        template: name of the template.
        title: title of the page.
        data: JSON-ready data for the script of the page.
        path: address of the page.
        links: links to the pages of the view.
        context: further values for the template.
    """
    page = _templates.get_template(template)
    return HTMLResponse(page.render(title=title, data=data, path=path, links=links, **context))


def _answer_error(request: Request, error: Exception) -> Response:
    """The message of an error of the user's input, as a page for the address bar, otherwise as JSON."""
    if request.headers.get("sec-fetch-dest") == "document":
        return HTMLResponse(_templates.get_template("error.html").render(message=str(error)), HTTPStatus.BAD_REQUEST)
    return JSONResponse({"error": str(error)}, HTTPStatus.BAD_REQUEST)


def _answer_superseded(_request: Request, _error: Exception) -> Response:
    """A newer request has replaced this one."""
    return JSONResponse({"error": "a newer request replaced this one"}, HTTPStatus.CONFLICT)


def _answer_failure(request: Request, error: Exception) -> Response:
    """An unexpected error, whose traceback only the server shows."""
    logger.error("error in %s", request.url.path, exc_info=error)
    message = "unexpected error; see the output of crowdgan view"
    return JSONResponse({"error": message}, HTTPStatus.INTERNAL_SERVER_ERROR)
