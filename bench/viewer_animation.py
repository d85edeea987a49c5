"""Writes `docs/assets/view.webp`: `crowdgan view` in use, recorded in Chromium.

Usage: python bench/viewer_animation.py [FILE]
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ANIMATION = Path(__file__).resolve().parents[1] / "docs" / "assets" / "view.webp"

SIZE_PX = {"width": 1100, "height": 760}

SCALE = 0.62
"""Size of the animation relative to the page."""

FRAME_MS = 90

HOLD_MS = 900

NUM_DENSITIES = 24


def main() -> None:
    """Starts the viewer, records it, and writes the animation."""
    dest = Path(sys.argv[1]) if len(sys.argv) > 1 else ANIMATION
    command = [str(Path(sys.executable).with_name("crowdgan")), "view", "--port", "0", "--no-browser"]
    viewer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert viewer.stdout is not None
        (url,) = re.findall(r"http://\S+", viewer.stdout.readline())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE_PX)
            page.goto(f"{url}&seed=3&density=0.1")
            frames = list(record(page))
            browser.close()
    finally:
        viewer.kill()
        viewer.communicate()
    first, *others = [image for image, _ in frames]
    durations = [duration for _, duration in frames]
    first.save(dest, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, quality=50, method=6)
    print(f"wrote {dest}: {len(frames)} frames, {dest.stat().st_size / 1e3:.0f} kB")


def record(page: Page) -> Iterator[tuple[Image.Image, int]]:
    """Frames and their durations in ms: the slider from sparse to dense, for two seeds, and truncation."""
    wait_until_complete(page)
    yield screenshot(page), HOLD_MS
    for step in range(NUM_DENSITIES + 1):
        move(page, "#density-slider", step / NUM_DENSITIES)
        yield screenshot(page), FRAME_MS
    wait_until_complete(page)
    yield screenshot(page), HOLD_MS
    page.locator("#next-seed").click()
    wait_until_complete(page)
    yield screenshot(page), HOLD_MS
    for step in range(NUM_DENSITIES, NUM_DENSITIES // 3, -1):
        move(page, "#density-slider", step / NUM_DENSITIES)
        yield screenshot(page), FRAME_MS
    for psi in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4):
        move(page, 'input[type="range"][data-parameter="trunc"]', psi)
        yield screenshot(page), FRAME_MS
    wait_until_complete(page)
    yield screenshot(page), 2 * HOLD_MS


def move(page: Page, selector: str, value: float) -> None:
    """Drags a slider to a value and waits for the image."""
    shown = page.locator("#image").get_attribute("data-query")
    script = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }"
    page.eval_on_selector(selector, script, value)
    page.wait_for_timeout(30)
    if page.locator("#image").get_attribute("data-query") == shown:
        page.wait_for_timeout(60)


def wait_until_complete(page: Page) -> None:
    """Waits until the image, the strip and the command belong to the state."""
    page.wait_for_selector(".tile[data-query]:last-child")
    page.wait_for_timeout(900)


def screenshot(page: Page) -> Image.Image:
    """The page in the size of the animation."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return image.resize((round(image.width * SCALE), round(image.height * SCALE)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
