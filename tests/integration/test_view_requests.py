"""Requests to the viewer without a browser: malformed parameters, paths, foreign origins and many requests."""

from __future__ import annotations

import http.client
import random
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector

import numpy as np
import pytest
from starlette.routing import Route

from crowdgan_core.api import open_dataset
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_plot.viewer.app import View
from crowdgan_plot.viewer.dataset.view import DatasetView
from crowdgan_plot.viewer.model.images import ModelImages
from crowdgan_plot.viewer.model.view import ModelView
from crowdgan_plot.viewer.projection.images import ProjectionImages
from crowdgan_plot.viewer.projection.view import ProjectionView
from crowdgan_plot.viewer.run.view import RunView
from tests.support.linear_generator import LinearGenerator
from tests.support.run_folders import write_run
from tests.support.training import write_dataset
from tests.support.viewer import TOKEN, authorised_opener, running_viewer

NUM_REQUESTS = 2000

PARAMETERS = (
    *("seed", "density", "label", "trunc", "cutoff", "mean", "x", "y", "rotate", "noise", "walk", "walk_seed"),
    *("mix_seed", "mix_layers", "client", "format", "purpose", "index", "lines", "page", "sort", "order", "token2"),
    *("show", "layers", "strength", "classes", "min", "max", "search", "ambiguous", "unknown", "boxes", "session"),
)

VALUES = (
    *("0", "1", "-1", "1e999", "nan", "inf", "-inf", "4294967296", "9" * 400, "0x10", "1_0", "٣", "", " ", "all"),
    *("../../etc/passwd", "%00", "\x00", "<script>alert(1)</script>", "'; drop", "${7*7}", "0-3", "0-99", "5-1", "a,b"),
    *("png", "jpeg", "strip", "none", "random", "ü" * 100, "1.5", "0.5", "\ud7ff", "__class__", "{}", "[]"),
)


class RunWithModel(RunView):
    """A run whose newest snapshot is a generator without file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RunFolder(folder), lambda path: LinearGenerator("value"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("runs") / "run", lines=4, snapshots=(0,), tiles=1)
    (folder / "network-snapshot-000004.safetensors").touch()
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with running_viewer(RunWithModel(folder)) as address:
        yield address


def get(opener: OpenerDirector, url: str) -> tuple[int, str, bytes]:
    """Status, media type and body of a request."""
    try:
        with opener.open(url, timeout=60) as response:
            return response.status, response.headers.get_content_type(), response.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read()


def run_with_model(folder: Path) -> View:
    return RunWithModel(folder)


def dataset(folder: Path) -> View:
    return DatasetView(open_dataset(write_dataset(folder.parent / "crowds.zip")))


def projection(folder: Path) -> View:
    generator = LinearGenerator()
    latent = generator.map_seeds([1], np.array([[1, 0, 0]], np.float32))
    return ProjectionView(ProjectionImages(generator, "m", latent, (1.0, 0.0, 0.0), None, Path("a.npz")), "a.npz")


@pytest.mark.parametrize("create_view", [run_with_model, dataset, projection])
def test_fuzzed_requests_are_answered_without_an_internal_error(
    folder: Path, create_view: Callable[[Path], View]
) -> None:
    rng, view = random.Random(0), create_view(folder)
    paths = [route.path for route in view.routes() if isinstance(route, Route)]
    statuses: dict[int, int] = {}
    with running_viewer(view) as address:
        opener = authorised_opener(address)
        for _ in range(NUM_REQUESTS):
            names = rng.sample(PARAMETERS, rng.randint(0, 4))
            pairs = [(name, rng.choice(VALUES) or rng.choice(string.printable)) for name in names]
            if rng.random() < 0.05:
                pairs += pairs[:1]
            path = rng.choice(paths)
            status, _, body = get(opener, f"{address}{path}?{urlencode(pairs)}")
            statuses[status] = statuses.get(status, 0) + 1
            assert status in (200, 400, 414), (path, pairs, body[:300])
            assert b"Traceback" not in body
            assert b"site-packages" not in body
    assert statuses[200] > 100
    assert statuses[400] > 500


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1.1", "1e999", "x"])
def test_numbers_outside_their_range_are_refused(address: str, value: str) -> None:
    status, media_type, body = get(authorised_opener(address), f"{address}/image?walk={value}&walk_seed=1")
    assert (status, media_type) == (400, "application/json")
    assert b"it must be a number from 0 to 1" in body


def raw_request(address: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body of a request whose path is sent unchanged."""
    with closing(http.client.HTTPConnection(urlsplit(address).netloc)) as connection:
        connection.request("GET", path, headers=dict(headers))
        with connection.getresponse() as response:
            return response.status, response.read()


def cookie_of(opener: OpenerDirector) -> dict[str, str]:
    """The header with the cookie of the viewer."""
    (processor,) = [handler for handler in opener.handlers if isinstance(handler, HTTPCookieProcessor)]
    (cookie,) = processor.cookiejar
    return {"Cookie": f"{cookie.name}={cookie.value}"}


def test_files_outside_the_static_folder_cannot_be_read(address: str, folder: Path) -> None:
    secret = folder / "secret.txt"
    secret.write_text("secret content")
    headers = cookie_of(authorised_opener(address))
    for path in (
        "static/../app.py",
        "static/%2e%2e/app.py",
        "static/..%2fapp.py",
        "static/%2e%2e%2f%2e%2e%2fpyproject.toml",
        f"static/{quote(str(secret))}",
        f"static//{quote(str(secret))}",
        "secret.txt",
        "..%2f..%2fetc%2fpasswd",
        "static/",
        "grid/../secret.txt",
    ):
        status, body = raw_request(address, f"/{path}", headers)
        assert status in (400, 404), path
        assert b"secret content" not in body
        assert b"import" not in body


def test_requests_of_other_origins_hosts_and_without_token_are_refused(address: str) -> None:
    cookie, origin = cookie_of(authorised_opener(address)), f"http://{urlsplit(address).netloc}"
    expected_statuses: list[tuple[dict[str, str], int]] = [
        ({}, 403),
        (cookie, 200),
        ({**cookie, "Host": "attacker.example"}, 403),
        ({**cookie, "Origin": "http://attacker.example"}, 403),
        ({**cookie, "Origin": origin}, 200),
        ({**cookie, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**cookie, "Host": "localhost:1234"}, 200),
    ]
    for headers, expected in expected_statuses:
        assert raw_request(address, "/status", headers)[0] == expected, headers
    assert raw_request(address, "/static/style.css", {})[0] == 403
    assert raw_request(address, f"/static/style.css?token={TOKEN}", {})[0] == 303


def test_an_unexpected_error_is_answered_without_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(LinearGenerator):
        def generate(self, *arguments: object, **options: object) -> None:  # type: ignore[override]
            raise ZeroDivisionError("secret detail")

    view: View = ModelView(ModelImages(Faulty(), "m"))
    with running_viewer(view) as address:
        status, media_type, body = get(authorised_opener(address), f"{address}/image")
    assert (status, media_type) == (500, "application/json")
    assert b"secret" not in body
    assert "secret detail" in caplog.text, "the server's log has the traceback"
