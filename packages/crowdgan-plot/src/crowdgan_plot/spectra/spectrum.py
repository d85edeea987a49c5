"""The average power spectrum of images.

Images x are brought to mean 0 and variance 1 by the mean m and standard deviation s of a reference, weighted by a
Kaiser window w (β = 8), so that the borders do not leak into all frequencies, and padded with zeros, so that the
spectrum is interpolated:

    S(f) = mean over images and channels of |F[w (x − m) / s](f)|² / Σ w²,

which is 1 (0 dB) at all frequencies for noise without structure.

A spectrum on a grid twice as fine as the images holds all of it, since its inverse is the whole autocorrelation:
finer grids follow from the mean, not from each image. And m and s enter after the mean, for |a − m b|² is a
polynomial in m: one pass over the images is enough, whatever the reference is.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021, appendix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.arrays import ImageArray

Floats = npt.NDArray[np.float64]

KAISER_BETA = 8.0
"""Shape of the window."""

PADDING = 4
"""Points of a spectrum per point of an image, in each direction."""

MIDDLE = 127.5
"""Taken from all pixels at first, for the digits' sake."""

LEAST_POWER = 1e-12
"""What counts as 0 in decibels: -120 dB."""


def decibels(power: Floats) -> Floats:
    """Power in decibels, of any shape."""
    return np.asarray(10 * np.log10(np.maximum(power, LEAST_POWER)))


def kaiser_window(size: tuple[int, int]) -> Floats:
    """The window, `[height, width]`, 1 in the middle."""
    return np.outer(np.kaiser(size[0], KAISER_BETA), np.kaiser(size[1], KAISER_BETA))


@dataclass(frozen=True, kw_only=True)
class PixelStatistics:
    """Mean and standard deviation of all pixels and channels, 0 to 255."""

    mean: float
    std: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """An average power spectrum."""

    power: Floats
    """`[rows, columns]`, frequency 0 at `[rows // 2, columns // 2]`; 1 for noise without structure."""

    def frequencies(self, axis: int) -> Floats:
        """Frequencies of the rows (0) or columns (1) in cycles per pixel, -0.5 to below 0.5."""
        return np.asarray(np.fft.fftshift(np.fft.fftfreq(self.power.shape[axis])))

    def radial(self) -> tuple[Floats, Floats]:
        """Frequencies in cycles per pixel up to 0.5, and the mean power at all frequencies of that length."""
        rows, columns = self.frequencies(0), self.frequencies(1)
        step = 1.0 / max(self.power.shape)
        ring = np.rint(np.hypot(rows[:, None], columns) / step).astype(int).ravel()
        sums, counts = np.bincount(ring, self.power.ravel()), np.bincount(ring)
        last = math.floor(0.5 / step)
        return step * np.arange(last + 1), np.asarray(sums[: last + 1] / counts[: last + 1])

    def along(self, angle_deg: float) -> tuple[Floats, Floats]:
        """Frequencies in cycles per pixel up to the border, and the power there, in a direction from the horizontal."""
        cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
        longest = 0.5 / max(abs(cosine), abs(sine))
        step = 1.0 / max(self.power.shape)
        found = step * np.arange(math.floor(longest / step + 1e-9) + 1)
        return found, self._at(found * sine, found * cosine)

    def _at(self, rows: Floats, columns: Floats) -> Floats:
        """Power at frequencies in cycles per pixel, from the four points around each; it goes on periodically."""
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
    """The mean over images of one size, given one by one."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._images = self._channels = 0

    def add(self, pixels: ImageArray, where: str) -> None:
        """Adds an image `[height, width, 3]`.

        Raises:
            DatasetError: it has another size than the first one; the message starts with `where`.
        """
        height, width = pixels.shape[:2]
        if self._size is None:
            self._start((height, width))
        elif self._size != (height, width):
            found, first = f"{width}x{height}", f"{self._size[1]}x{self._size[0]}"
            raise DatasetError(f"{where}: {found} px, where the first image has {first}; spectra need one size")
        x = pixels.transpose(2, 0, 1) - MIDDLE
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
        assert self._size is not None, "an image comes first"
        return self._size

    def statistics(self) -> PixelStatistics:
        """Mean and standard deviation of all pixels.

        Raises:
            DatasetError: all are equal.
        """
        count = self._channels * self.size[0] * self.size[1]
        mean = self._sum / count
        variance = self._squares / count - mean**2
        if variance < 1e-9:
            raise DatasetError("all pixels of the images are equal; they have no spectrum")
        return PixelStatistics(mean=mean + MIDDLE, std=math.sqrt(variance))

    def spectrum(self, reference: PixelStatistics, padding: int = PADDING) -> Spectrum:
        """The mean spectrum of the images, brought to mean 0 and variance 1 by a reference."""
        height, width = self.size
        mean = reference.mean - MIDDLE
        window = np.fft.rfft2(self._window, s=(2 * height, 2 * width))
        cross = (self._linear * window.conj()).real / self._channels
        power = self._power / self._channels - 2 * mean * cross + mean**2 * np.abs(window) ** 2
        power /= reference.std**2 * float((self._window**2).sum())
        correlation = np.fft.irfft2(power, s=(2 * height, 2 * width))
        finer = np.fft.fft2(_padded(correlation, (padding * height, padding * width))).real
        return Spectrum(power=np.fft.fftshift(np.maximum(finer, 0.0)))

    def _start(self, size: tuple[int, int]) -> None:
        self._size = size
        self._window = kaiser_window(size)
        shape = (2 * size[0], size[1] + 1)
        self._power, self._linear = np.zeros(shape), np.zeros(shape, complex)
        self._sum = self._squares = 0.0


def _padded(correlation: Floats, size: tuple[int, int]) -> Floats:
    """An autocorrelation, its negative shifts at the ends, with zeros between positive and negative shifts."""
    height, width = (length // 2 for length in correlation.shape)
    padded = np.zeros(size)
    for rows in (slice(0, height), slice(-height, None)):
        for columns in (slice(0, width), slice(-width, None)):
            padded[rows, columns] = correlation[rows, columns]
    return padded
