"""Sets of images that metrics compare: images of a dataset, and generated images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt


class ImageSet(Protocol):
    """Images of one size, read or generated in batches; iterating again gives the same images."""

    @property
    def description(self) -> str:
        """Text for messages and tables, for example `crowds.zip`."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of all images in pixels."""
        ...

    def __len__(self) -> int:
        """Number of images."""
        ...

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images `[batch_size, height, width, 3]` in order; the last batch may be smaller."""
        ...

    def content_hash(self) -> str | None:
        """Hash of the content of all images in hexadecimal, the key of cached features; None if not to be cached."""
        ...
