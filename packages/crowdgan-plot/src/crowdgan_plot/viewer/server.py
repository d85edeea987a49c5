"""Serves the viewer on the loopback interface until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from crowdgan_core.errors import ConfigError

ADDRESS = "127.0.0.1"

DEFAULT_PORT = 8765

MAX_CONNECTIONS = 100
"""Simultaneous connections; further ones are refused."""


def open_socket(port: int | None) -> socket.socket:
    """A listening socket on the loopback interface.

    Args:
        port: 0 for any free port; None for `DEFAULT_PORT`, or any free one if it is in use.

    Raises:
        ConfigError: the port cannot be used.
    """
    # With the protocol stated, asyncio sets TCP_NODELAY; otherwise each response waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, DEFAULT_PORT if port is None else port))
        listener.listen()
    except OSError as error:
        listener.close()
        if port is None:
            return open_socket(0)
        raise ConfigError(f"--port {port}: {error.strerror}; --port 0 selects a free port") from error
    return listener


def serve(app: ASGIApp, listener: socket.socket, *, on_start: Callable[[], object] | None = None) -> None:
    """Answers requests until Ctrl-C or SIGTERM; requests that are not answered yet are dropped.

    Args:
        app: the application.
        listener: a listening socket, which is closed at the end.
        on_start: called when the server answers requests.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="critical",  # the application logs errors
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=0,
    )
    server = _Server(config, on_start)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has stopped
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], object] | None) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_start is not None:
            self._on_start()


def has_display() -> bool:
    """Whether a browser can be opened: a desktop session, not a remote shell."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Opens an address in the user's browser, without waiting for it."""
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
