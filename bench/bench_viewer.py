"""Speed and memory of `crowdgan view`, in Debian's Chromium: start, images per second while a slider is dragged.

The rate of the generator alone is measured before, in the same process as this benchmark; the ratio of both rates is
what matters. The command, the browser and the generator share the cores.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from crowdgan_core.api import load_generator
from crowdgan_core.models.backend import ImageGenerator

CASES = {"crowds64": (), "stylegan2": (32, 256), "stylegan3-t": (64, 256)}
"""The pretrained model, and resolutions of networks with random weights."""

DRAG_MS = 3000

NUM_REQUESTS = 1000

NUM_CLIENTS = 4

NUM_IMAGES = 5
"""Images from which the rate of a generator is measured."""

DRAG_SCRIPT = """async milliseconds => {
  const slider = document.getElementById("density-slider"), image = document.getElementById("image");
  const shown = [];
  const observer = new MutationObserver(() => shown.push(performance.now()));
  observer.observe(image, { attributeFilter: ["data-query"] });
  const started = performance.now();
  while (performance.now() < started + milliseconds) {
    const part = (performance.now() - started) / milliseconds;
    slider.value = part;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
  }
  const during = shown.length;
  slider.value = 0.987;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  slider.dispatchEvent(new Event("change", { bubbles: true }));
  const released = performance.now();
  const number = document.querySelector("[data-parameter=density]");
  const final = () => image.dataset.format === "png" && image.dataset.query === `density=${number.value}`;
  while (!final()) await new Promise(resolve => setTimeout(resolve, 1));
  return { images: during, final_ms: performance.now() - released };
}"""
"""Drags the density slider, and returns the number of images that appeared, and the time to the final image."""


def main() -> None:
    """Measures all cases and prints two tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("| model | start s | first image s | generator images/s | dragging images/s | ratio | final image ms |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name, model in models(Path(folder)):
            print(f"| {name} | {' | '.join(measure(browser, model))} |", flush=True)
        print()
        print("| crowds64 | resident memory MiB |\n|---|---|")
        for name, megabytes in measure_memory(browser):
            print(f"| {name} | {megabytes:.0f} |", flush=True)
        browser.close()


def models(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and model of each case."""
    for variant, sides in CASES.items():
        if not sides:
            yield variant, variant
        for side in sides:
            path = folder / f"{variant}-{side}.safetensors"
            labels = ["--classes", "sparse,medium,dense"]
            command = [crowdgan(), "stylegan3", "init", "--cfg", variant, "--resolution", str(side), *labels]
            subprocess.run([*command, "--dest", str(path)], check=True, capture_output=True)
            yield f"{variant}, {side}x{side}", str(path)


def measure(browser: Browser, model: str) -> list[str]:
    """Cells of a row of the table."""
    rate = generator_rate(load_generator(model, "cpu"))
    started = time.perf_counter()
    with viewer(model) as (_, url):
        start_s = time.perf_counter() - started
        page = open_page(browser, url)
        first_s = time.perf_counter() - started
        page.wait_for_selector(".tile[data-query]:last-child", timeout=120_000)
        results = [page.evaluate(DRAG_SCRIPT, DRAG_MS) for _ in range(3)]
        page.context.close()
    shown = statistics.median(result["images"] for result in results) / (DRAG_MS / 1000)
    final_ms = statistics.median(result["final_ms"] for result in results)
    cells = [start_s, first_s, rate, shown, shown / rate, final_ms]
    return [f"{value:.3g}" for value in cells]


def generator_rate(generator: ImageGenerator) -> float:
    """Images per second of a generator, one image at a time."""
    label = np.eye(1, generator.card.label_dim, dtype=np.float32)
    times = []
    for seed in range(NUM_IMAGES + 2):
        start = time.perf_counter()
        generator.generate([seed], label)
        times.append(time.perf_counter() - start)
    return 1 / statistics.median(times[2:])


def measure_memory(browser: Browser) -> Iterator[tuple[str, float]]:
    """Resident memory of the command in MiB, after more and more work."""
    with viewer("crowds64") as (process, url):
        page = open_page(browser, url)
        page.wait_for_selector(".tile[data-query]:last-child")
        yield "one page", resident(process)
        opener = build_opener(HTTPCookieProcessor())
        opener.open(url).close()
        base = url.split("/?")[0]
        for seed in range(NUM_REQUESTS):
            opener.open(f"{base}/image?seed={seed}&density=1").close()
        yield f"after {NUM_REQUESTS} requests of different images", resident(process)
        for seed in range(NUM_REQUESTS):
            opener.open(f"{base}/image?seed={seed}&density=1").close()
        yield f"after {NUM_REQUESTS} more", resident(process)
        pages = [open_page(browser, url) for _ in range(NUM_CLIENTS)]
        for other in pages:
            other.evaluate(f"milliseconds => void ({DRAG_SCRIPT})(milliseconds)", DRAG_MS)
        time.sleep(DRAG_MS / 1000)
        yield f"{NUM_CLIENTS} pages dragging at the same time", resident(process)


def resident(process: subprocess.Popen[str]) -> float:
    """Resident memory of a process in MiB."""
    return float(psutil.Process(process.pid).memory_info().rss / 2**20)


@contextmanager
def viewer(model: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and its address."""
    command = [crowdgan(), "view", model, "--port", "0", "--no-browser", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    match = re.search(r"http://\S+", process.stdout.readline())
    assert match is not None
    try:
        yield process, match[0]
    finally:
        process.kill()
        process.communicate()


def open_page(browser: Browser, url: str) -> Page:
    """A page of the viewer that shows its first image."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(url)
    page.wait_for_selector("#image[data-query]", timeout=120_000)
    return page


def crowdgan() -> str:
    """Path of the command `crowdgan` beside this Python."""
    return str(Path(sys.executable).with_name("crowdgan"))


if __name__ == "__main__":
    main()
