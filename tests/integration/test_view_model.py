"""`crowdgan view` of a model, in the browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from crowdgan_core.api import load_generator
from crowdgan_core.cli.app import build_tree
from crowdgan_core.manipulation.density_measurement import DensityMeasurement
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.latent_file import read_latent
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_plot.viewer.measured_density import MeasuredDensity
from crowdgan_plot.viewer.model.images import ModelImages
from crowdgan_plot.viewer.model.view import ModelView
from tests.support.blob_plugins import installed_blobs
from tests.support.linear_generator import LinearGenerator
from tests.support.viewer import PageLog, open_browser, open_page, running_viewer, shown_pixels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

WIDTHS_PX = (380, 800, 1600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def pretrained() -> ModelImages:
    return ModelImages(load_generator("crowds64", "cpu"), "crowds64")


@pytest.fixture(scope="module")
def stylegan3(tmp_path_factory: pytest.TempPathFactory) -> ModelImages:
    """A small StyleGAN3 with random weights."""
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    small = ["--resolution", "16", "--cbase", "256", "--cmax", "8", "--classes", "sparse,medium,dense"]
    command = ["stylegan3", "init", "--cfg", "stylegan3-t", *small, "--dest", str(path)]
    result = CliRunner().invoke(build_tree(installed_plugins()), command, catch_exceptions=False)
    assert result.exit_code == 0
    return ModelImages(load_generator(path, "cpu"), str(path))


def wait_for_image(page: Page, *parts: str) -> np.ndarray:
    """Waits until the image shows a state whose query contains all parts; returns its pixels."""
    page.wait_for_selector("#image" + "".join(f'[data-query*="{part}"]' for part in parts))
    return shown_pixels(page, "#image")


def expected(images: ModelImages, seed: int, label: Any, **options: Any) -> np.ndarray:
    """The image that the generator gives for a seed."""
    return images.generator.generate([seed], np.array([label], np.float32), **options)[0]


def set_value(page: Page, parameter: str, value: object) -> None:
    """Types a value into the number or text field of a parameter."""
    field = page.locator(f'[data-parameter="{parameter}"]:not([type="range"])')
    field.fill(str(value))
    field.press("Tab")


def set_slider(page: Page, selector: str, value: float) -> None:
    """Moves a slider as dragging does, and releases it."""
    page.eval_on_selector(
        selector,
        """(slider, value) => {
          slider.value = value;
          slider.dispatchEvent(new Event("input", { bubbles: true }));
          slider.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        value,
    )


def test_each_control_changes_the_image_as_generate_does(browser: Browser, pretrained: ModelImages) -> None:
    with running_viewer(ModelView(pretrained)) as address:
        page, log = open_page(browser, address, "density=0.5&seed=3")
        assert np.array_equal(wait_for_image(page, "seed=3", "density=0.5"), expected(pretrained, 3, (0.5,)))
        set_value(page, "seed", 7)
        assert np.array_equal(wait_for_image(page, "seed=7"), expected(pretrained, 7, (0.5,)))
        set_value(page, "density", 2.5)
        assert np.array_equal(wait_for_image(page, "density=2.5"), expected(pretrained, 7, (2.5,)))
        set_slider(page, 'input[type="range"][data-parameter="trunc"]', 0.5)
        options: dict[str, Any] = {"truncation_psi": 0.5}
        assert np.array_equal(wait_for_image(page, "trunc=0.5"), expected(pretrained, 7, (2.5,), **options))
        set_value(page, "cutoff", 4)
        options["truncation_cutoff"] = 4
        assert np.array_equal(wait_for_image(page, "cutoff=4"), expected(pretrained, 7, (2.5,), **options))
        page.select_option('[data-parameter="mean"]', "all")
        options["truncation_mean"] = "all"
        assert np.array_equal(wait_for_image(page, "mean=all"), expected(pretrained, 7, (2.5,), **options))
        page.select_option('[data-parameter="noise"]', "none")
        options["noise_mode"] = "none"
        assert np.array_equal(wait_for_image(page, "noise=none"), expected(pretrained, 7, (2.5,), **options))
        page.locator("#next-seed").click()
        assert np.array_equal(wait_for_image(page, "seed=8"), expected(pretrained, 8, (2.5,), **options))
        page.locator("#previous-seed").click()
        wait_for_image(page, "seed=7")
        page.locator("#random-seed").click()
        page.wait_for_selector('#image:not([data-query*="seed=7&"])')
        assert page.locator('[data-needs="transform"]').count() == 0, "StyleGAN2 does not translate images"
        log.check()


def test_walks_and_style_mixing(browser: Browser, pretrained: ModelImages) -> None:
    generator: Any = pretrained.generator
    first, last = generator.map_seeds([1, 2], np.full((2, 1), 0.5, np.float32))
    with running_viewer(ModelView(pretrained)) as address:
        page, log = open_page(browser, address, "seed=1&density=0.5")
        set_value(page, "walk_seed", 2)
        set_slider(page, 'input[data-parameter="walk"]', 0.5)
        image = generator.synthesise((0.5 * first + 0.5 * last)[None].astype(np.float32))[0]
        difference = np.abs(wait_for_image(page, "walk=0.5").astype(int) - image)
        assert difference.max() <= 1, "interpolated latents are rounded"
        page.locator("#play-walk").click()
        assert np.array_equal(wait_for_image(page, "walk_seed=2&walk=1"), expected(pretrained, 2, (0.5,)))
        set_value(page, "walk_seed", "")
        set_value(page, "mix_seed", 2)
        set_value(page, "mix_layers", "0-4")
        mixed = np.concatenate([last[:5], first[5:]])[None]
        assert np.array_equal(wait_for_image(page, "mix_layers=0-4"), generator.synthesise(mixed)[0])
        page.wait_for_selector('#command:has-text("--rows 1 --cols 2 --styles 0,1,2,3,4")')
        log.check()


def test_stylegan3_is_translated_by_dragging_and_by_keys(browser: Browser, stylegan3: ModelImages) -> None:
    medium = (0.0, 1.0, 0.0)
    with running_viewer(ModelView(stylegan3)) as address:
        page, log = open_page(browser, address, "density=1")
        wait_for_image(page, "density=1")
        box = page.locator("#image").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + box["width"] / 4, y - box["width"] / 8, steps=4)
        page.mouse.up()
        shown = wait_for_image(page, "x=0.25", "y=-0.125")
        assert np.array_equal(shown, expected(stylegan3, 0, medium, translate=(0.25, -0.125)))
        set_value(page, "rotate", 30)
        shown = wait_for_image(page, "rotate=30")
        assert np.array_equal(shown, expected(stylegan3, 0, medium, translate=(0.25, -0.125), rotate_deg=30))
        page.locator("#image").press("ArrowRight")
        wait_for_image(page, "x=0.27", "rotate=30")
        page.locator("#centre").click()
        page.wait_for_selector('#image:not([data-query*="rotate"])')
        assert np.array_equal(shown_pixels(page, "#image"), expected(stylegan3, 0, medium))
        assert page.locator('[data-needs="noise"]').count() == 0
        log.check()


def test_keys_the_strip_and_the_address(browser: Browser, stylegan3: ModelImages) -> None:
    with running_viewer(ModelView(stylegan3)) as address:
        page, log = open_page(browser, address, "seed=5&density=0.5")
        wait_for_image(page, "seed=5", "density=0.5")
        page.wait_for_selector(".tile[data-query]:last-child")
        tiles = page.locator(".tile")
        assert tiles.all_inner_texts()[::2] == ["sparse", "medium", "dense"]
        assert np.array_equal(shown_pixels(page, ".tile:last-child img"), expected(stylegan3, 5, (0, 0, 1)))
        page.locator("body").press("ArrowRight")
        wait_for_image(page, "seed=6")
        page.locator("body").press("ArrowUp")
        wait_for_image(page, "density=0.6")
        tiles.nth(4).click()
        assert np.array_equal(wait_for_image(page, "density=2"), expected(stylegan3, 6, (0, 0, 1)))
        assert tiles.nth(4).get_attribute("aria-pressed") == "true"
        page.wait_for_url("**/?seed=6&density=2")
        page.reload()
        assert np.array_equal(wait_for_image(page, "seed=6&density=2"), expected(stylegan3, 6, (0, 0, 1)))
        page.locator("body").press("r")
        page.wait_for_selector('#image:not([data-query*="seed=6&"])')
        page.locator("#show-help").click()
        page.keyboard.press("Escape")
        log.check()


def test_saved_files_have_the_record_of_generate(browser: Browser, pretrained: ModelImages, tmp_path: Path) -> None:
    with running_viewer(ModelView(pretrained)) as address:
        page, log = open_page(browser, address, "seed=4&density=1.5&trunc=0.8")
        image = wait_for_image(page, "seed=4")
        page.wait_for_selector('#command:has-text("--seeds 4")')
        for selector in ("#save", "#save-latents"):
            with page.expect_download() as download:
                page.locator(selector).click()
            download.value.save_as(tmp_path / download.value.suggested_filename)
        command = page.locator("#command").inner_text().replace("--outdir out", f"--outdir {tmp_path / 'out'}")
        CliRunner().invoke(build_tree(installed_plugins()), command.split()[1:], catch_exceptions=False)
        for path in (tmp_path / "seed0004.png", tmp_path / "out" / "seed0004.png"):
            assert np.array_equal(np.asarray(Image.open(path)), image)
        assert read_png_metadata(tmp_path / "seed0004.png") == read_png_metadata(tmp_path / "out" / "seed0004.png")
        generator: Any = pretrained.generator
        latent, record = read_latent(tmp_path / "seed0004.npz", generator)
        assert np.array_equal(generator.synthesise(latent)[0], image)
        assert record["label"] == [1.5]
        log.check()


def test_the_command_is_copied(browser: Browser, stylegan3: ModelImages) -> None:
    with running_viewer(ModelView(stylegan3)) as address:
        page, _ = open_page(browser, address, permissions=["clipboard-read", "clipboard-write"])
        page.wait_for_selector('#command:has-text("crowdgan generate")')
        page.locator("#copy").click()
        page.wait_for_selector('#copy:has-text("Copied")')
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()


def test_the_page_fits_all_widths_in_light_and_dark(browser: Browser, stylegan3: ModelImages) -> None:
    backgrounds = set()
    with running_viewer(ModelView(stylegan3)) as address:
        for width in WIDTHS_PX:
            for scheme in ("light", "dark"):
                page, log = open_page(browser, address, viewport={"width": width, "height": 800}, color_scheme=scheme)
                page.wait_for_selector(".tile[data-query]:last-child")
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                strip = page.locator("#strip").bounding_box()
                assert strip is not None
                assert strip["y"] + strip["height"] <= 801, "the strip is always in view"
                backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
                log.check()
                page.close()
        page, _ = open_page(browser, address, color_scheme="light")
        page.select_option("#theme", "dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") in backgrounds
    assert len(backgrounds) == 2


def test_every_control_has_an_accessible_name(browser: Browser, stylegan3: ModelImages) -> None:
    with running_viewer(ModelView(stylegan3)) as address:
        page, _ = open_page(browser, address)
        page.wait_for_selector(".tile[data-query]:last-child")
        for role in ("slider", "spinbutton", "combobox", "button", "textbox", "link", "img"):
            for element in page.get_by_role(role).all():  # type: ignore[arg-type]
                snapshot = element.aria_snapshot()
                assert '"' in snapshot.splitlines()[0], f"{role} without a name: {snapshot}"


def test_a_third_party_backend_has_the_viewer(browser: Browser) -> None:
    with installed_blobs():
        images = ModelImages(load_generator("blobs32"), "blobs32")
        with running_viewer(ModelView(images)) as address:
            page, log = open_page(browser, address, "seed=2&density=1")
            label = images.parse(_query("density=1")).label
            assert np.array_equal(wait_for_image(page, "seed=2"), expected(images, 2, label))
            set_value(page, "x", 0.25)
            shown = wait_for_image(page, "x=0.25")
            assert np.array_equal(shown, expected(images, 2, label, translate=(0.25, 0.0)))
            assert page.locator('[data-needs="latents"]').count() == 0, "the backend has seeds only"
            log.check()


def _query(text: str) -> Any:
    from starlette.datastructures import QueryParams

    from crowdgan_plot.viewer.query import Query

    return Query(QueryParams(text))


def test_the_measured_density_is_shown_beside_the_requested_one(browser: Browser) -> None:
    class Brightness:
        def predict_logs(self, images: Any) -> Any:
            raise NotImplementedError

    class Measurement(DensityMeasurement):
        def __init__(self) -> None:
            pass

        def measure(self, images: Any) -> dict[str, Any]:
            return {"brightness": images.mean(axis=(1, 2, 3)) / 100}

    fitted = threading.Event()

    def fit() -> DensityMeasurement:
        assert fitted.wait(timeout=60)
        return Measurement()

    images = ModelImages(LinearGenerator("value"), "m.safetensors")
    with running_viewer(ModelView(images, MeasuredDensity(fit, "persons/m²"))) as address:
        page, log = open_page(browser, address, "density=2")
        page.wait_for_selector('#measured:has-text("are being fitted")')
        fitted.set()
        mean = expected(images, 0, (2.0,)).mean() / 100
        page.wait_for_selector(f'#measured:has-text("measured: {mean:.3g} persons/m²")')
        page.wait_for_selector(".tile:last-child .measured")
        assert page.locator("#requested").inner_text() == "2 persons/m²"
        log.check()


class SlowGenerator(LinearGenerator):
    """A generator that takes 200 ms per image and records the densities of its images."""

    seconds = 0.2

    def __init__(self) -> None:
        super().__init__("value")
        self.calls: list[tuple[float, float]] = []

    def generate(self, seeds: Any, labels: Any, **options: Any) -> Any:
        started = time.monotonic()
        time.sleep(self.seconds)
        self.calls.append((started, float(labels[0, 0])))
        return super().generate(seeds, labels, **options)


DRAG_SCRIPT = """async ({ milliseconds }) => {
  const slider = document.getElementById("density-slider");
  const started = performance.now();
  for (;;) {
    const part = Math.min(1, (performance.now() - started) / milliseconds);
    slider.value = part;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    if (part === 1) break;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  slider.dispatchEvent(new Event("change", { bubbles: true }));
}"""
"""Drags the density slider from its left to its right end."""


def test_a_slow_generator_computes_only_the_newest_states(browser: Browser) -> None:
    generator, drag_s = SlowGenerator(), 2.0
    with running_viewer(ModelView(ModelImages(generator, "m.safetensors"))) as address:
        page, log = open_page(browser, address, "density=0.5")
        page.wait_for_selector(".tile[data-query]:last-child")
        generator.calls.clear()
        page.evaluate(DRAG_SCRIPT, {"milliseconds": 1000 * drag_s})
        released = time.monotonic()
        page.wait_for_selector('#image[data-query="density=4"]')
        time.sleep(3 * generator.seconds)
        assert len(generator.calls) <= drag_s / generator.seconds + 2
        started_after_release = [density for started, density in generator.calls if started > released]
        assert set(started_after_release) <= {4.0}, "no image of a stale state"
        assert np.array_equal(
            shown_pixels(page, "#image"), LinearGenerator("value").generate([0], np.array([[4.0]]))[0]
        )
        log.check()


def test_two_tabs_are_served_at_the_same_time(browser: Browser) -> None:
    generator = SlowGenerator()
    with running_viewer(ModelView(ModelImages(generator, "m.safetensors"))) as address:
        pages = [open_page(browser, address, f"density={density}")[0] for density in (1, 2)]
        for page, seed in zip(pages, (3, 4), strict=True):
            set_value(page, "seed", seed)
        for page, seed, density in zip(pages, (3, 4), (1, 2), strict=True):
            shown = wait_for_image(page, f"seed={seed}&density={density}")
            assert np.array_equal(shown, LinearGenerator("value").generate([seed], np.array([[float(density)]]))[0])


@pytest.mark.parametrize("seconds", [0.3, 2.5], ids=["of the image", "of the strip"])
def test_a_server_that_stops_during_a_request_is_reported(browser: Browser, seconds: float) -> None:
    generator = SlowGenerator()
    with running_viewer(ModelView(ModelImages(generator, "m.safetensors"))) as address:
        page, _ = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        generator.seconds = 2.0
        set_value(page, "seed", 9)
        page.wait_for_timeout(1000 * seconds)
    page.wait_for_selector('#alert:has-text("The server does not answer")')


def test_errors_of_the_server_are_shown(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator(), "m.safetensors"))) as address:
        page, _ = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        set_value(page, "mix_seed", 1)
        set_value(page, "mix_layers", "0-99")
        page.wait_for_selector('#alert:has-text("layer 4 does not exist")')
        page.wait_for_timeout(1000)
        assert page.locator("#alert").is_visible(), "images of the strip do not hide the error of the image"
        set_value(page, "mix_layers", "0-1")
        page.wait_for_selector("#alert", state="hidden")
        set_value(page, "mix_layers", "0-99")
        page.wait_for_selector("#alert", state="visible")
        set_value(page, "mix_layers", "0-1")
        page.wait_for_selector("#alert", state="hidden")


def test_an_error_of_the_strip_ends_with_its_state(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator(), "m.safetensors"))) as address:
        page, _ = open_page(browser, address, "mix_seed=1&mix_layers=0-1&density=1")
        page.wait_for_selector("#strip:not(.pending)")
        set_value(page, "mix_layers", "0-99")
        page.wait_for_selector('#alert:has-text("layer 4 does not exist")')
        page.wait_for_timeout(1000)
        set_value(page, "mix_layers", "0-1")
        page.wait_for_selector("#alert", state="hidden")


def test_a_late_error_of_the_strip_of_an_earlier_state_is_not_shown(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator(), "m.safetensors"))) as address:
        page, _ = open_page(browser, address, "mix_seed=1&mix_layers=0-1&density=1")
        page.wait_for_selector("#strip:not(.pending)")
        held: list[Route] = []
        page.route("**/image?*purpose=strip*mix_layers=0-99*", lambda route: held.append(route))
        with page.expect_request("**/image?*purpose=strip*mix_layers=0-99*"):
            set_value(page, "mix_layers", "0-99")
        set_value(page, "mix_layers", "0-1")
        page.wait_for_selector("#alert", state="hidden")
        page.wait_for_selector("body:not(.pending)")
        for route in held:
            route.continue_()
        page.wait_for_timeout(500)
        assert page.locator("#alert").is_hidden()


def test_an_image_that_cannot_be_decoded_does_not_stop_the_page(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator(), "m.safetensors"))) as address:
        page, _ = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        page.route("**/image?*seed=1*", lambda route: route.fulfill(body=b"no image", content_type="image/png"))
        set_value(page, "seed", 1)
        page.wait_for_selector('#alert:has-text("could not decode")')
        set_value(page, "seed", 22)
        wait_for_image(page, "seed=22")
        page.wait_for_selector("#alert", state="hidden")


def test_several_files_are_saved_at_the_same_time(browser: Browser) -> None:
    generator = SlowGenerator()
    with running_viewer(ModelView(ModelImages(generator, "m.safetensors"))) as address:
        page, _ = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        script = "Promise.all([1, 2, 3, 4].map(seed => fetch(`save?seed=${seed}&density=1`).then(r => r.status)))"
        assert page.evaluate(script) == [200] * 4


def test_numbers_are_not_limited_to_steps_and_cleared_fields_are_restored(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator("value"), "m.safetensors"))) as address:
        page, log = open_page(browser, address, "density=1")
        set_value(page, "trunc", "0.555")
        wait_for_image(page, "trunc=0.555")
        set_value(page, "density", "")
        assert page.locator('input[data-parameter="density"]').input_value() == "1"
        assert "density=1" in (page.locator("#image").get_attribute("data-query") or "")
        log.check()


def test_keys_work_after_a_slider_was_used(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator("value"), "m.safetensors"))) as address:
        page, log = open_page(browser, address, "seed=5&density=1")
        wait_for_image(page, "seed=5")
        page.locator("#density-slider").press("ArrowRight")
        page.wait_for_selector('#image:not([data-query*="density=1&"])')
        page.locator("#density-slider").press("Shift+R")
        page.wait_for_selector('#image:not([data-query*="seed=5&"])')
        log.check()


def test_mixing_starts_with_the_coarse_half(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator("value"), "m.safetensors"))) as address:
        page, log = open_page(browser, address, "density=1")
        page.wait_for_selector("#image[data-query]")
        assert page.locator('[data-parameter="walk"]').is_disabled()
        set_value(page, "mix_seed", 7)
        wait_for_image(page, "mix_seed=7&mix_layers=0-1")
        log.check()


def test_many_classes_fit_the_page(browser: Browser) -> None:
    class Many(LinearGenerator):
        def __init__(self) -> None:
            super().__init__(None)
            names = tuple(f"class number {index}" for index in range(40))
            self.card = replace(self.card, label_kind="class", label_dim=40, classes=names)

        def _means(self, count: int, labels: Any) -> Any:
            return np.zeros((count, 4, 12), np.float32)

    with running_viewer(ModelView(ModelImages(Many(), "m.safetensors"))) as address:
        page, log = open_page(browser, address, viewport={"width": 1200, "height": 800})
        page.wait_for_selector(".tile[data-query]:last-child")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200
        set_slider(page, "#density-slider", 7 / 39)
        page.wait_for_selector("#command:has-text(\"--density 'class number 7'\")")
        log.check()


def test_each_image_is_requested_once(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator("value"), "m.safetensors"))) as address:
        page, log = open_page(browser, address, "seed=5&density=1")
        page.wait_for_selector(".tile[data-query]:last-child")
        set_value(page, "density", 2)
        wait_for_image(page, "density=2")
        page.wait_for_selector('#command:has-text("--density 2")')
        page.wait_for_timeout(500)
        images = [url for url in log.requests if "/image?" in url]
        assert len(images) == len(set(images)) == 9, "two images, and the strip of seven once"


def test_invalid_numbers_are_marked_and_not_requested(browser: Browser) -> None:
    with running_viewer(ModelView(ModelImages(LinearGenerator(), "m.safetensors"))) as address:
        page, log = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        for value in ("-5", "99999999999", "1.5"):
            set_value(page, "seed", value)
            page.wait_for_selector('input[data-parameter="seed"]:invalid')
        set_value(page, "seed", "1e2")
        wait_for_image(page, "seed=100")
        log.check()
        assert all("seed=100" in url for url in log.requests if "seed" in url)


def test_tall_and_wide_images_fit_the_window(browser: Browser) -> None:
    for size in ((48, 12), (12, 48)):
        generator = LinearGenerator("value", size=size)
        with running_viewer(ModelView(ModelImages(generator, "m.safetensors"))) as address:
            page, _ = open_page(browser, address, viewport={"width": 1000, "height": 700})
            page.wait_for_selector(".tile[data-query]:last-child")
            for selector, most_px in (("#image", 450), (".tile img", 112)):
                box = page.locator(selector).first.bounding_box()
                assert box is not None
                assert box["height"] <= most_px
                assert box["width"] / box["height"] == pytest.approx(size[1] / size[0], rel=0.05)


def test_the_log_reports_messages_and_remote_requests() -> None:
    with pytest.raises(AssertionError):
        PageLog(console=["error"]).check()
    with pytest.raises(AssertionError):
        PageLog(requests=["https://example.org/font.woff"]).check()
