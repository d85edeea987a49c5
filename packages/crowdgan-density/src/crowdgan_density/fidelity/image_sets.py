"""Images with requested densities: generated ones, or those of a dataset; and features that are computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.record_densities import annotated_indices, record_densities
from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor
from crowdgan_core.metrics.generated_images import image_seeds
from crowdgan_core.metrics.inputs import checked_features
from crowdgan_core.metrics.stored_images import DatasetImages
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import one_hot
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.utils.arrays import FloatArray, ImageArray, IndexArray
from crowdgan_density.fidelity.density_scale import DensityScale

MAX_ROWS = 50_000
"""Images, or tiles of images, whose features are kept: 250 MB with 1280 features."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Requests:
    """Requested label and latent of each image, `[num_images]` each."""

    latents: IndexArray
    """Index of the latent."""

    densities: FloatArray
    """Requested densities; for class labels the median density of the class."""

    classes: IndexArray

    names: tuple[str, ...]
    """Names of the images for the report."""

    def labels(self, scale: DensityScale) -> FloatArray:
        """The requests in label units."""
        return self.densities if scale.label_kind == "value" else self.classes.astype(float)


class RequestedImages(Protocol):
    """Images with a requested class or density."""

    @property
    def description(self) -> str:
        """Name of the model or dataset."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        ...

    @property
    def requests(self) -> Requests:
        """The requests, one per image."""
        ...

    @property
    def truncation_psi(self) -> float | None:
        """Truncation of generated images; None for images of a dataset."""
        ...

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images in the order of the requests."""
        ...

    def image(self, index: int) -> ImageArray:
        """One image `[height, width, 3]`."""
        ...


class ConditionedImages:
    """Images of a generator: every latent with every requested label, in random order; the last one with the first
    labels if the number of images is not a multiple of that of labels.

    Raises:
        ConfigError: there are fewer images than labels.
    """

    def __init__(
        self,
        generator: ImageGenerator,
        description: str,
        scale: DensityScale,
        *,
        num_images: int,
        seed: int,
        options: GenerationOptions | None = None,
    ) -> None:
        self.description = description
        self._generator, self._options = generator, options or GenerationOptions()
        densities = np.array(scale.requests)
        is_class = scale.label_kind == "class"
        classes = np.arange(len(densities)) if is_class else scale.class_indices(densities)
        vectors = [
            one_hot(generator.card, index) if is_class else (scale.requests[index],) for index in range(len(densities))
        ]
        if num_images < len(vectors):
            raise ConfigError(f"{num_images} images; at least {len(vectors)} are needed, one per requested label")
        latents, labels = np.divmod(np.random.default_rng(seed).permutation(num_images), len(vectors))
        seeds = image_seeds(seed, int(latents.max()) + 1)
        self._seeds = [seeds[latent] for latent in latents]
        self._vectors = [vectors[label] for label in labels]
        self.requests = Requests(
            latents=latents,
            densities=densities[labels],
            classes=classes[labels],
            names=tuple(f"seed {number}" for number in self._seeds),
        )

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        return self._generator.card.resolution

    @property
    def truncation_psi(self) -> float:
        """Truncation of the images."""
        return self._options.truncation_psi

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images in the order of the requests."""
        vectors = list(self._vectors)
        images = generate_images(self._generator, self._seeds, vectors, self._options)
        for start in range(0, len(self._seeds), batch_size):
            yield np.stack([next(images) for _ in self._seeds[start : start + batch_size]])

    def image(self, index: int) -> ImageArray:
        """One image, generated again."""
        return next(generate_images(self._generator, [self._seeds[index]], [self._vectors[index]], self._options))


class LabelledImages:
    """Images of a second dataset with their labels as requests; every image has another latent.

    Raises:
        ConfigError: its labels are not those of the first dataset.
    """

    def __init__(self, reader: DatasetReader, scale: DensityScale) -> None:
        metadata = reader.metadata
        if metadata.label_kind != scale.label_kind or (metadata.classes and metadata.classes != scale.classes):
            found = f"classes {', '.join(metadata.classes)}" if metadata.classes else f"labels: {metadata.label_kind}"
            expected = f"classes {', '.join(scale.classes)}" if scale.label_kind == "class" else "continuous labels"
            raise ConfigError(f"{reader.path}: {found}; the first dataset has {expected}")
        self.description = reader.path.name
        self._images = DatasetImages(reader, annotated_indices(metadata).tolist())
        records = [metadata.images[index] for index in self._images.indices]
        self.requests = Requests(
            latents=np.arange(len(records)),
            densities=record_densities(records),
            classes=scale.record_classes(records),
            names=tuple(record.name for record in records),
        )

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the images in pixels."""
        return self._images.size

    @property
    def truncation_psi(self) -> None:
        """None, since the images are not generated."""
        return

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Images in the order of the requests."""
        return self._images.batches(batch_size)

    def image(self, index: int) -> ImageArray:
        """One image."""
        return self._images.reader.image(self._images.indices[index])


class RememberedFeatures(FeatureExtractor):
    """A feature extractor that computes the features of each image once, and checks them.

    The features of the latest `MAX_ROWS` images are kept.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self._rows: dict[bytes, FeatureArray] = {}

    @classmethod
    def load(cls, weights: object = None, device: str = "auto") -> FeatureExtractor:
        """Not supported: it wraps a loaded extractor."""
        raise NotImplementedError("RememberedFeatures wraps a loaded extractor")

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the extractor."""
        return self._extractor.fingerprint

    def features(self, images: npt.NDArray[np.uint8]) -> FeatureArray:
        """Features `[num_images, num_features]` of images `[num_images, height, width, 3]`.

        Raises:
            PluginError: the extractor failed, or its features violate its contract.
        """
        keys = [hashlib.sha256(image.tobytes() + repr(image.shape).encode()).digest() for image in images]
        missing = [index for index, key in enumerate(keys) if key not in self._rows]
        if missing:
            for index, row in zip(missing, checked_features(self._extractor, images[missing], 0, "batch"), strict=True):
                self._rows[keys[index]] = row
        features = np.stack([self._rows[key] for key in keys])
        for key in list(self._rows)[:-MAX_ROWS]:
            del self._rows[key]
        return features
