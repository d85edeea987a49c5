"""The command `crowdgan view`: its views, messages, Ctrl-C, and its use through a forwarded port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from crowdgan_core.api import load_generator
from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError, CrowdganError
from crowdgan_core.models.latent_file import encode_latent
from crowdgan_core.models.latent_generator import LatentGenerator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_plot.viewer.dataset.view import DatasetView
from crowdgan_plot.viewer.model.view import ModelView
from crowdgan_plot.viewer.projection.view import ProjectionView, read_target
from crowdgan_plot.viewer.run.view import RunView
from crowdgan_plot.viewer.server import has_display, open_socket
from crowdgan_plot.viewer.targets import ViewOptions, open_view
from tests.support.run_folders import write_run
from tests.support.training import write_dataset
from tests.support.viewer import open_browser

START_TIMEOUT_S = 60.0

DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION")


@contextmanager
def started_viewer(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs `crowdgan view` without a display; yields the process and the printed address."""
    environment = {name: value for name, value in os.environ.items() if name not in DISPLAY_VARIABLES}
    command = [sys.executable, "-m", "crowdgan_core", "view", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)
        assert match is not None, line + process.stdout.read()
        yield process, match[0]
    finally:
        process.kill()
        process.communicate()


def fetch(url: str) -> bytes:
    """The body of the page of a printed address."""
    with build_opener(HTTPCookieProcessor()).open(url, timeout=START_TIMEOUT_S) as response:
        body: bytes = response.read()
        return body


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_pretrained_model_is_shown_without_display_until_ctrl_c() -> None:
    with started_viewer() as (process, url):
        assert process.stdout is not None
        assert "ssh -L" in process.stdout.readline()
        assert b"crowds64" in fetch(url)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert (process.returncode, output) == (0, "")


@contextmanager
def forwarded(port: int) -> Iterator[int]:
    """Forwards a port, as `ssh -L` does; yields the local port."""

    def copy(source: socket.socket, dest: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                dest.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, dest):
                end.close()

    def accept(listener: socket.socket) -> None:
        try:
            while True:
                local, _ = listener.accept()
                remote = socket.create_connection(("127.0.0.1", port))
                for pair in ((local, remote), (remote, local)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def test_a_forwarded_port_is_used_in_the_browser() -> None:
    with open_browser() as browser, started_viewer() as (_, url):
        port = int(url.split(":")[2].split("/")[0])
        with forwarded(port) as local_port:
            page = browser.new_page()
            page.goto(url.replace(f":{port}/", f":{local_port}/"))
            page.wait_for_selector(".tile[data-query]:last-child")
            assert page.url.startswith(f"http://127.0.0.1:{local_port}/?density=")


def opened(path: Path | None, **options: object) -> object:
    return open_view(path, ViewOptions(device="cpu", **options), installed_plugins())  # type: ignore[arg-type]


def test_the_kind_of_a_path_is_recognised(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs" / "00003-run", snapshots=(0,))
    assert isinstance(opened(None), ModelView)
    assert isinstance(opened(Path("crowds64")), ModelView)
    assert isinstance(opened(run), RunView)
    newest = opened(run.parent)
    assert isinstance(newest, RunView)
    assert newest.title == "00003-run"
    assert isinstance(opened(write_dataset(tmp_path / "crowds.zip")), DatasetView)
    generator = load_generator("crowds64", "cpu")
    assert isinstance(generator, LatentGenerator)
    latents = generator.map_seeds([1], np.array([[0.5]], np.float32))
    (tmp_path / "a.npz").write_bytes(encode_latent(latents, {"label": [0.5], "model": "crowds64"}))
    assert isinstance(opened(tmp_path / "a.npz"), ProjectionView)


def test_a_folder_that_is_named_by_a_dot_has_its_name_as_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_dataset(tmp_path / "crowds"))
    view = opened(Path())
    assert isinstance(view, DatasetView)
    assert view.title == "crowds"


def test_a_target_of_another_size_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "target.png")
    assert read_target(tmp_path / "target.png", (32, 32)).shape == (32, 32, 3)
    with pytest.raises(ConfigError, match="the target is 32x32 px; the images of the model are 64x48 px"):
        read_target(tmp_path / "target.png", (48, 64))


def test_folders_of_several_projections_are_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "projected_w.npz").touch()
    with pytest.raises(ConfigError, match="a folder of 2 projections; name one, for example"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["missing.zip"], "no such file or folder"),
        (["crowds64", "--network", "crowds64"], "--network does not apply to a model"),
        (["crowds64", "--data", "missing.zip"], "missing.zip"),
        (["crowds64", "--annotations", "a.odgt"], "--annotations is given without --source"),
        (["crowds64", "--port", "1"], "--port 1"),
    ],
)
def test_errors_are_reported_before_the_server_starts(
    options: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CrowdganError, match=problem):
        CliRunner().invoke(build_tree(installed_plugins()), ["view", *options], catch_exceptions=False)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("crowdgan_plot.viewer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'crowdgan-plot[viewer]'")):
        CliRunner().invoke(build_tree(installed_plugins()), ["view"], catch_exceptions=False)


def test_responses_are_sent_at_once() -> None:
    """The protocol of the socket is stated; without it, asyncio does not disable Nagle's algorithm."""
    with open_socket(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_the_default_port_is_replaced_if_it_is_in_use() -> None:
    with open_socket(0) as used:
        port = used.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: .*in use.*--port 0 selects a free port"):
            open_socket(port)
    with open_socket(None) as first, open_socket(None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"


def test_a_browser_is_opened_only_with_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in DISPLAY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()
    monkeypatch.setenv("SSH_CONNECTION", "a b c d")
    assert not has_display()
