"""Sets of images whose spectra are compared: images of a dataset, or of a model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from crowdgan_core.api import load_generator
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import MODEL_SUFFIX, ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector, one_hot
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import open_source
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.spectra.spectrum import SpectrumMean


class ImageSet(Protocol):
    """A named set of images of one size."""

    @property
    def name(self) -> str:
        """Name in the legend."""
        ...

    def images(self, max_images: int) -> Iterator[tuple[ImageArray, str]]:
        """At most `max_images` images, each with its location for error messages."""
        ...


@dataclass(frozen=True, kw_only=True)
class StoredImages:
    """Images of a dataset, or of any other source."""

    name: str
    path: Path

    def images(self, max_images: int) -> Iterator[tuple[ImageArray, str]]:
        """At most `max_images` images, evenly spaced over the dataset.

        Raises:
            DatasetError: the dataset cannot be read, or is empty.
        """
        source, _ = open_source([self.path], None, None, installed_plugins().scene_sources)
        selected = set(evenly_spaced(range(len(source)), max_images))
        if not selected:
            raise DatasetError(f"{self.path}: contains no images")
        for index, item in enumerate(source):
            if index in selected:
                yield np.asarray(to_upright_rgb(item.image.open(), item.image.where)), item.image.where


@dataclass(frozen=True, kw_only=True)
class GeneratedImages:
    """Images of a model, for seeds from 0."""

    name: str
    path: Path
    density: str | None = None
    """Class or density of all images; None for all classes in turn."""
    options: GenerationOptions = field(default_factory=GenerationOptions)
    device: str = "auto"

    def images(self, max_images: int) -> Iterator[tuple[ImageArray, str]]:
        """`max_images` images of the model.

        Raises:
            CheckpointError: the model cannot be loaded.
            ConfigError: the model has no such density, or needs one.
        """
        return self.generate(load_generator(self.path, self.device, check=self.labels), max_images)

    def generate(self, generator: ImageGenerator, max_images: int) -> Iterator[tuple[ImageArray, str]]:
        """`max_images` images of the loaded model."""
        labels = list(itertools.islice(itertools.cycle(self.labels(generator.card)), max_images))
        for image in generate_images(generator, range(max_images), labels, self.options):
            yield image, str(self.path)

    def labels(self, card: ModelCard) -> list[LabelVector | None]:
        """The labels that the images have in turn.

        Raises:
            ConfigError: the model has no such density, or needs one.
        """
        if self.density is None and card.label_kind == "class":
            return [one_hot(card, index) for index in range(card.label_dim)]
        if self.density is not None and card.label_kind is None:
            return [None]
        try:
            return [label_vector(card, Conditioning(density=self.density))]
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error


def image_set_of(name: str, path: Path) -> ImageSet:
    """The images at a path: generated ones if it is a model file, else stored ones."""
    if path.suffix == MODEL_SUFFIX:
        return GeneratedImages(name=name, path=path)
    return StoredImages(name=name, path=path)


def mean_spectrum(image_set: ImageSet, max_images: int, progress: Progress) -> SpectrumMean:
    """The mean spectrum of at most `max_images` images of a set."""
    mean = SpectrumMean()
    progress.start(image_set.name, max_images)
    with closing(image_set.images(max_images)) as images:  # type: ignore[type-var]  # they are generators
        for image, where in images:
            mean.add(image, where)
            progress.advance()
    return mean
