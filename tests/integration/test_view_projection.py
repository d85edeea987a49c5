"""`crowdgan view` of a projection, in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from crowdgan_core.api import load_generator
from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.comparison import difference_image
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.models.latent_file import encode_latent
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_plot.viewer.projection.images import ProjectionImages
from crowdgan_plot.viewer.projection.view import ProjectionView
from crowdgan_plot.viewer.targets import ViewOptions, open_view
from tests.support.linear_generator import LinearGenerator
from tests.support.viewer import open_browser, open_page, running_viewer, shown_pixels

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@dataclass(frozen=True)
class Projected:
    """A folder of `crowdgan project` and the pixels of its target."""

    folder: Path
    target: np.ndarray


@pytest.fixture(scope="module")
def projected(tmp_path_factory: pytest.TempPathFactory) -> Projected:
    """A projection of an image of the pretrained model, after a few steps."""
    folder = tmp_path_factory.mktemp("projection")
    generator = load_generator("crowds64", "cpu")
    target = generator.generate([3], np.array([[0.5]], np.float32))[0]
    Image.fromarray(target).save(folder / "image.png")
    options = ["--density", "0.5", "--num-steps", "3", "--device", "cpu"]
    command = ["project", "--network", "crowds64", "--target", str(folder / "image.png"), *options]
    run([*command, "--outdir", str(folder / "out")])
    return Projected(folder / "out", target)


def run(command: list[str]) -> None:
    result = CliRunner().invoke(build_tree(installed_plugins()), command, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_target_reconstruction_edit_and_difference(browser: Browser, projected: Projected, tmp_path: Path) -> None:
    view = open_view(projected.folder, ViewOptions(device="cpu"), installed_plugins())
    with running_viewer(view) as address:
        page, log = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        page.wait_for_selector("#difference[data-query]")
        page.locator("#target").evaluate("image => image.decode()")
        assert np.array_equal(shown_pixels(page, "#target"), projected.target)
        unedited = shown_pixels(page, "#image")
        assert np.array_equal(shown_pixels(page, "#reconstruction"), unedited)
        assert np.array_equal(shown_pixels(page, "#difference"), difference_image(unedited, projected.target))
        page.locator('input[type="number"][data-parameter="density"]').fill("2.5")
        page.wait_for_selector('#image[data-query="density=2.5"]')
        page.wait_for_selector('#difference[data-query*="density=2.5"]')
        edited = shown_pixels(page, "#image")
        assert not np.array_equal(edited, unedited)
        assert np.array_equal(shown_pixels(page, "#difference"), difference_image(edited, projected.target))
        page.wait_for_selector('#command:has-text("--density 2.5")')
        command = page.locator("#command").inner_text().replace("--outdir out", f"--outdir {tmp_path / 'out'}")
        run(command.split()[1:])
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "edited-0.png")), edited)
        with page.expect_download() as download:
            page.locator("#save").click()
        download.value.save_as(tmp_path / "edited.png")
        record = read_png_metadata(tmp_path / "out" / "edited-0.png")
        saved = read_png_metadata(tmp_path / "edited.png")
        for key in ("label", "edited from", "layers", "strength"):
            assert saved[key] == record[key]
        page.wait_for_url("**/?density=2.5")
        page.reload()
        page.wait_for_selector('#image[data-query="density=2.5"]')
        assert np.array_equal(shown_pixels(page, "#image"), edited)
        page.locator("#reset").click()
        page.wait_for_selector('#image[data-query=""]')
        assert np.array_equal(shown_pixels(page, "#image"), unedited)
        log.check()


def test_layers_and_strength_of_the_change(browser: Browser, projected: Projected) -> None:
    view = open_view(projected.folder, ViewOptions(device="cpu"), installed_plugins())
    with running_viewer(view) as address:
        page, log = open_page(browser, address, "density=2.5&strength=0")
        page.wait_for_selector('#image[data-query*="strength=0"]')
        page.locator("#reconstruction").evaluate("image => image.decode()")
        assert np.array_equal(shown_pixels(page, "#image"), shown_pixels(page, "#reconstruction"))
        page.locator('[data-parameter="layers"]').fill("0-99")
        page.wait_for_selector('#alert:has-text("layer 99")')
        page.locator('[data-parameter="layers"]').fill("4-7")
        page.wait_for_selector('#image[data-query*="layers=4-7"]')
        log_of_errors = [message for message in log.console if "400" not in message]
        assert log_of_errors == []


def test_the_page_fits_a_phone(browser: Browser, projected: Projected) -> None:
    view = open_view(projected.folder / "projected_w.npz", ViewOptions(device="cpu"), installed_plugins())
    with running_viewer(view) as address:
        page, log = open_page(browser, address, viewport={"width": 380, "height": 800}, color_scheme="dark")
        page.wait_for_selector(".tile[data-query]:last-child")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        log.check()


def linear_images(**changes: Any) -> ProjectionImages:
    generator = LinearGenerator()
    latent = generator.map_seeds([1], np.array([[1, 0, 0]], np.float32))
    values: dict[str, Any] = {"source": (1.0, 0.0, 0.0), "target": None, **changes}
    return ProjectionImages(generator, "m", latent, values["source"], values["target"], Path("a.npz"))


def test_latents_without_label_or_target_are_shown(browser: Browser) -> None:
    with running_viewer(ProjectionView(linear_images(source=None), "a.npz")) as address:
        page, log = open_page(browser, address)
        page.wait_for_selector("#image[data-query]")
        assert page.locator("#density-controls").is_hidden()
        assert page.locator("#target").is_hidden()
        page.wait_for_selector('#command:has-text("crowdgan generate --network m --latent a.npz")')
        assert (shown_pixels(page, "#difference") == 255).all()
        log.check()


def test_the_model_of_a_latent_file_must_be_known(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(encode_latent(np.zeros((1, 2, 3), np.float32), {"model": "m.safetensors"}))
    with pytest.raises(ConfigError, match=r"its record names 'm.safetensors': --network MODEL"):
        open_view(tmp_path / "a.npz", ViewOptions(), installed_plugins())
