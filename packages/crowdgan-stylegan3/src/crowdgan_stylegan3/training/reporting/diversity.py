"""Mode-collapse check: diversity of generated images within and between classes.

Ours: the mean distance between thumbnails, fast enough for every snapshot. It does not replace quality metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from crowdgan_core.utils.arrays import ImageArray

THUMBNAIL_SIDE_PX = 16
"""Side of the compared thumbnails: they keep composition and colour, but not texture."""

COLLAPSE_FRACTION = 0.1
"""Mode collapse: the diversity of a class is below this fraction of the dataset's diversity."""

SAME_CLASSES_FRACTION = 0.02
"""Classes are identical: the distance between classes is below this fraction of the dataset's diversity."""

ALL_IMAGES_NAME = "all"
"""Name in place of a class for a model without classes."""

Thumbnails = npt.NDArray[np.float32]
"""`[num_images, values]`, 0 to 1."""


def mean_pairwise_distance(images: ImageArray) -> float:
    """Mean distance between two of the images `[N, H, W, 3]`, 0 to 1; 0 for fewer than two images.

    The distance is the root mean square difference of the thumbnails.
    """
    thumbnails = _thumbnails(images)
    distances = [_distance(first, second) for first, second in combinations(thumbnails, 2)]
    return float(np.mean(distances)) if distances else 0.0


def mean_class_distance(stacks: Sequence[ImageArray]) -> float:
    """Mean distance between images of one seed in two classes, 0 to 1; 0 for one class.

    Args:
        stacks: images `[num_seeds, H, W, 3]` of each class, with the same seeds.
    """
    classes = [_thumbnails(stack) for stack in stacks]
    distances = [
        _distance(first, second)
        for one_class, other_class in combinations(classes, 2)
        for first, second in zip(one_class, other_class, strict=True)
    ]
    return float(np.mean(distances)) if distances else 0.0


class DiversityMonitor:
    """Compares the diversity of generated images with that of the dataset."""

    def __init__(self, names: Sequence[str], real: Sequence[ImageArray]) -> None:
        """Measures the diversity of the dataset.

        Args:
            names: class names; empty without classes.
            real: images of the dataset, one stack per class.
        """
        self._names = list(names) or [ALL_IMAGES_NAME]
        stacks = list(real) if names else [np.concatenate(real)]
        self._real_diversities = [mean_pairwise_distance(stack) for stack in stacks]

    def measure(self, generated: Sequence[ImageArray]) -> dict[str, float]:
        """Diversities of generated images, one stack per class, by their keys in `stats.jsonl`."""
        stacks = self._stacks_by_name(generated)
        diversities = {
            f"Collapse/spread/{name}": mean_pairwise_distance(stack)
            for name, stack in zip(self._names, stacks, strict=True)
        }
        return diversities | ({"Collapse/between_classes": mean_class_distance(stacks)} if len(stacks) > 1 else {})

    def warnings(self, diversities: Mapping[str, float]) -> Iterator[str]:
        """Warnings about mode collapse and identical classes, from the values of `measure`."""
        for name, real in zip(self._names, self._real_diversities, strict=True):
            generated = diversities[f"Collapse/spread/{name}"]
            if generated < COLLAPSE_FRACTION * real:
                images = "generated images" if name == ALL_IMAGES_NAME else f"generated images of the class {name}"
                yield (
                    f"possible mode collapse: {images} are nearly identical "
                    f"(mean distance {generated:.3f}, in the dataset {real:.3f})"
                )
        between = diversities.get("Collapse/between_classes")
        if between is not None and between < SAME_CLASSES_FRACTION * max(self._real_diversities):
            yield f"the class has almost no effect: images of a seed are nearly identical (mean distance {between:.4f})"

    def _stacks_by_name(self, stacks: Sequence[ImageArray]) -> list[ImageArray]:
        return list(stacks) if self._names != [ALL_IMAGES_NAME] else [np.concatenate(stacks)]


def _thumbnails(images: ImageArray) -> Thumbnails:
    """Images `[N, H, W, C]`, averaged over square blocks of pixels."""
    count, height, width, channels = images.shape
    block_px = max(min(height, width) // THUMBNAIL_SIDE_PX, 1)
    rows, columns = height // block_px, width // block_px
    cropped = images[:, : rows * block_px, : columns * block_px]
    blocks = cropped.reshape(count, rows, block_px, columns, block_px, channels)
    means: Thumbnails = blocks.mean(axis=(2, 4), dtype=np.float32) / 255
    return means.reshape(count, rows * columns * channels)


def _distance(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))
