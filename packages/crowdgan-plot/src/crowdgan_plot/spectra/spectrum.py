"""Average power spectrum of images.

Images x are normalised by the mean m and standard deviation s of a reference, multiplied by a Kaiser window w
(β = 8), which reduces leakage from the image edges into all frequencies, and padded with zeros, which interpolates the
spectrum:

    S(f) = mean over images and channels of |F[w (x − m) / s](f)|² / Σ w²,

which is 1 (0 dB) at all frequencies for white noise.

A spectrum sampled at twice the image size determines all finer samplings, because its inverse transform is the complete
autocorrelation; so only the mean is interpolated, not the spectrum of each image. The normalisation by m and s is also
applied after averaging, because |a − m b|² is a polynomial in m. Hence one pass over the images suffices for any
reference.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, appendix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.arrays import FloatArray, ImageArray

KAISER_BETA = 8.0
"""Shape parameter β of the window (Karras et al.)."""

PADDING_FACTOR = 4
"""Samples of the spectrum per pixel of the images, in each direction."""

MID_GREY = 127.5
"""Pixel value subtracted before summation, for numerical precision."""

MIN_POWER = 1e-12
"""Lower limit of the power before conversion to decibels: −120 dB."""


def to_decibels(power: FloatArray) -> FloatArray:
    """Power in decibels, of any shape."""
    return np.asarray(10 * np.log10(np.maximum(power, MIN_POWER)))


def kaiser_window(size: tuple[int, int]) -> FloatArray:
    """The window, `[height, width]`, 1 at the centre."""
    return np.outer(np.kaiser(size[0], KAISER_BETA), np.kaiser(size[1], KAISER_BETA))


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Mean and standard deviation over all pixels and channels, on the scale 0 to 255."""

    mean: float
    std: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """An average power spectrum."""

    power: FloatArray
    """`[rows, columns]`, frequency 0 at `[rows // 2, columns // 2]`; 1 for white noise."""

    def frequencies(self, axis: int) -> FloatArray:
        """Frequencies of the rows (axis 0) or columns (axis 1) in cycles per pixel, from −0.5 to below 0.5."""
        return np.asarray(np.fft.fftshift(np.fft.fftfreq(self.power.shape[axis])))

    def radial_mean(self) -> tuple[FloatArray, FloatArray]:
        """Radial frequencies up to 0.5 cycles per pixel, and the power averaged over all directions."""
        rows, columns = self.frequencies(0), self.frequencies(1)
        step = 1.0 / max(self.power.shape)
        ring = np.rint(np.hypot(rows[:, None], columns) / step).astype(int).ravel()
        sums, counts = np.bincount(ring, self.power.ravel()), np.bincount(ring)
        last = math.floor(0.5 / step)
        return step * np.arange(last + 1), np.asarray(sums[: last + 1] / counts[: last + 1])

    def slice_at(self, angle_deg: float) -> tuple[FloatArray, FloatArray]:
        """Frequencies in cycles per pixel up to the edge of the spectrum, and the power at them, along a direction.

        Args:
            angle_deg: angle to the horizontal.
        """
        cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
        max_frequency = 0.5 / max(abs(cosine), abs(sine))
        step = 1.0 / max(self.power.shape)
        frequencies = step * np.arange(math.floor(max_frequency / step + 1e-9) + 1)
        return frequencies, self._interpolate(frequencies * sine, frequencies * cosine)

    def _interpolate(self, rows: FloatArray, columns: FloatArray) -> FloatArray:
        """Bilinearly interpolated power at frequencies in cycles per pixel; the spectrum is periodic."""
        height, width = self.power.shape
        row, column = rows * height + height // 2, columns * width + width // 2
        top, left = np.floor(row).astype(int), np.floor(column).astype(int)
        down, right = row - top, column - left
        power = np.zeros(len(rows))
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = (down if dy else 1 - down) * (right if dx else 1 - right)
            power += weight * self.power[(top + dy) % height, (left + dx) % width]
        return power


class SpectrumMean:
    """Accumulator of the mean spectrum of images of one size."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._images = self._channels = 0

    def add(self, image: ImageArray, where: str) -> None:
        """Adds an image `[height, width, 3]`.

        Args:
            image: the image.
            where: its location, for the error message.

        Raises:
            DatasetError: its size differs from that of the first image.
        """
        height, width = image.shape[:2]
        if self._size is None:
            self._start((height, width))
        elif self._size != (height, width):
            first_size = f"{self._size[1]}x{self._size[0]}"
            raise DatasetError(
                f"{where}: image size is {width}x{height} px, that of the first image is {first_size} px; "
                "the sizes must be equal"
            )
        x = image.transpose(2, 0, 1) - MID_GREY
        spectra = np.fft.rfft2(x * self._window, s=(2 * height, 2 * width))
        self._power += (spectra.real**2 + spectra.imag**2).sum(axis=0)
        self._linear += spectra.sum(axis=0)
        self._sum += float(x.sum())
        self._squares += float((x**2).sum())
        self._channels += len(x)
        self._images += 1

    def __len__(self) -> int:
        """Number of images."""
        return self._images

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        assert self._size is not None, "call add first"
        return self._size

    def statistics(self) -> PixelStatistics:
        """Mean and standard deviation over all pixels.

        Raises:
            DatasetError: all pixels are equal.
        """
        count = self._channels * self.size[0] * self.size[1]
        mean = self._sum / count
        variance = self._squares / count - mean**2
        if variance < 1e-9:
            raise DatasetError("all pixels of the images are equal, so the spectrum is not defined")
        return PixelStatistics(mean=mean + MID_GREY, std=math.sqrt(variance))

    def spectrum(self, reference: PixelStatistics, padding: int = PADDING_FACTOR) -> Spectrum:
        """The mean spectrum of the images, normalised by a reference."""
        height, width = self.size
        mean = reference.mean - MID_GREY
        window = np.fft.rfft2(self._window, s=(2 * height, 2 * width))
        cross = (self._linear * window.conj()).real / self._channels
        power = self._power / self._channels - 2 * mean * cross + mean**2 * np.abs(window) ** 2
        power /= reference.std**2 * float((self._window**2).sum())
        correlation = np.fft.irfft2(power, s=(2 * height, 2 * width))
        finer = np.fft.fft2(_pad_centre(correlation, (padding * height, padding * width))).real
        return Spectrum(power=np.fft.fftshift(np.maximum(finer, 0.0)))

    def _start(self, size: tuple[int, int]) -> None:
        self._size = size
        self._window = kaiser_window(size)
        shape = (2 * size[0], size[1] + 1)
        self._power, self._linear = np.zeros(shape), np.zeros(shape, complex)
        self._sum = self._squares = 0.0


def _pad_centre(correlation: FloatArray, size: tuple[int, int]) -> FloatArray:
    """An autocorrelation, whose negative shifts are at the ends, with zeros between positive and negative shifts."""
    height, width = (length // 2 for length in correlation.shape)
    padded = np.zeros(size)
    for rows in (slice(0, height), slice(-height, None)):
        for columns in (slice(0, width), slice(-width, None)):
            padded[rows, columns] = correlation[rows, columns]
    return padded
