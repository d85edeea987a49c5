"""Figures of average power spectra: one heatmap per image set, and slices of all sets."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_plot.spectra.image_sets import ImageSet, image_set_of, mean_spectrum
from crowdgan_plot.spectra.spectrum import PixelStatistics, Spectrum, SpectrumMean, to_decibels
from crowdgan_plot.style import DENSITY_COLOUR_MAP, legend_label, line_style, plot_style, prepare_figure, truncate_text

SLICES = (("all directions", None), ("0° (horizontal)", 0.0), ("45°", 45.0))
"""Name and angle in degrees of the slices; the first is the mean over all angles."""

HEATMAPS_PER_ROW = 4

HEATMAP_IN = 3.6
"""Side of a heatmap in inches."""

SLICE_IN = (4.6, 3.9)
"""Width and height of a panel of slices in inches."""

MAX_RANGE_DB = 80.0
"""Maximum range of the heatmap colours."""

NAME_CHARACTERS = 30
"""Maximum characters of the name of an image set."""

POWER_AXIS = "power (dB; white noise: 0)"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedSpectrum:
    """The spectrum of an image set."""

    name: str
    image_count: int
    spectrum: Spectrum


@plot_style()
def plot_spectra(
    image_sets: Mapping[str, str | Path] | Sequence[ImageSet],
    max_images: int = 200,
    *,
    title: str | None = None,
    figure: Figure | None = None,
    progress: Progress | None = None,
    on_note: Callable[[str], None] = logger.info,
) -> Figure:
    """A figure of average power spectra: a heatmap of each image set, and slices of all sets.

    All images are normalised by the mean and standard deviation of the first set, which should be the real images.

    Args:
        image_sets: paths of datasets and models by name, or image sets with their own options.
        max_images: maximum number of images per set.
        title: title of the figure.
        figure: figure to draw into, which is cleared and resized; None for a new one.
        progress: receives one step per image.
        on_note: receives the normalisation as text.

    Raises:
        ConfigError: no image sets, or a model needs a density.
        DatasetError: images cannot be read, have different sizes, or all pixels of the first set are equal.
        CheckpointError: a model cannot be loaded.
    """
    if isinstance(image_sets, Mapping):
        image_sets = [image_set_of(name, Path(path)) for name, path in image_sets.items()]
    if not image_sets:
        raise ConfigError("no image sets given")
    means = [mean_spectrum(item, max_images, progress or NullProgress()) for item in image_sets]
    spectra, reference = normalise_spectra([item.name for item in image_sets], means)
    on_note(
        f"normalised by {spectra[0].name}: mean {reference.mean:.4g}, standard deviation {reference.std:.4g} of 255"
    )
    figure = prepare_figure(figure, _figure_size(len(spectra)))
    draw_spectra(figure, spectra)
    if title:
        figure.suptitle(title)
    return figure


def normalise_spectra(
    names: Sequence[str], means: Sequence[SpectrumMean]
) -> tuple[list[NamedSpectrum], PixelStatistics]:
    """The spectra of image sets, normalised by the pixel statistics of the first set, and these statistics.

    Raises:
        DatasetError: the image sizes differ, or all pixels of the first set are equal.
    """
    for name, mean in zip(names, means, strict=True):
        if mean.size != means[0].size:
            (height, width), (first_height, first_width) = mean.size, means[0].size
            raise DatasetError(
                f"{name}: image size is {width}x{height} px, that of {names[0]} is {first_width}x{first_height} px; "
                "the sizes must be equal"
            )
    reference = means[0].statistics()
    spectra = [
        NamedSpectrum(name=name, image_count=len(mean), spectrum=mean.spectrum(reference))
        for name, mean in zip(names, means, strict=True)
    ]
    return spectra, reference


def draw_spectra(figure: Figure, spectra: Sequence[NamedSpectrum]) -> None:
    """Draws spectra into an empty figure: one heatmap each, and all of them in each panel of slices."""
    rows, columns = _heatmap_grid(len(spectra))
    grid = figure.add_gridspec(2, 1, height_ratios=[rows * (HEATMAP_IN + 0.4), SLICE_IN[1]])
    upper, lower = (figure.add_subfigure(grid[row]) for row in range(2))
    _draw_heatmaps(upper.subplots(rows, columns, squeeze=False).ravel().tolist(), spectra)
    panels = lower.subplots(1, len(SLICES), sharey=True)
    for axes, (name, angle_deg) in zip(panels, SLICES, strict=True):
        _draw_slices(axes, spectra, angle_deg)
        axes.set_title(name, fontsize=13)
    panels[0].set_ylabel(POWER_AXIS)
    if len(spectra) > 1:
        panels[0].legend(loc="upper right")


def _draw_heatmaps(panels: Sequence[Axes], spectra: Sequence[NamedSpectrum]) -> None:
    heatmaps = [to_decibels(item.spectrum.power) for item in spectra]
    high = max(float(heatmap.max()) for heatmap in heatmaps)
    low = max(high - MAX_RANGE_DB, min(float(np.quantile(heatmap, 0.01)) for heatmap in heatmaps))
    for axes, item, heatmap in itertools.zip_longest(panels, spectra, heatmaps):
        if item is None:
            axes.set_axis_off()
            continue
        colours: dict[str, Any] = {"cmap": DENSITY_COLOUR_MAP, "vmin": low, "vmax": high}
        extent = (-0.5, 0.5, -0.5, 0.5)
        image = axes.imshow(heatmap, **colours, origin="lower", extent=extent, aspect="auto")
        axes.set_box_aspect(1)
        axes.set_title(f"{truncate_text(item.name, NAME_CHARACTERS)}\n{item.image_count:,} images", fontsize=13)
        axes.set(xlabel="cycles per pixel, horizontal", xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        axes.grid(visible=False)
    panels[0].set_ylabel("cycles per pixel, vertical")
    panels[0].figure.colorbar(image, ax=list(panels), label=POWER_AXIS, shrink=0.85)


def _draw_slices(axes: Axes, spectra: Sequence[NamedSpectrum], angle_deg: float | None) -> None:
    for index, item in enumerate(spectra):
        spectrum = item.spectrum
        frequencies, power = spectrum.radial_mean() if angle_deg is None else spectrum.slice_at(angle_deg)
        label = legend_label(truncate_text(item.name, NAME_CHARACTERS))
        axes.plot(frequencies, to_decibels(power), **line_style(index), label=label)
    axes.set_xlabel("frequency (cycles per pixel)")
    axes.set_xlim(0, 0.5 if angle_deg != 45.0 else math.sqrt(0.5))


def _figure_size(count: int) -> tuple[float, float]:
    """Width and height in inches of a figure of `count` spectra."""
    rows, columns = _heatmap_grid(count)
    width_in = max(3 * SLICE_IN[0], columns * (HEATMAP_IN + 0.5) + 1.2)
    return width_in, rows * (HEATMAP_IN + 0.4) + SLICE_IN[1] + 0.4


def _heatmap_grid(count: int) -> tuple[int, int]:
    """Rows and columns of `count` heatmaps."""
    return math.ceil(count / HEATMAPS_PER_ROW), min(count, HEATMAPS_PER_ROW)
