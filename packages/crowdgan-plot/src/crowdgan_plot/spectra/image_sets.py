"""Sets of images whose spectra are compared: of datasets, and of models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from crowdgan_core.api import load_generator
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.images import to_upright_rgb
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector, one_hot
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import find_source
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import Progress
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_plot.spectra.spectrum import SpectrumMean


class ImageSet(Protocol):
    """Images of one size, with a name."""

    @property
    def name(self) -> str:
        """For the legend."""
        ...

    def images(self, most: int) -> Iterator[tuple[ImageArray, str]]:
        """At most so many images, and where each is from."""
        ...


@dataclass(frozen=True, kw_only=True)
class StoredImages:
    """Images of a dataset, or of any other source."""

    name: str
    path: Path

    def images(self, most: int) -> Iterator[tuple[ImageArray, str]]:
        """At most so many images, evenly spread over the dataset.

        Raises:
            DatasetError: it cannot be read, or is empty.
        """
        source = find_source([self.path], None, None, installed_plugins().scene_sources).open([self.path], None)
        chosen = set(evenly_spaced(range(len(source)), most))
        if not chosen:
            raise DatasetError(f"{self.path}: it holds no images")
        for index, item in enumerate(source):
            if index in chosen:
                yield np.asarray(to_upright_rgb(item.image.open(), item.image.where)), item.image.where


@dataclass(frozen=True, kw_only=True)
class GeneratedImages:
    """Images of a model: seeds from 0."""

    name: str
    path: Path
    density: str | None = None
    """Class or density of all images; None takes the classes in turn."""
    rendering: GenerationOptions
    device: str = "auto"

    def images(self, most: int) -> Iterator[tuple[ImageArray, str]]:
        """So many images of the model.

        Raises:
            CheckpointError: it cannot be loaded.
            ConfigError: it needs a density.
        """
        return self.images_of(load_generator(self.path, self.device, check=self.labels), most)

    def images_of(self, generator: ImageGenerator, most: int) -> Iterator[tuple[ImageArray, str]]:
        """So many images of the model once it is loaded."""
        labels = list(itertools.islice(itertools.cycle(self.labels(generator.card)), most))
        for pixels in generate_images(generator, range(most), labels, self.rendering):
            yield pixels, str(self.path)

    def labels(self, card: ModelCard) -> list[LabelVector | None]:
        """The labels that its images take in turn.

        Raises:
            ConfigError: it has no such label, or needs one.
        """
        if self.density is None and card.label_kind == "class":
            return [one_hot(card, index) for index in range(card.label_dim)]
        if self.density is not None and card.label_kind is None:
            return [None]
        try:
            return [label_vector(card, Conditioning(density=self.density))]
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error


def mean_spectrum(images: ImageSet, most: int, progress: Progress) -> SpectrumMean:
    """The mean spectrum of a set, of at most so many images."""
    mean = SpectrumMean()
    progress.start(images.name, most)
    with closing(images.images(most)) as found:  # type: ignore[type-var]  # they are generators
        for pixels, where in found:
            mean.add(pixels, where)
            progress.advance()
    return mean
