"""Access control: token, host, origin, headers and time limits."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from crowdgan_plot.viewer import access
from crowdgan_plot.viewer.access import HEADERS, AccessControl

TOKEN = "secret-token"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"path {Request(scope).url.path}")(scope, receive, send)


def call(
    path: str = "/", query: str = "", method: str = "GET", app: Any = answer, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request."""
    messages: list[Message] = []
    lines = {"host": "localhost:8765", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in lines.items()],
        "server": ("127.0.0.1", 8765),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(AccessControl(app, TOKEN)(scope, receive, send))
    start = messages[0]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body


def cookie() -> str:
    """The cookie that the address with the token sets."""
    return call(query=f"token={TOKEN}")[1]["set-cookie"].split(";")[0]


def test_the_token_is_exchanged_for_a_cookie() -> None:
    status, headers, _ = call(query=f"token={TOKEN}&seed=3")
    assert (status, headers["location"]) == (303, "/?seed=3")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(headers["set-cookie"].split("; "))
    assert TOKEN not in headers["location"]
    assert call(cookie=cookie())[::2] == (200, b"path /")


def test_requests_without_the_token_are_refused() -> None:
    for values in ({}, {"cookie": "crowdgan-view-00000000=secret-token"}, {"cookie": "a=b"}, {"cookie": "é=ü"}):
        status, headers, body = call(**values)
        assert status == 403
        assert b"open the address that crowdgan view printed" in body
        assert HEADERS.items() <= {name.title(): value for name, value in headers.items()}.items()
    assert call(query="token=wrong", cookie=cookie())[0] == 403
    assert call(query="token=%FF%00", cookie=cookie())[0] == 403


def test_the_redirect_stays_on_the_server() -> None:
    for path in ("//example.org", "/\\example.org", "example.org"):
        location = call(path=path, query=f"token={TOKEN}")[1]["location"]
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8765", "LOCALHOST:8765"])
def test_the_host_is_compared_by_name(host: str) -> None:
    assert call(host=host, cookie=cookie())[0] == 200


@pytest.mark.parametrize(
    "host", ["example.org", "localhost.example.org", "127.0.0.2", "", "[::1", "0.0.0.0", "localhost@example.org"]
)
def test_other_hosts_are_refused(host: str) -> None:
    assert call(host=host, cookie=cookie())[::2] == (403, b"the host is not localhost\n")


def test_other_origins_and_sites_are_refused() -> None:
    for origin in ("http://example.org", "null", "http://localhost:1", "https://localhost:8765"):
        assert call(origin=origin, cookie=cookie())[0] == 403
    assert call(origin="http://localhost:8765", cookie=cookie())[0] == 200
    for site, status in {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}.items():
        assert call(sec_fetch_site=site, cookie=cookie())[0] == status
    assert call(query=f"token={TOKEN}", sec_fetch_site="cross-site")[0] == 403


def test_other_methods_and_long_queries_are_refused() -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert call(method=method, cookie=cookie())[0] == 405
    assert call(method="HEAD", cookie=cookie())[0] == 200
    assert call(query="x=" + "1" * 2000, cookie=cookie())[0] == 414


def test_responses_have_security_headers_and_are_not_stored() -> None:
    _, headers, _ = call(cookie=cookie())
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    for name in ("x-content-type-options", "referrer-policy", "cross-origin-resource-policy"):
        assert name in headers

    async def cached(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(b"", headers={"Cache-Control": "private"})(scope, receive, send)

    assert call(app=cached, cookie=cookie())[1]["cache-control"] == "private"


def test_slow_requests_end_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REQUEST_TIMEOUT_S", 0.05)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(60)

    assert call(app=slow, cookie=cookie())[::2] == (503, b"no result after 0.05 s\n")


def test_websockets_are_ignored() -> None:
    asyncio.run(AccessControl(answer, TOKEN)({"type": "websocket"}, None, None))  # type: ignore[arg-type]
