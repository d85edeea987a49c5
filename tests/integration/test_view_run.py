"""`crowdgan view` of a training run, in the browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from crowdgan_core.api import load_generator
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_plot.viewer.run.view import RunView
from tests.support.forked_commands import start_command
from tests.support.linear_generator import LinearGenerator
from tests.support.run_folders import stats_lines, write_run, write_stats
from tests.support.training import write_dataset
from tests.support.viewer import authorised_opener, open_browser, open_page, running_viewer, shown_pixels

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SMALL_RUN = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "4", "--workers", "0", "--tick", "0.008"]

LIVE_TIMEOUT_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


def run_view(folder: Path) -> RunView:
    return RunView(RunFolder(folder), lambda path: load_generator(path, "cpu"))


def test_statistics_and_samples_are_shown(browser: Browser, tmp_path: Path) -> None:
    with running_viewer(run_view(write_run(tmp_path / "00001-run"))) as address:
        page, log = open_page(browser, address, viewport={"width": 1200, "height": 5000})
        assert page.locator("h1").inner_text() == "00001-run"
        page.wait_for_selector('#facts:has-text("236 kimg")')
        charts = page.locator("#charts img")
        assert charts.count() == 9
        for chart in charts.all():
            chart.scroll_into_view_if_needed()
            chart.evaluate("image => image.decode()")
            assert chart.evaluate("image => image.naturalWidth") > 300
        page.wait_for_selector('#label:has-text("200 kimg")')
        last = shown_pixels(page, "#fakes")
        page.locator("#time").press("ArrowLeft")
        page.wait_for_selector('#label:has-text("100 kimg")')
        page.locator("#fakes").evaluate("image => image.decode()")
        assert not np.array_equal(shown_pixels(page, "#fakes"), last)
        page.locator("#time").press("Home")
        page.wait_for_selector('#label:has-text("before training")')
        page.locator("#play").click()
        page.wait_for_selector('#label:has-text("200 kimg")')
        page.wait_for_selector('#play:has-text("Play")')
        assert page.locator("#model-link").is_hidden(), "the run has no snapshot"
        page.locator("summary").click()
        assert "random_seed" in page.locator("details").inner_text()
        log.check()


def test_added_lines_appear_without_reloading(browser: Browser, tmp_path: Path) -> None:
    folder, lines = tmp_path / "run", stats_lines(30)
    write_stats(folder, lines[:10])
    with running_viewer(run_view(folder)) as address:
        page, log = open_page(browser, address)
        page.wait_for_selector('#charts[data-lines="10"]')
        write_stats(folder, lines)
        page.wait_for_selector('#charts[data-lines="30"]')
        page.wait_for_selector('#facts:has-text("116 kimg")')
        shutil.copy(write_run(tmp_path / "other") / "fakes000100.png", folder)
        page.wait_for_selector('#label:has-text("100 kimg")')
        log.check()


def test_grids_of_another_run_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    with running_viewer(run_view(write_run(tmp_path / "run"))) as address:
        response = authorised_opener(address).open(f"{address}/grid?index=0")
        with response:
            assert response.headers["Cache-Control"] == "no-store"


def test_a_run_without_snapshot_says_so_on_the_model_page(browser: Browser, tmp_path: Path) -> None:
    with running_viewer(run_view(write_run(tmp_path / "run"))) as address:
        page, _ = open_page(browser, address)
        page.goto(f"{address}/model")
        page.wait_for_selector('.alert:has-text("no network snapshot yet")')


def test_a_snapshot_with_other_labels_loads_the_page_again(browser: Browser, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "network-snapshot-000100.safetensors").touch()
    view = RunView(RunFolder(folder), lambda path: LinearGenerator("class" if "100" in path.name else None))
    with running_viewer(view) as address:
        page, log = open_page(browser, address)
        page.goto(f"{address}/model")
        page.wait_for_selector(".tile[data-query]:last-child")
        (folder / "network-snapshot-000200.safetensors").touch()
        page.wait_for_selector('#model-name:text-is("network-snapshot-000200.safetensors")')
        page.wait_for_selector("#image[data-query]")
        assert page.locator("#density-controls").is_hidden()
        log.check()


def test_the_page_fits_a_phone_in_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    backgrounds = set()
    with running_viewer(run_view(write_run(tmp_path / "run"))) as address:
        for scheme in ("light", "dark"):
            page, log = open_page(browser, address, viewport={"width": 380, "height": 800}, color_scheme=scheme)
            page.wait_for_selector("#charts img")
            assert page.evaluate("document.documentElement.scrollWidth") <= 380
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            has_filter = page.eval_on_selector("#charts img", "image => getComputedStyle(image).filter") != "none"
            assert has_filter == (scheme == "dark"), "dark pages invert the charts"
            log.check()
    assert len(backgrounds) == 2


def test_a_live_training_is_followed(browser: Browser, tmp_path: Path) -> None:
    """The page shows statistics, samples and the newest snapshot of a run that trains; it changes no file of it."""
    data, outdir = write_dataset(tmp_path / "crowds.zip"), tmp_path / "runs"
    training = start_command(
        "train", "stylegan3", "--outdir", outdir, "--data", data, *SMALL_RUN, "--kimg", "0.4", "--snap", "2"
    )
    try:
        run = _wait_for_run(outdir)
        with running_viewer(run_view(run)) as address:
            page, log = open_page(browser, address)
            page.wait_for_selector("#charts[data-lines]", timeout=LIVE_TIMEOUT_MS)
            first = int(page.locator("#charts").get_attribute("data-lines") or 0)
            page.wait_for_selector(f'#charts[data-lines]:not([data-lines="{first}"])', timeout=LIVE_TIMEOUT_MS)
            page.wait_for_selector("#model-link:not([hidden])", timeout=LIVE_TIMEOUT_MS)
            page.locator("#model-link").click()
            page.wait_for_selector(".tile[data-query]:last-child", timeout=LIVE_TIMEOUT_MS)
            name = page.locator("#model-name").inner_text()
            page.wait_for_selector(f'#model-name:not(:text-is("{name}"))', timeout=LIVE_TIMEOUT_MS)
            newer = page.locator("#model-name").inner_text()
            assert newer > name
            log.check()
    finally:
        training.kill()
        training.wait(timeout=60)


def _wait_for_run(outdir: Path) -> Path:
    deadline = time.monotonic() + 120
    while not (paths := list(outdir.glob("*/training_options.json"))):
        assert time.monotonic() < deadline, "training did not start"
        time.sleep(0.05)
    return paths[0].parent
