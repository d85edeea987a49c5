"""A watch for collapse: whether images of a class are still different, and whether classes are.

Ours: cheap enough for every snapshot. Quality metrics tell more, and cost more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from crowdgan_core.utils.arrays import ImageArray

SIDE = 16
"""Side of the copies that are compared, in pixels: composition and colour, not texture."""

COLLAPSED_SHARE = 0.1
"""A class has collapsed when its images differ by less than this share of what the dataset's do."""

SAME_SHARE = 0.02
"""Classes are the same when one seed's images differ among them by less than this share of what the dataset's do."""

ALL = "all"
"""Name of the images of a model without classes."""

Copies = npt.NDArray[np.float32]


def mean_pairwise_distance(images: ImageArray) -> float:
    """Mean distance between two of the images `[N, H, W, 3]`, 0 to 1: root mean square over small copies.

    0 for fewer than two.
    """
    copies = _copies(images)
    pairs = [_distance(first, second) for first, second in combinations(copies, 2)]
    return float(np.mean(pairs)) if pairs else 0.0


def spread_of_classes(stacks: Sequence[ImageArray]) -> float:
    """Mean distance between the images `[N, H, W, 3]` of one seed in two classes; 0 for one class."""
    copies = [_copies(stack) for stack in stacks]
    pairs = [_distance(a, b) for one, other in combinations(copies, 2) for a, b in zip(one, other, strict=True)]
    return float(np.mean(pairs)) if pairs else 0.0


class DiversityMonitor:
    """Compares generated images with the dataset's, a stack per class."""

    def __init__(self, names: Sequence[str], real: Sequence[ImageArray]) -> None:
        self._names = list(names) or [ALL]
        stacks = list(real) if names else [np.concatenate(real)]
        self._real = [mean_pairwise_distance(stack) for stack in stacks]

    def measures(self, fake: Sequence[ImageArray]) -> dict[str, float]:
        """Spreads by their names in `stats.jsonl`."""
        stacks = self._by_class(fake)
        found = {
            f"Collapse/spread/{name}": mean_pairwise_distance(stack)
            for name, stack in zip(self._names, stacks, strict=True)
        }
        return found | ({"Collapse/between_classes": spread_of_classes(stacks)} if len(stacks) > 1 else {})

    def warnings(self, measures: dict[str, float]) -> Iterator[str]:
        """What is wrong with generated images of such spreads, a sentence each."""
        for name, real in zip(self._names, self._real, strict=True):
            found = measures[f"Collapse/spread/{name}"]
            if found < COLLAPSED_SHARE * real:
                what = "the images" if name == ALL else f"the images of the class {name}"
                yield f"{what} are nearly all the same: they differ by {found:.3f}, the dataset's by {real:.3f}"
        between = measures.get("Collapse/between_classes")
        if between is not None and between < SAME_SHARE * max(self._real):
            yield f"all classes give nearly the same image for a seed: they differ by {between:.4f}"

    def _by_class(self, stacks: Sequence[ImageArray]) -> list[ImageArray]:
        return list(stacks) if self._names != [ALL] else [np.concatenate(stacks)]


def _copies(images: ImageArray) -> Copies:
    """Means over squares of the images, `[N, values]`, 0 to 1."""
    count, height, width, channels = images.shape
    step = max(min(height, width) // SIDE, 1)
    rows, columns = height // step, width // step
    blocks = images[:, : rows * step, : columns * step].reshape(count, rows, step, columns, step, channels)
    means: Copies = blocks.mean(axis=(2, 4), dtype=np.float32) / 255
    return means.reshape(count, rows * columns * channels)


def _distance(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))
