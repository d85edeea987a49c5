"""Images of floating-point numbers, in which the background is rendered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

FloatImage = npt.NDArray[np.float32]
"""`[3, height, width]` RGB, 0 to 255: one plane per colour, since NumPy is slow on rows of three numbers."""

FloatMap = npt.NDArray[np.float32]
"""`[height, width]` numbers, for example brightness."""


BLOCK_ROWS = 96
"""Rows that are computed at once, such that the arrays stay in the processor's cache."""


def row_blocks(height: int) -> Iterator[slice]:
    """Successive blocks of at most BLOCK_ROWS of `height` rows."""
    return (slice(start, start + BLOCK_ROWS) for start in range(0, height, BLOCK_ROWS))


def to_image(image: FloatImage) -> Image.Image:
    """RGB image of 8 bits per channel; values are clipped to 0 to 255 and rounded."""
    planes = [(plane + np.float32(0.5)).clip(0, 255).astype(np.uint8) for plane in image]
    return Image.merge("RGB", [Image.fromarray(plane) for plane in planes])


def smooth_noise(cells: FloatMap, size: tuple[int, int]) -> FloatMap:
    """Random cells, enlarged smoothly to `size` (height, width)."""
    height, width = size
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))
