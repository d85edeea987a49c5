"""`crowdgan plot run` as a user runs it, and its page in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.run_folders import write_run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--window-size=1280,900", "--virtual-time-budget=8000"),
]

LOOK = """
<script>
function seen(image) { return image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 0; }
function shownFrames() { return Array.from(document.querySelectorAll("#film img")).filter(seen).map(i => i.alt); }
addEventListener("load", () => {
  const found = { first: shownFrames(), frames: [], charts: [], reals: seen(document.querySelector(".samples img")) };
  const slider = document.getElementById("slider");
  for (let i = 0; i <= Number(slider.max); i++) {
    slider.value = i;
    slider.dispatchEvent(new Event("input"));
    found.frames.push(...shownFrames());
  }
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    found.charts.push(box.width > 300 && box.height > 100);
  }
  found.overflow = document.documentElement.scrollWidth > innerWidth;
  const paper = () => getComputedStyle(document.body).backgroundColor;
  found.papers = [paper()];
  document.getElementById("theme").click();
  found.papers.push(paper());
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  document.getElementById("play").click();
  setTimeout(() => {
    found.played = shownFrames();
    const out = document.createElement("pre");
    out.id = "found";
    out.textContent = JSON.stringify(found);
    document.body.append(out);
  }, 5000);
});
</script>
"""
"""Looks at the page as a reader would, and writes down what it saw."""


def plot_run(*arguments: str | Path) -> Result:
    texts = ["plot", "run", *map(str, arguments)]
    return CliRunner().invoke(build_tree(installed_plugins()), texts, catch_exceptions=False)


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """The command line that opens a page, prints it as it then is, and its console on stderr."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser to open the page in: none of {', '.join(BROWSERS)} is installed")
    return [found, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]


def opened(browser: list[str], page: Path) -> tuple[str, list[str]]:
    """A page as it is once its scripts have run, and what its console says."""
    run = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def test_a_run_becomes_a_page(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "page.html"
    result = plot_run(run, "--out", out)
    assert (result.exit_code, result.stderr) == (0, f"written: {out}\n")
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(CrowdganError, match="it exists already"):
        plot_run(run, "--out", out)
    plot_run(run, "--out", out, "--overwrite", "--smooth", "20")


def test_other_names_than_those_of_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CrowdganError, match=re.escape("its name must end in one of .html, .htm")):
        plot_run(tmp_path / "nowhere", "--out", tmp_path / "page.pdf")


def test_a_browser_shows_every_image_and_chart_without_an_error(tmp_path: Path, browser: list[str]) -> None:
    out = tmp_path / "page.html"
    plot_run(write_run(tmp_path / "run"), "--out", out)
    out.write_text(out.read_text(encoding="utf-8").replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    text, said = opened(browser, out)
    assert said == []
    match = re.search(r'<pre id="found">(.*?)</pre>', text)
    assert match is not None
    found = json.loads(match[1])
    assert found["reals"]
    assert found["first"] == ["200 kimg"]
    assert found["frames"] == ["before the training", "0 kimg", "100 kimg", "200 kimg"]
    assert found["played"] == ["200 kimg"]
    assert found["charts"] == [True] * 7
    assert not found["overflow"]
    assert len(set(found["papers"])) == 2


def test_a_browser_tells_of_an_error(tmp_path: Path, browser: list[str]) -> None:
    """So that the silence of the page above means something."""
    page = tmp_path / "wrong.html"
    page.write_text("<!DOCTYPE html><title>x</title><script>nothing.at.all()</script>")
    _, said = opened(browser, page)
    assert len(said) == 1
    assert "nothing is not defined" in said[0]
