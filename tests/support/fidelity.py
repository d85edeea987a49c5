"""Images whose density is exactly predictable, and generators that return them, for tests of density fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.zip_folder import ZipFormat
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_core.models.card import ModelCard
from crowdgan_core.testing import write_dataset
from crowdgan_core.utils.arrays import ImageArray, LabelArray

CLASSES = ("sparse", "medium", "dense")

BOUNDS = ClassBounds(values=(6.0, 12.0))
"""Numbers of squares at which the class changes."""

SIDE_PX, SQUARE_PX = 32, 4
"""Side of the images and of the squares in pixels."""

MAX_SQUARES = 18


def squares_image(count: int, seed: int) -> ImageArray:
    """Dark noise with `count` bright squares at random cells of a grid."""
    rng = np.random.default_rng(seed)
    cells = SIDE_PX // SQUARE_PX
    grid = np.zeros(cells * cells, np.uint8)
    grid[rng.choice(cells * cells, count, replace=False)] = 1
    squares = grid.reshape(cells, cells).repeat(SQUARE_PX, 0).repeat(SQUARE_PX, 1)
    return (rng.integers(0, 40, (SIDE_PX, SIDE_PX, 3)) + 180 * squares[..., None]).astype(np.uint8)


def random_count(class_index: int, rng: np.random.Generator) -> int:
    """A number of squares of a class."""
    return int(rng.integers(1 + 6 * class_index - (class_index > 0), 6 * class_index + 6))


def write_squares(
    path: Path,
    num_images: int = 90,
    *,
    label_kind: str | None = "class",
    classes: Sequence[int] = (0, 1, 2),
    has_bounds: bool = True,
    has_densities: bool = True,
    seed: int = 0,
) -> Path:
    """Writes a dataset of images with squares; the density is their number."""
    rng = np.random.default_rng(seed)
    images, records = [], []
    for index in range(num_images):
        class_index = classes[index % len(classes)]
        count = random_count(class_index, rng)
        images.append(squares_image(count, seed=1000 * seed + index))
        labels = {"class": class_index, "value": (float(count),), None: None}
        density = float(count) if has_densities else None
        records.append(ImageRecord(name="", label=labels[label_kind], density=density))
    metadata = DatasetMetadata(
        estimator="grid",
        unit="squares",
        classes=CLASSES if label_kind == "class" else (),
        class_bounds=BOUNDS if has_bounds and label_kind == "class" else None,
        label_kind=label_kind,
        images=records,
    )
    write_dataset(ZipFormat(), path, images, metadata, overwrite=True)
    return path


def write_images(path: Path, images: Sequence[ImageArray], densities: Sequence[float]) -> Path:
    """Writes a dataset of images with densities, which are also the continuous labels."""
    records = [ImageRecord(name="", label=(density,), density=density) for density in densities]
    write_dataset(ZipFormat(), path, images, DatasetMetadata(label_kind="value", images=records), overwrite=True)
    return path


class SquaresGenerator:
    """A generator of images with squares, whose class is the requested one with a given probability.

    Otherwise it is one of the other classes. A wrong class and the image depend on seed and label only.
    """

    def __init__(self, right: float = 1.0, *, label_kind: str = "class", classes: Sequence[str] = CLASSES) -> None:
        self.right = right
        is_class = label_kind == "class"
        self.card = ModelCard(
            backend="squares",
            resolution=(SIDE_PX, SIDE_PX),
            label_dim=len(classes) if is_class else 1,
            label_kind=label_kind,
            classes=tuple(classes) if is_class else (),
            unit="squares",
        )

    supports_transform = False

    def generate(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        assert labels is not None
        return np.stack([self._image(seed, label) for seed, label in zip(seeds, labels, strict=True)])

    def _image(self, seed: int, label: npt.NDArray[np.float32]) -> ImageArray:
        if self.card.label_kind == "value":
            return squares_image(round(float(label[0])), seed)
        requested = int(label.argmax())
        rng = np.random.default_rng([seed, requested])
        is_right = rng.random() < self.right
        others = [index for index in range(len(CLASSES)) if index != requested]
        return squares_image(random_count(requested if is_right else int(rng.choice(others)), rng), seed)


class BlindGenerator(SquaresGenerator):
    """A generator that ignores the label: the class depends on the seed only."""

    def _image(self, seed: int, label: npt.NDArray[np.float32]) -> ImageArray:
        rng = np.random.default_rng(seed)
        return squares_image(random_count(int(rng.integers(len(CLASSES))), rng), seed)


class Brightness(FeatureExtractor):
    """The logarithm of the number of bright pixels, and the mean colour; the name is that of the default extractor."""

    name: ClassVar[str] = "lite0"
    description: ClassVar[str] = "number of bright pixels"

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> Brightness:
        return cls()

    @property
    def fingerprint(self) -> str:
        return "brightness 1"

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        bright = (images > 110).mean(axis=(1, 2, 3)) * (SIDE_PX / SQUARE_PX) ** 2
        return np.stack([np.log(bright + 0.85), bright, images.mean(axis=(1, 2, 3)) / 255], axis=1).astype(np.float32)
