"""The viewer in a thread, and pages of it in Debian's Chromium."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import numpy as np
import pytest
import uvicorn

from crowdgan_plot.viewer.app import View, create_app
from crowdgan_plot.viewer.server import open_socket
from tests.support.browsers import installed_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "secret"

READ_PIXELS = """image => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  let text = "";
  for (const value of context.getImageData(0, 0, canvas.width, canvas.height).data) text += String.fromCharCode(value);
  return [canvas.width, canvas.height, btoa(text)];
}"""
"""Returns the size and the RGBA pixels of an image element."""

LOCAL_SCHEMES = ("blob", "data")
"""Addresses that are not requests to a server."""


@contextmanager
def running_viewer(view: View) -> Iterator[str]:
    """Serves a view in a thread; yields its address `http://127.0.0.1:PORT`, without the token."""
    listener = open_socket(0)
    config = uvicorn.Config(
        create_app(view, TOKEN), log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server did not stop"


@dataclass
class PageLog:
    """Everything that a page requested, and its console."""

    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Checks that there are no messages, and that all requests went to this computer."""
        assert self.console == []
        remote = [
            url
            for url in self.requests
            if urlsplit(url).scheme not in LOCAL_SCHEMES and urlsplit(url).hostname not in ("127.0.0.1", "localhost")
        ]
        assert remote == []


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The installed Chromium, driven by playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = installed_browser()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-quic"])
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, address: str, query: str = "", **options: Any) -> tuple[Page, PageLog]:
    """A page of the viewer in a new browser context, authorised by the token, and its log.

    Args:
        browser: from `open_browser`.
        address: from `running_viewer`.
        query: query of the page, without `?`.
        options: options of the browser context, such as `viewport`.
    """
    page = browser.new_context(**options).new_page()
    log = PageLog()
    page.on("request", lambda request: log.requests.append(request.url))
    page.on("console", lambda message: log.console.append(message.text))
    page.on("pageerror", lambda error: log.console.append(str(error)))
    page.goto(f"{address}/?token={TOKEN}" + (f"&{query}" if query else ""))
    return page, log


def shown_pixels(page: Page, selector: str) -> np.ndarray:
    """Pixels of an image of a page, `[height, width, 3]`, as the browser has decoded it."""
    width, height, data = page.eval_on_selector(selector, READ_PIXELS)
    pixels = np.frombuffer(base64.b64decode(data), np.uint8)
    return pixels.reshape(height, width, 4)[..., :3]


def authorised_opener(address: str) -> OpenerDirector:
    """Opens addresses of the viewer with its cookie, without a browser."""
    opener = build_opener(HTTPCookieProcessor())
    opener.open(f"{address}/static/icon.svg?token={TOKEN}").close()
    return opener
