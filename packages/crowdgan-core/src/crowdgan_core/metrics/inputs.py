"""The inputs of metrics: image sets, generator, and features that are computed once for all metrics."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.extractor import FeatureArray, FeatureExtractor, WeightsFile
from crowdgan_core.metrics.feature_cache import FeatureCache
from crowdgan_core.metrics.generated_images import GeneratedImages, sample_labels
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.utils.plugin_calls import plugin_call, require_result
from crowdgan_core.utils.progress import Progress

T = TypeVar("T")

KIND = "feature extractor"


@dataclass(kw_only=True)
class EvaluationInputs:
    """An implementation of `MetricInputs`.

    Raises:
        ConfigError: a generator and a second set of images are given, or a number is below 1.
    """

    real: ImageSet | None = None
    """Real images."""

    dataset: DatasetReader | None = None
    """The dataset of the real images, with labels and densities; None for images without them."""

    generator: ImageGenerator | None = None
    """The generator; None when two sets of images are compared."""

    generator_name: str = "generated images"
    """Description of the generated images for messages and tables, for example the path of the model."""

    compared: ImageSet | None = None
    """Images that are compared with the real ones instead of generated images."""

    num_images: int
    """Number of images that a metric generates or evaluates."""

    seed: int = 0
    """Seed of everything random."""

    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""

    batch_size: int = 32
    """Images generated and evaluated at a time; the result does not depend on it."""

    extractors: Mapping[str, type[FeatureExtractor]] = field(default_factory=dict)
    """Feature extractor classes by name."""

    weights: Mapping[str, Path] = field(default_factory=dict)
    """Weights files by name of the extractor."""

    cache: FeatureCache = field(default_factory=FeatureCache)
    """Cache of the features of real images."""

    _generated: dict[int, ImageSet] = field(default_factory=dict, repr=False)
    _loaded: dict[str, FeatureExtractor] = field(default_factory=dict, repr=False)
    _features: dict[tuple[int, str], tuple[ImageSet, FeatureArray]] = field(default_factory=dict, repr=False)
    _real_results: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.generator is not None and self.compared is not None:
            raise ConfigError("a generator and a second set of images are both given; compare the real images with one")
        for name in ("num_images", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def with_num_images(self, num_images: int) -> EvaluationInputs:
        """The same inputs with another number of images; both share extractors and features."""
        other = copy.copy(self)
        other.num_images = num_images
        return other

    def with_generator(self, generator: ImageGenerator) -> EvaluationInputs:
        """The same inputs with another generator; both share extractors and the features of the real images."""
        other = copy.copy(self)
        other.generator, other._generated = generator, {}
        other._features = {key: entry for key, entry in self._features.items() if entry[0] is self.real}
        return other

    @property
    def generated(self) -> ImageSet | None:
        """Generated images, or the images that are compared with the real ones.

        Raises:
            ConfigError: the model has labels, and there is no dataset with these labels.
        """
        if self.compared is not None or self.generator is None:
            return self.compared
        if self.num_images not in self._generated:
            labels = sample_labels(self.dataset, self.generator.card, self.num_images, self.seed)
            self._generated[self.num_images] = GeneratedImages(
                self.generator, labels, seed=self.seed, description=self.generator_name
            )
        return self._generated[self.num_images]

    def unavailable_extractor(self, name: str) -> str | None:
        """The reason why the feature extractor `name` cannot be used, with what the user can do; None if it can be."""
        if name not in self.extractors:
            return f"no feature extractor {name} is installed; choose from {', '.join(self.extractors) or 'none'}"
        extractor = self.extractors[name]
        with plugin_call(KIND, extractor, "checking whether it is available"):
            reason = extractor.unavailable_reason()
        if reason is not None:
            return reason
        if name in self.weights:
            return None if self.weights[name].is_file() else f"{self.weights[name]}: no such file of weights"
        file = extractor.weights_file
        return None if file is None else f"{name} needs {describe_weights(name, file)}"

    def extractor(self, name: str) -> FeatureExtractor:
        """The loaded feature extractor `name`.

        Raises:
            ConfigError: it is not available.
            CheckpointError: its weights are damaged.
        """
        if name not in self._loaded:
            reason = self.unavailable_extractor(name)
            if reason is not None:
                raise ConfigError(reason)
            extractor = self.extractors[name]
            with plugin_call(KIND, extractor, "loading it"):
                self._loaded[name] = extractor.load(self.weights.get(name), self.device)
        return self._loaded[name]

    def features(self, images: ImageSet, extractor: str, progress: Progress) -> FeatureArray:
        """Features `[num_images, num_features]` of a set; those of real images are cached on disk.

        Raises:
            ConfigError: the extractor is not available.
            DatasetError: an image is damaged or has another size.
            PluginError: the extractor failed, or returned features of another shape or type, or that are not finite.
        """
        key = (id(images), extractor)  # the set is stored beside its features, so that its ID remains unique
        if key not in self._features:
            self._features[key] = (images, self._cached_features(images, self.extractor(extractor), progress))
        return self._features[key][1]

    def real_result(self, key: str, compute: Callable[[], T]) -> T:
        """A result that depends only on the real images, the seed and the device; computed once for all generators."""
        if key not in self._real_results:
            self._real_results[key] = compute()
        result: T = self._real_results[key]
        return result

    def _cached_features(self, images: ImageSet, extractor: FeatureExtractor, progress: Progress) -> FeatureArray:
        content_hash = images.content_hash()
        if content_hash is None:
            return self._compute_features(images, extractor, progress)
        path = self.cache.path(content_hash, extractor)
        features = self.cache.read(path, len(images))
        if features is None:
            features = self._compute_features(images, extractor, progress)
            self.cache.write(path, features)
        return features

    def _compute_features(self, images: ImageSet, extractor: FeatureExtractor, progress: Progress) -> FeatureArray:
        progress.start(f"{extractor.name}: {images.description}", len(images))
        parts: list[FeatureArray] = []
        start = 0
        for batch in images.batches(self.batch_size):
            parts.append(checked_features(extractor, batch, start, images.description))
            _check_lengths(extractor, parts)
            start += len(batch)
            for _ in batch:
                progress.advance()
        return np.concatenate(parts)


def describe_weights(name: str, file: WeightsFile) -> str:
    """The weights file of an extractor, its SHA-256, its source, and the option that passes it."""
    digests = " or ".join(file.sha256)
    return f"the file {file.name}, passed by --weights {name}=FILE (SHA-256 {digests}; source: {file.source})"


def checked_features(
    extractor: FeatureExtractor, images: npt.NDArray[np.uint8], first: int, description: str
) -> FeatureArray:
    """Features of a batch, after checks of their shape, type and values.

    Args:
        extractor: the loaded extractor.
        images: `[num_images, height, width, 3]`.
        first: index of the first image in its set, for messages.
        description: the set, for messages.

    Raises:
        PluginError: the extractor failed, or its features violate its contract.
    """
    where = f"{description}, images {first} to {first + len(images) - 1}"
    with plugin_call(KIND, extractor, where):
        features: Any = extractor.features(images)  # a plugin's types are not checked statically
    is_array = isinstance(features, np.ndarray)
    found = f"{features.dtype} {list(features.shape)}" if is_array else type(features).__name__
    is_valid = is_array and features.dtype == np.float32 and features.ndim == 2 and len(features) == len(images)
    problem = f"features returned {found}; it must return float32 [{len(images)}, num_features]"
    require_result(is_valid and features.shape[1] > 0, KIND, extractor, where, problem)
    is_finite = np.isfinite(features).all(axis=1)
    if not is_finite.all():
        image = f"{description}, image {first + int(np.argmin(is_finite))}"
        require_result(False, KIND, extractor, image, "the features are not finite numbers")
    checked: FeatureArray = features
    return checked


def _check_lengths(extractor: FeatureExtractor, parts: list[FeatureArray]) -> None:
    first, last = parts[0].shape[1], parts[-1].shape[1]
    problem = f"the number of features is {last}; it was {first} for other images of the same size"
    require_result(first == last, KIND, extractor, "features", problem)
