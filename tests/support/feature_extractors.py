"""Feature extractors without a network, and small datasets, for tests of metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from crowdgan_blobs.features import GridColours

from crowdgan_core import testing
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.metrics.extractor import FeatureArray, WeightsFile

CLASSES = ("sparse", "medium", "dense")


class CountedColours(GridColours):
    """The extractor of the example plugin, which counts images."""

    num_images: ClassVar[int] = 0
    """Number of images whose features were computed."""

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        CountedColours.num_images += len(images)
        return super().features(images)


WEIGHTS = b"weights"


class WeightedColours(CountedColours):
    """The same features, with a file of weights that the user provides."""

    name = "weighted-colours"
    weights_file = WeightsFile(
        name="colours.pt", sha256=(hashlib.sha256(WEIGHTS).hexdigest(),), source="https://example.org/colours.pt"
    )


def write_dataset(
    path: Path,
    images: Sequence[npt.NDArray[np.uint8]],
    labels: Sequence[Any] | None = None,
    *,
    classes: Sequence[str] = CLASSES,
    densities: Sequence[float] | None = None,
) -> Path:
    """Writes a ZIP dataset of images `[height, width, 3]` and their labels, class indices or vectors."""
    is_class = labels is not None and isinstance(labels[0], int)
    records = [
        ImageRecord(
            name="",
            label=None if labels is None else labels[index],
            density=None if densities is None else densities[index],
        )
        for index in range(len(images))
    ]
    metadata = DatasetMetadata(
        label_kind=None if labels is None else "class" if is_class else "value",
        classes=tuple(classes) if is_class else (),
        unit=None if densities is None else "persons",
        images=records,
    )
    testing.write_dataset(ZipFormat(), path, images, metadata)
    return path


def random_images(num_images: int, size: tuple[int, int] = (16, 16), seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth random images `[num_images, height, width, 3]`."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (num_images, 2, 2, 3), np.uint8)
    return coarse.repeat(size[0] // 2, axis=1).repeat(size[1] // 2, axis=2)
