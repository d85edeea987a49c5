"""Figures of average power spectra: heat maps, and slices of all sets in one panel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.errors import DatasetError
from crowdgan_plot.spectra.spectrum import PixelStatistics, Spectrum, SpectrumMean, decibels
from crowdgan_plot.style import DENSITY_MAP, line_look, truncate_text

SLICES = (("all directions", None), ("0° (horizontal)", 0.0), ("45°", 45.0))
"""Name and angle of the slices; the first is the mean over all angles."""

MAPS_PER_ROW = 4

MAP_IN = 3.6
"""Side of a heat map in inches."""

SLICE_IN = (4.6, 3.9)
"""Width and height of a panel of slices in inches."""

RANGE_DB = 80.0
"""Most that the colours of the heat maps span."""

LONGEST_NAME = 30

POWER_AXIS = "power (dB; white noise: 0)"


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedSpectrum:
    """The spectrum of one set of images."""

    name: str
    images: int
    spectrum: Spectrum


def normalise_spectra(
    names: Sequence[str], means: Sequence[SpectrumMean]
) -> tuple[list[NamedSpectrum], PixelStatistics]:
    """The spectra of sets, all normalised by the pixels of the first one, and these.

    Raises:
        DatasetError: they have different sizes, or the first has nothing but equal pixels.
    """
    for name, mean in zip(names, means, strict=True):
        if mean.size != means[0].size:
            (height, width), (first_height, first_width) = mean.size, means[0].size
            raise DatasetError(
                f"{name}: images of {width}x{height} px, where {names[0]} has {first_width}x{first_height}; "
                "spectra of different sizes cannot be compared"
            )
    reference = means[0].statistics()
    found = [
        NamedSpectrum(name=name, images=len(mean), spectrum=mean.spectrum(reference))
        for name, mean in zip(names, means, strict=True)
    ]
    return found, reference


def spectra_figure(count: int) -> Figure:
    """The empty figure that `draw_spectra` fills with so many spectra."""
    rows, columns = _map_grid(count)
    width = max(3 * SLICE_IN[0], columns * (MAP_IN + 0.5) + 1.2)
    return Figure(figsize=(width, rows * (MAP_IN + 0.4) + SLICE_IN[1] + 0.4), layout="constrained")


def draw_spectra(figure: Figure, spectra: Sequence[NamedSpectrum], title: str | None = None) -> None:
    """Draws spectra into an empty figure: a heat map each, and all of them in each panel of slices."""
    rows, columns = _map_grid(len(spectra))
    grid = figure.add_gridspec(2, 1, height_ratios=[rows * (MAP_IN + 0.4), SLICE_IN[1]])
    upper, lower = (figure.add_subfigure(grid[row]) for row in range(2))
    _draw_maps(upper.subplots(rows, columns, squeeze=False).ravel().tolist(), spectra)
    panels = lower.subplots(1, len(SLICES), sharey=True)
    for axes, (name, angle_deg) in zip(panels, SLICES, strict=True):
        _draw_slices(axes, spectra, angle_deg)
        axes.set_title(name, fontsize=13)
    panels[0].set_ylabel(POWER_AXIS)
    if len(spectra) > 1:
        panels[0].legend(loc="upper right")
    if title:
        figure.suptitle(title)


def _draw_maps(panels: Sequence[Axes], spectra: Sequence[NamedSpectrum]) -> None:
    maps = [decibels(item.spectrum.power) for item in spectra]
    high = max(float(item.max()) for item in maps)
    low = max(high - RANGE_DB, min(float(np.quantile(item, 0.01)) for item in maps))
    for axes, item, values in itertools.zip_longest(panels, spectra, maps):
        if item is None:
            axes.set_axis_off()
            continue
        image = axes.imshow(
            values, cmap=DENSITY_MAP, vmin=low, vmax=high, origin="lower", extent=(-0.5, 0.5, -0.5, 0.5), aspect="auto"
        )
        axes.set_box_aspect(1)
        axes.set_title(f"{truncate_text(item.name, LONGEST_NAME)}\n{item.images:,} images", fontsize=13)
        axes.set(xlabel="cycles per pixel, across", xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
        axes.grid(visible=False)
    panels[0].set_ylabel("cycles per pixel, down")
    panels[0].figure.colorbar(image, ax=list(panels), label=POWER_AXIS, shrink=0.85)


def _draw_slices(axes: Axes, spectra: Sequence[NamedSpectrum], angle_deg: float | None) -> None:
    for index, item in enumerate(spectra):
        found = item.spectrum.radial() if angle_deg is None else item.spectrum.along(angle_deg)
        axes.plot(found[0], decibels(found[1]), **line_look(index), label=truncate_text(item.name, LONGEST_NAME))
    axes.set_xlabel("frequency (cycles per pixel)")
    axes.set_xlim(0, 0.5 if angle_deg != 45.0 else math.sqrt(0.5))


def _map_grid(count: int) -> tuple[int, int]:
    """Rows and columns of the heat maps."""
    return math.ceil(count / MAPS_PER_ROW), min(count, MAPS_PER_ROW)
