"""Sets of pictures whose spectra are compared: of datasets, and of models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from crowdgan_core.backend import ImageGenerator
from crowdgan_core.dataset import Pixels
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.generation.batches import Rendering, generated
from crowdgan_core.generation.labels import LabelRequest, LabelVector, label_vector, one_hot
from crowdgan_core.model_card import ModelCard
from crowdgan_core.models import load_generator
from crowdgan_core.pictures import upright_rgb
from crowdgan_core.plugins import installed_plugins
from crowdgan_core.progress import Progress
from crowdgan_core.sources import source_for
from crowdgan_core.spreading import evenly_spread
from crowdgan_plot.spectrum import SpectrumMean


class PictureSet(Protocol):
    """Pictures of one size, with a name."""

    @property
    def name(self) -> str:
        """For the legend."""
        ...

    def pictures(self, most: int) -> Iterator[tuple[Pixels, str]]:
        """At most so many pictures, and where each is from."""
        ...


@dataclass(frozen=True, kw_only=True)
class StoredPictures:
    """Pictures of a dataset, or of any other source."""

    name: str
    path: Path

    def pictures(self, most: int) -> Iterator[tuple[Pixels, str]]:
        """At most so many pictures, evenly spread over the dataset.

        Raises:
            DatasetError: it cannot be read, or is empty.
        """
        source = source_for([self.path], None, None, installed_plugins().scene_sources).open([self.path], None)
        chosen = set(evenly_spread(range(len(source)), most))
        if not chosen:
            raise DatasetError(f"{self.path}: it holds no pictures")
        for index, item in enumerate(source):
            if index in chosen:
                yield np.asarray(upright_rgb(item.picture.open(), item.picture.where)), item.picture.where


@dataclass(frozen=True, kw_only=True)
class GeneratedPictures:
    """Pictures of a model: seeds from 0."""

    name: str
    path: Path
    density: str | None = None
    """Class or density of all pictures; None takes the classes in turn."""
    rendering: Rendering
    device: str = "auto"

    def pictures(self, most: int) -> Iterator[tuple[Pixels, str]]:
        """So many pictures of the model.

        Raises:
            CheckpointError: it cannot be loaded.
            ConfigError: it needs a density.
        """
        return self.pictures_of(load_generator(self.path, self.device, check=self.labels), most)

    def pictures_of(self, generator: ImageGenerator, most: int) -> Iterator[tuple[Pixels, str]]:
        """So many pictures of the model once it is loaded."""
        labels = list(itertools.islice(itertools.cycle(self.labels(generator.card)), most))
        for pixels in generated(generator, range(most), labels, self.rendering):
            yield pixels, str(self.path)

    def labels(self, card: ModelCard) -> list[LabelVector | None]:
        """The labels that its pictures take in turn.

        Raises:
            ConfigError: it has no such label, or needs one.
        """
        if self.density is None and card.label_kind == "class":
            return [one_hot(card, index) for index in range(card.label_dim)]
        if self.density is not None and card.label_kind is None:
            return [None]
        try:
            return [label_vector(card, LabelRequest(density=self.density))]
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error


def mean_of(pictures: PictureSet, most: int, progress: Progress) -> SpectrumMean:
    """The mean spectrum of a set, of at most so many pictures."""
    mean = SpectrumMean()
    progress.start(pictures.name, most)
    with closing(pictures.pictures(most)) as found:  # type: ignore[type-var]  # they are generators
        for pixels, where in found:
            mean.add(pixels, where)
            progress.advance()
    return mean
