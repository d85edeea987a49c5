"""Average power spectra, and their figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.generation import GenerationOptions
from crowdgan_core.utils.progress import NullProgress
from crowdgan_plot.spectra.image_sets import GeneratedImages, StoredImages, image_set_of, mean_spectrum
from crowdgan_plot.spectra.spectra_figure import normalise_spectra, plot_spectra
from crowdgan_plot.spectra.spectrum import PixelStatistics, SpectrumMean, kaiser_window, to_decibels
from crowdgan_plot.style import LINE_COLOURS
from tests.support.sources import image_bytes


def noise_images(count: int, size: tuple[int, int] = (32, 32), seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return list(rng.normal(120, 30, (count, *size, 3)).clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class ListedImages:
    """A set of images in memory."""

    name: str
    listed: list[np.ndarray]

    def images(self, max_images: int) -> Iterator[tuple[np.ndarray, str]]:
        """At most `max_images` of the images."""
        yield from ((image, self.name) for image in self.listed[:max_images])


def mean_over(images: Sequence[np.ndarray]) -> SpectrumMean:
    mean = SpectrumMean()
    for image in images:
        mean.add(image, "image")
    return mean


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (15, 15)])
def test_the_spectrum_equals_that_of_padded_windowed_images(size: tuple[int, int]) -> None:
    images = noise_images(3, size)
    reference = PixelStatistics(mean=101.5, std=42.0)
    window = kaiser_window(size)
    expected = np.zeros((4 * size[0], 4 * size[1]))
    for image in images:
        for channel in range(3):
            x = (image[..., channel] - 101.5) / 42.0
            expected += np.abs(np.fft.fft2(window * x, s=expected.shape)) ** 2 / 9
    expected = np.fft.fftshift(expected / (window**2).sum())
    power = mean_over(images).spectrum(reference).power
    assert power == pytest.approx(expected, rel=1e-6, abs=1e-6 * expected.max())


def test_white_noise_has_0_decibels_at_all_frequencies() -> None:
    mean = mean_over(noise_images(200))
    spectrum = mean.spectrum(mean.statistics())
    for frequencies, power in (spectrum.radial_mean(), spectrum.slice_at(0), spectrum.slice_at(45)):
        is_beyond_window = frequencies > 0.1
        assert to_decibels(power[is_beyond_window]).mean() == pytest.approx(0, abs=0.3)
    _, power = spectrum.radial_mean()
    assert np.abs(to_decibels(power[20:])).max() < 1


@pytest.mark.parametrize(
    ("angle_deg", "horizontal", "vertical"), [(0.0, 0.25, 0.0), (45.0, 0.25, 0.25), (90.0, 0.0, 0.125)]
)
def test_a_wave_has_a_peak_at_its_frequency_and_direction(angle_deg: float, horizontal: float, vertical: float) -> None:
    y, x = np.mgrid[:64, :64]
    wave = 128 + 60 * np.cos(2 * np.pi * (horizontal * x + vertical * y))
    mean = mean_over([np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)])
    spectrum = mean.spectrum(mean.statistics())
    frequencies, power = spectrum.slice_at(angle_deg)
    frequency = math.hypot(horizontal, vertical)
    is_positive = frequencies > 0.05
    assert frequencies[is_positive][power[is_positive].argmax()] == pytest.approx(frequency, abs=0.01)
    row, column = np.unravel_index(spectrum.power.argmax(), spectrum.power.shape)
    assert abs(spectrum.frequencies(0)[row]) == pytest.approx(vertical, abs=0.005)
    assert abs(spectrum.frequencies(1)[column]) == pytest.approx(horizontal, abs=0.005)
    rings, mean_power = spectrum.radial_mean()
    assert rings[4:][mean_power[4:].argmax()] == pytest.approx(frequency, abs=0.01)


def test_slices_end_at_the_edge_of_the_spectrum() -> None:
    mean = mean_over(noise_images(1))
    spectrum = mean.spectrum(mean.statistics())
    assert spectrum.slice_at(0)[0][-1] == pytest.approx(0.5)
    assert spectrum.slice_at(45)[0][-1] == pytest.approx(math.sqrt(0.5), abs=0.01)
    assert spectrum.radial_mean()[0][-1] == 0.5
    assert spectrum.slice_at(0)[1][0] == spectrum.power[64, 64]
    assert spectrum.slice_at(0)[1][3] == pytest.approx(spectrum.power[64, 67])


def test_mean_and_standard_deviation_are_over_all_pixels() -> None:
    images = noise_images(5, (10, 14))
    statistics = mean_over(images).statistics()
    assert (statistics.mean, statistics.std) == pytest.approx((np.mean(images), np.std(images)))


def test_an_image_of_another_size_is_an_error() -> None:
    mean = mean_over(noise_images(1, (10, 14)))
    with pytest.raises(DatasetError, match=r"b.png: image size is 10x14 px, that of the first image is 14x10 px; the"):
        mean.add(noise_images(1, (14, 10))[0], "b.png")


def test_images_of_one_colour_are_an_error() -> None:
    with pytest.raises(DatasetError, match="all pixels of the images are equal, so the spectrum is not defined"):
        mean_over([np.full((8, 8, 3), 7, np.uint8)]).statistics()


def test_all_sets_are_normalised_by_the_first() -> None:
    bright = [(image // 2 + 100).astype(np.uint8) for image in noise_images(4)]
    means = [mean_over(noise_images(4)), mean_over(bright)]
    spectra, reference = normalise_spectra(["real", "bright"], means)
    assert reference == means[0].statistics()
    assert spectra[1].spectrum.power.tolist() == means[1].spectrum(reference).power.tolist()
    assert [(item.name, item.image_count) for item in spectra] == [("real", 4), ("bright", 4)]


def test_image_sets_of_different_sizes_are_an_error() -> None:
    with pytest.raises(DatasetError, match="b: image size is 8x8 px, that of a is 32x32 px"):
        normalise_spectra(["a", "b"], [mean_over(noise_images(1)), mean_over(noise_images(1, (8, 8)))])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_every_image_set_has_a_heatmap_and_a_curve_in_each_slice(count: int) -> None:
    image_sets = [ListedImages(f"set {number}", noise_images(2, seed=number)) for number in range(count)]
    means = [mean_over(item.listed) for item in image_sets]
    spectra, reference = normalise_spectra([item.name for item in image_sets], means)
    notes: list[str] = []
    figure = plot_spectra(image_sets, title="noise", on_note=notes.append)
    figure.draw_without_rendering()
    assert notes == [f"normalised by set 0: mean {reference.mean:.4g}, standard deviation {reference.std:.4g} of 255"]
    heatmaps = [axes for axes in figure.get_axes() if axes.images]
    assert [axes.get_title() for axes in heatmaps] == [f"set {number}\n2 images" for number in range(count)]
    for axes, item in zip(heatmaps, spectra, strict=True):
        assert axes.images[0].get_array().tolist() == to_decibels(item.spectrum.power).tolist()
    slices = [axes for axes in figure.get_axes() if axes.get_lines()]
    assert [axes.get_title() for axes in slices] == ["all directions", "0° (horizontal)", "45°"]
    for axes in slices:
        assert [line.get_color() for line in axes.get_lines()] == list(LINE_COLOURS[:count])
        assert axes.get_xlabel() == "frequency (cycles per pixel)"
    assert slices[1].get_lines()[0].get_ydata().tolist() == to_decibels(spectra[0].spectrum.slice_at(0)[1]).tolist()
    assert slices[0].get_ylabel() == "power (dB; white noise: 0)"
    assert (slices[0].get_legend() is not None) == (count > 1)
    assert figure.get_suptitle() == "noise"


def test_plotting_no_image_sets_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no image sets given"):
        plot_spectra({})


def test_a_model_file_is_a_set_of_generated_images_and_any_other_path_a_set_of_stored_images() -> None:
    assert image_set_of("m", Path("m.safetensors")) == GeneratedImages(name="m", path=Path("m.safetensors"))
    assert image_set_of("d", Path("d.zip")) == StoredImages(name="d", path=Path("d.zip"))


def test_stored_images_are_evenly_spaced_over_a_folder(tmp_path: Path) -> None:
    for index in range(7):
        (tmp_path / f"{index}.png").write_bytes(image_bytes(index, (16, 16), "PNG"))
    stored = StoredImages(name="folder", path=tmp_path)
    assert [Path(name).name for _, name in stored.images(3)] == ["0.png", "3.png", "6.png"]
    assert len(mean_spectrum(stored, 100, NullProgress())) == 7
    first, _ = next(stored.images(1))
    with Image.open(tmp_path / "0.png") as image:
        assert first.tolist() == np.asarray(image.convert("RGB")).tolist()


class UniformGenerator:
    """A model whose pixel values are the seed, plus 100 for the second class."""

    supports_transform = False

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def generate(self, seeds: Sequence[int], labels: np.ndarray | None, **options: object) -> np.ndarray:
        classes = np.zeros(len(seeds)) if labels is None else labels.argmax(axis=1)
        value = np.array(seeds) + 100 * classes
        return np.broadcast_to(value[:, None, None, None], (len(seeds), 4, 4, 3)).astype(np.uint8)


def model_card(label_kind: str | None) -> ModelCard:
    return ModelCard(
        backend="uniform",
        resolution=(4, 4),
        label_dim={"class": 2, "value": 1, None: 0}[label_kind],
        label_kind=label_kind,
        classes=("few", "many") if label_kind == "class" else (),
        unit="persons",
        settings={},
    )


def generated_values(label_kind: str | None, density: str | None = None) -> list[int]:
    """Pixel values of five images of a model."""
    options = GenerationOptions(batch_size=2)
    images = GeneratedImages(name="m", path=Path("m.safetensors"), density=density, options=options)
    return [int(image[0, 0, 0]) for image, _ in images.generate(UniformGenerator(model_card(label_kind)), 5)]


def test_classes_of_generated_images_alternate_unless_a_density_is_given() -> None:
    assert generated_values("class") == [0, 101, 2, 103, 4]
    assert generated_values("class", "many") == [100, 101, 102, 103, 104]
    assert generated_values(None) == [0, 1, 2, 3, 4]
    assert generated_values(None, "many") == [0, 1, 2, 3, 4]
    assert generated_values("value", "1.5") == [0, 1, 2, 3, 4]


def test_a_model_with_continuous_labels_needs_a_density() -> None:
    with pytest.raises(ConfigError, match=r"m.safetensors: the model needs a label: the density in persons"):
        generated_values("value")


def test_the_figure_equals_the_baseline_image(figure: Figure, compare_with_baseline: Any) -> None:
    y, x = np.mgrid[:32, :32]
    wave = 60 * np.cos(x[..., None] + 0.2 * y[..., None])
    waves = [np.repeat(image[..., :1] // 4 + 90 + wave, 3, axis=2).astype(np.uint8) for image in noise_images(6)]
    plot_spectra([ListedImages("noise", noise_images(6)), ListedImages("waves", waves)], figure=figure)
    compare_with_baseline(figure, "spectra")
