"""Access control of the viewer: token, host and origin of requests, security headers, and time limits.

The viewer listens on the loopback interface only. Other users of a shared computer reach it too, and so do web pages in
the user's browser; hence the token, which only the printed address contains, and the checks of Host and Origin.
"""

from __future__ import annotations

import hashlib
import secrets
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import URL, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOWED_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names in the Host header; its port differs behind an SSH tunnel."""

ALLOWED_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site: requests of the viewer's pages, and addresses that the user enters."""

TOKEN_PARAMETER = "token"  # noqa: S105  # not a password

MAX_QUERY_BYTES = 2000

REQUEST_TIMEOUT_S = 120.0

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every response."""


class AccessControl:
    """ASGI middleware that answers only authorised requests of this computer, and limits their duration.

    Args:
        app: the application.
        token: the secret in the printed address; a cookie holds it afterwards.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token
        digest = hashlib.sha256(token.encode()).hexdigest()
        self._cookie = f"crowdgan-view-{digest[:8]}"  # cookies do not depend on the port: one name per viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        response = self._refusal(Request(scope))
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if response is None:
            try:
                with anyio.fail_after(REQUEST_TIMEOUT_S):
                    await self._app(scope, receive, send_with_headers)
                return
            except TimeoutError:
                if is_started:
                    return
                response = _text(HTTPStatus.SERVICE_UNAVAILABLE, f"no result after {REQUEST_TIMEOUT_S:g} s")
        await response(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """The response to a request that is not authorised, or that contains the token; None for other requests."""
        headers = request.headers
        if request.method not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "the viewer only reads")
        if len(request.scope["query_string"]) > MAX_QUERY_BYTES:
            return _text(HTTPStatus.REQUEST_URI_TOO_LONG, f"the query is longer than {MAX_QUERY_BYTES} bytes")
        host = headers.get("host", "")
        if _host_name(host) not in ALLOWED_HOSTS:
            return _text(HTTPStatus.FORBIDDEN, "the host is not localhost")
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return _text(HTTPStatus.FORBIDDEN, "the request comes from another origin")
        if headers.get("sec-fetch-site", "none") not in ALLOWED_SITES:
            return _text(HTTPStatus.FORBIDDEN, "the link is on another site; copy the address into the address bar")
        token = request.query_params.get(TOKEN_PARAMETER)
        if token is not None and secrets.compare_digest(token.encode(), self._token.encode()):
            return self._with_cookie(request.url)
        cookie = request.cookies.get(self._cookie, "")
        if token is not None or not secrets.compare_digest(cookie.encode(), self._token.encode()):
            return _text(HTTPStatus.FORBIDDEN, "open the address that crowdgan view printed")
        return None

    def _with_cookie(self, url: URL) -> Response:
        """Stores the token in a cookie, and redirects to the same address without it."""
        target = url.remove_query_params(TOKEN_PARAMETER)
        path = target.path if target.path.startswith("/") and not target.path.startswith("//") else "/"
        response = RedirectResponse(path + (f"?{target.query}" if target.query else ""), HTTPStatus.SEE_OTHER)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
        return response


def _host_name(host: str) -> str | None:
    """Name or address in a Host header, without the port; None if it is not valid."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _text(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)
