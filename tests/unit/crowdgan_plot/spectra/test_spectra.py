"""Average power spectra: the numbers, and the figures of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.utils.progress import NullProgress
from crowdgan_plot.spectra.image_sets import GeneratedImages, StoredImages, mean_spectrum
from crowdgan_plot.spectra.spectra_figure import draw_spectra, normalise_spectra, spectra_figure
from crowdgan_plot.spectra.spectrum import PixelStatistics, SpectrumMean, decibels, kaiser_window
from crowdgan_plot.style import LINE_COLOURS, plot_style
from tests.support.sources import image_bytes


def noise(count: int, size: tuple[int, int] = (32, 32), seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return list(rng.normal(120, 30, (count, *size, 3)).clip(0, 255).astype(np.uint8))


def mean_over(images: Sequence[np.ndarray]) -> SpectrumMean:
    mean = SpectrumMean()
    for pixels in images:
        mean.add(pixels, "here")
    return mean


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (15, 15)])
def test_the_spectrum_is_that_of_padded_windowed_images(size: tuple[int, int]) -> None:
    images = noise(3, size)
    reference = PixelStatistics(mean=101.5, std=42.0)
    window = kaiser_window(size)
    expected = np.zeros((4 * size[0], 4 * size[1]))
    for pixels in images:
        for channel in range(3):
            x = (pixels[..., channel] - 101.5) / 42.0
            expected += np.abs(np.fft.fft2(window * x, s=expected.shape)) ** 2 / 9
    expected = np.fft.fftshift(expected / (window**2).sum())
    found = mean_over(images).spectrum(reference).power
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * expected.max())


def test_noise_without_structure_has_0_decibels_everywhere() -> None:
    mean = mean_over(noise(200))
    spectrum = mean.spectrum(mean.statistics())
    for frequencies, power in (spectrum.radial(), spectrum.along(0), spectrum.along(45)):
        beyond_the_window = frequencies > 0.1
        assert decibels(power[beyond_the_window]).mean() == pytest.approx(0, abs=0.3)
    _, power = spectrum.radial()
    assert np.abs(decibels(power[20:])).max() < 1


@pytest.mark.parametrize(("angle_deg", "across", "down"), [(0.0, 0.25, 0.0), (45.0, 0.25, 0.25), (90.0, 0.0, 0.125)])
def test_a_wave_is_found_at_its_frequency_and_in_its_direction(angle_deg: float, across: float, down: float) -> None:
    y, x = np.mgrid[:64, :64]
    wave = 128 + 60 * np.cos(2 * np.pi * (across * x + down * y))
    mean = mean_over([np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)])
    spectrum = mean.spectrum(mean.statistics())
    frequencies, power = spectrum.along(angle_deg)
    away = frequencies > 0.05
    assert frequencies[away][power[away].argmax()] == pytest.approx(math.hypot(across, down), abs=0.01)
    row, column = np.unravel_index(spectrum.power.argmax(), spectrum.power.shape)
    assert abs(spectrum.frequencies(0)[row]) == pytest.approx(down, abs=0.005)
    assert abs(spectrum.frequencies(1)[column]) == pytest.approx(across, abs=0.005)
    rings, mean_power = spectrum.radial()
    assert rings[4:][mean_power[4:].argmax()] == pytest.approx(math.hypot(across, down), abs=0.01)


def test_slices_end_at_the_border_of_the_spectrum() -> None:
    mean = mean_over(noise(1))
    spectrum = mean.spectrum(mean.statistics())
    assert spectrum.along(0)[0][-1] == pytest.approx(0.5)
    assert spectrum.along(45)[0][-1] == pytest.approx(math.sqrt(0.5), abs=0.01)
    assert spectrum.radial()[0][-1] == 0.5
    assert spectrum.along(0)[1][0] == spectrum.power[64, 64]
    assert spectrum.along(0)[1][3] == pytest.approx(spectrum.power[64, 67])


def test_mean_and_deviation_are_those_of_all_pixels() -> None:
    images = noise(5, (10, 14))
    found = mean_over(images).statistics()
    assert (found.mean, found.std) == pytest.approx((np.mean(images), np.std(images)))


def test_a_image_of_another_size_is_named() -> None:
    mean = mean_over(noise(1, (10, 14)))
    with pytest.raises(DatasetError, match=r"b.png: 10x14 px, where the first image has 14x10; spectra need one"):
        mean.add(noise(1, (14, 10))[0], "b.png")


def test_images_of_one_colour_have_no_spectrum() -> None:
    with pytest.raises(DatasetError, match="all pixels of the images are equal; they have no spectrum"):
        mean_over([np.full((8, 8, 3), 7, np.uint8)]).statistics()


def test_all_sets_are_normalised_by_the_first() -> None:
    bright = [(pixels // 2 + 100).astype(np.uint8) for pixels in noise(4)]
    means = [mean_over(noise(4)), mean_over(bright)]
    found, reference = normalise_spectra(["real", "bright"], means)
    assert reference == means[0].statistics()
    assert found[1].spectrum.power.tolist() == means[1].spectrum(reference).power.tolist()
    assert [(item.name, item.images) for item in found] == [("real", 4), ("bright", 4)]


def test_sets_of_other_sizes_are_not_compared() -> None:
    with pytest.raises(DatasetError, match="b: images of 8x8 px, where a has 32x32"):
        normalise_spectra(["a", "b"], [mean_over(noise(1)), mean_over(noise(1, (8, 8)))])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_every_set_has_a_heat_map_and_a_line_in_each_slice(count: int) -> None:
    means = [mean_over(noise(2, seed=seed)) for seed in range(count)]
    spectra, _ = normalise_spectra([f"set {number}" for number in range(count)], means)
    with plot_style():
        figure = spectra_figure(count)
        draw_spectra(figure, spectra, "noise")
        figure.draw_without_rendering()
    images = [axes for axes in figure.get_axes() if axes.images]
    assert [axes.get_title() for axes in images] == [f"set {number}\n2 images" for number in range(count)]
    for axes, item in zip(images, spectra, strict=True):
        assert axes.images[0].get_array().tolist() == decibels(item.spectrum.power).tolist()
    slices = [axes for axes in figure.get_axes() if axes.get_lines()]
    assert [axes.get_title() for axes in slices] == ["all directions", "0° (horizontal)", "45°"]
    for axes in slices:
        assert [line.get_color() for line in axes.get_lines()] == list(LINE_COLOURS[:count])
        assert axes.get_xlabel() == "frequency (cycles per pixel)"
    assert slices[1].get_lines()[0].get_ydata().tolist() == decibels(spectra[0].spectrum.along(0)[1]).tolist()
    assert slices[0].get_ylabel() == "power (dB; white noise: 0)"
    assert (slices[0].get_legend() is not None) == (count > 1)
    assert figure.get_suptitle() == "noise"


def test_stored_images_are_spread_over_a_folder(tmp_path: Path) -> None:
    for index in range(7):
        (tmp_path / f"{index}.png").write_bytes(image_bytes(index, (16, 16), "PNG"))
    stored = StoredImages(name="folder", path=tmp_path)
    found = [Path(where).name for _, where in stored.images(3)]
    assert found == ["0.png", "3.png", "6.png"]
    assert len(mean_spectrum(stored, 100, NullProgress())) == 7
    pixels, _ = next(stored.images(1))
    with Image.open(tmp_path / "0.png") as image:
        assert pixels.tolist() == np.asarray(image.convert("RGB")).tolist()


class Flat:
    """A model whose images tell seed and label."""

    supports_transform = False

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def generate(self, seeds: Sequence[int], labels: np.ndarray | None, **how: object) -> np.ndarray:
        classes = np.zeros(len(seeds)) if labels is None else labels.argmax(axis=1)
        value = np.array(seeds) + 100 * classes
        return np.broadcast_to(value[:, None, None, None], (len(seeds), 4, 4, 3)).astype(np.uint8)


def card(kind: str | None) -> ModelCard:
    return ModelCard(
        backend="flat",
        resolution=(4, 4),
        label_dim={"class": 2, "value": 1, None: 0}[kind],
        label_kind=kind,
        classes=("few", "many") if kind == "class" else (),
        unit="persons",
        settings={},
    )


def made(kind: str | None, density: str | None = None) -> list[int]:
    """The numbers of five images of a model."""
    rendering = GenerationOptions(batch_size=2)
    images = GeneratedImages(name="m", path=Path("m.safetensors"), density=density, rendering=rendering)
    return [int(pixels[0, 0, 0]) for pixels, _ in images.images_of(Flat(card(kind)), 5)]


def test_models_make_images_of_all_classes_in_turn_or_of_the_one_asked_for() -> None:
    assert made("class") == [0, 101, 2, 103, 4]
    assert made("class", "many") == [100, 101, 102, 103, 104]
    assert made(None) == [0, 1, 2, 3, 4]
    assert made(None, "many") == [0, 1, 2, 3, 4]
    assert made("value", "1.5") == [0, 1, 2, 3, 4]


def test_a_model_whose_label_is_the_density_needs_one() -> None:
    with pytest.raises(ConfigError, match=r"m.safetensors: the model needs a label: it is the density in persons"):
        made("value")


def test_the_figure_looks_as_it_did(looks_like: object) -> None:
    y, x = np.mgrid[:32, :32]
    waves = [
        np.repeat((pixels[..., :1] // 4 + 90 + 60 * np.cos(x[..., None] + 0.2 * y[..., None])), 3, axis=2).astype(
            np.uint8
        )
        for pixels in noise(6)
    ]
    spectra, _ = normalise_spectra(["noise", "waves"], [mean_over(noise(6)), mean_over(waves)])
    with plot_style():
        figure: Figure = spectra_figure(2)
        draw_spectra(figure, spectra)
        looks_like(figure, "spectra")  # type: ignore[operator]
