"""Generated images, as a set that metrics compare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.label_vectors import label_vectors
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.models.generation.parsing import MAX_SEED
from crowdgan_core.utils.arrays import LabelArray

MAX_KEPT_BYTES = 2**30
"""Sets of at most this size are kept in memory, so that several extractors do not generate them again."""


class GeneratedImages:
    """Images of a generator without truncation, one per label; the seeds are distinct.

    Args:
        generator: the generator.
        labels: label vectors `[num_images, label_dim]`; `[num_images, 0]` for a model without labels.
        seed: seed from which the seeds of the images follow; fewer images are the first ones of more images.
        description: for messages and tables.

    Raises:
        ConfigError: no images are requested.
    """

    def __init__(
        self, generator: ImageGenerator, labels: LabelArray, *, seed: int = 0, description: str = "generated images"
    ) -> None:
        if len(labels) == 0:
            raise ConfigError("0 generated images; the number of images must be at least 1")
        self.description = description
        self.generator, self.labels = generator, labels
        self.seeds = image_seeds(seed, len(labels))
        shape = (len(labels), *self.size, 3)
        self._kept = np.zeros(shape, np.uint8) if np.prod(shape, dtype=float) <= MAX_KEPT_BYTES else None
        self._num_kept = 0

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        return self.generator.card.resolution

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images `[batch_size, height, width, 3]` in order; the last batch may be smaller.

        Raises:
            ConfigError: the generator rejects the labels.
            PluginError: it returned an array of another shape or type.
        """
        for start in range(0, len(self), batch_size):
            stop = min(start + batch_size, len(self))
            if self._kept is None:
                yield self._generate(start, stop)
                continue
            if stop > self._num_kept:
                self._kept[self._num_kept : stop] = self._generate(self._num_kept, stop)
                self._num_kept = stop
            yield self._kept[start:stop].copy()

    def content_hash(self) -> None:
        """None: features of generated images are not cached."""
        return

    def _generate(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        labels = [tuple(row) if row else None for row in self.labels[start:stop].tolist()]
        options = GenerationOptions(batch_size=stop - start)
        return np.stack(list(generate_images(self.generator, self.seeds[start:stop], labels, options)))


def image_seeds(seed: int, num_images: int) -> list[int]:
    """Distinct seeds of images, which differ from those of other values of `seed`; fewer are the first ones of more."""
    first = int(np.random.default_rng(seed).integers(MAX_SEED + 1))
    seeds: list[int] = ((first + np.arange(num_images)) % (MAX_SEED + 1)).tolist()
    return seeds


def sample_labels(dataset: DatasetReader | None, card: ModelCard, num_images: int, seed: int) -> LabelArray:
    """Label vectors `[num_images, label_dim]`, drawn from those of a dataset with replacement.

    For a model without labels, `[num_images, 0]`.

    Raises:
        ConfigError: the model has labels, and the dataset is None or has other labels.
    """
    if card.label_kind is None:
        return np.zeros((num_images, 0), np.float32)
    check_labels(dataset, card)
    assert dataset is not None
    vectors = label_vectors(dataset.metadata)
    return vectors[np.random.default_rng([seed, 1]).integers(len(vectors), size=num_images)]


def check_labels(dataset: DatasetReader | None, card: ModelCard) -> None:
    """Checks that the labels of a dataset are those of a model; a model without labels accepts every dataset.

    Raises:
        ConfigError: the model has labels, and the dataset is None or has other labels.
    """
    if card.label_kind is None:
        return
    if dataset is None:
        raise ConfigError(f"the model has {_describe_model(card)}; give a dataset with these labels by --data")
    metadata = dataset.metadata
    has_same_length = label_vectors(metadata).shape[1] == card.label_dim
    has_same_names = not card.classes or tuple(card.classes) == tuple(metadata.classes)
    if metadata.label_kind != card.label_kind or not has_same_length or not has_same_names:
        raise ConfigError(
            f"{dataset.path}: {_describe_dataset(metadata)}, but the model has {_describe_model(card)}; the labels of "
            "generated images are drawn from the dataset, so they must be the same"
        )


def _describe_model(card: ModelCard) -> str:
    if card.label_kind == "value":
        return f"continuous labels of length {card.label_dim}"
    return f"the classes {', '.join(card.classes)}" if card.classes else f"{card.label_dim} classes without names"


def _describe_dataset(metadata: DatasetMetadata) -> str:
    if metadata.label_kind is None:
        return "no labels"
    if metadata.label_kind == "value":
        return f"continuous labels of length {label_vectors(metadata).shape[1]}"
    return f"the classes {', '.join(metadata.classes)}"
