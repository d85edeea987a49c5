"""`crowdgan plot run` from the command line, and its report in a browser."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.browsers import installed_browser
from tests.support.run_folders import write_run

BROWSER_OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--window-size=1280,900", "--virtual-time-budget=8000"),
]

INSPECTION_SCRIPT = """
<script>
function isVisible(image) {
  return image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 0;
}
function shownFrames() { return Array.from(document.querySelectorAll("#film img")).filter(isVisible).map(i => i.alt); }
addEventListener("load", () => {
  const observed = { first: shownFrames(), frames: [], charts: [] };
  observed.reals = isVisible(document.querySelector(".samples img"));
  const slider = document.getElementById("slider");
  for (let i = 0; i <= Number(slider.max); i++) {
    slider.value = i;
    slider.dispatchEvent(new Event("input"));
    observed.frames.push(...shownFrames());
  }
  for (const chart of document.querySelectorAll(".charts img")) {
    const box = chart.getBoundingClientRect();
    observed.charts.push(isVisible(chart) && box.width > 300 && box.height > 100);
  }
  observed.overflow = document.documentElement.scrollWidth > innerWidth;
  const background = () => getComputedStyle(document.body).backgroundColor;
  observed.backgrounds = [background()];
  document.getElementById("theme").click();
  observed.backgrounds.push(background());
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  document.getElementById("play").click();
  setTimeout(() => {
    observed.played = shownFrames();
    const out = document.createElement("pre");
    out.id = "observed";
    out.textContent = JSON.stringify(observed);
    document.body.append(out);
  }, 5000);
});
</script>
"""
"""Operates the page, and adds its observations to it as JSON."""


def plot_run(*arguments: str | Path) -> Result:
    command = ["plot", "run", *map(str, arguments)]
    return CliRunner().invoke(build_tree(installed_plugins()), command, catch_exceptions=False)


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """The command that loads a page and prints its resulting HTML, with the console on stderr."""
    return [installed_browser(), *BROWSER_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]


def load_page(browser: list[str], page: Path) -> tuple[str, list[str]]:
    """HTML of a page after its scripts have run, and the messages of its console."""
    run = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def test_a_report_is_written(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "report.html"
    result = plot_run(run, "--out", out)
    assert (result.exit_code, result.stderr) == (0, f"wrote {out}\n")
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(CrowdganError, match="already exists"):
        plot_run(run, "--out", out)
    plot_run(run, "--out", out, "--overwrite", "--smooth", "20")


def test_an_unsupported_suffix_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CrowdganError, match=re.escape("the file name must end in .html or .htm")):
        plot_run(tmp_path / "nowhere", "--out", tmp_path / "report.pdf")


def test_a_browser_shows_every_image_and_chart_without_errors(tmp_path: Path, browser: list[str]) -> None:
    out = tmp_path / "report.html"
    plot_run(write_run(tmp_path / "run"), "--out", out)
    out.write_text(out.read_text(encoding="utf-8").replace("</body>", f"{INSPECTION_SCRIPT}</body>"), encoding="utf-8")
    text, messages = load_page(browser, out)
    assert messages == []
    match = re.search(r'<pre id="observed">(.*?)</pre>', text)
    assert match is not None
    observed = json.loads(match[1])
    assert observed["reals"]
    assert observed["first"] == ["200 kimg"]
    assert observed["frames"] == ["before training", "0 kimg", "100 kimg", "200 kimg"]
    assert observed["played"] == ["200 kimg"]
    assert observed["charts"] == [True] * 9
    assert not observed["overflow"]
    assert len(set(observed["backgrounds"])) == 2


def test_a_browser_reports_errors(tmp_path: Path, browser: list[str]) -> None:
    """Checks that `load_page` returns script errors, so that the test above can detect them."""
    page = tmp_path / "faulty.html"
    page.write_text("<!DOCTYPE html><title>x</title><script>nothing.at.all()</script>")
    _, messages = load_page(browser, page)
    assert len(messages) == 1
    assert "nothing is not defined" in messages[0]
