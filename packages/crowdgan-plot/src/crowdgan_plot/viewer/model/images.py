"""Images of a loaded model by state, with a cache."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, describe_label, extrapolation_warning
from crowdgan_core.models.generation.generation import generate_images, synthesise_images
from crowdgan_core.models.generation.mixing import seed_latents, style_layers
from crowdgan_core.models.generation.png_metadata import model_record
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator, require_latents
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import format_size
from crowdgan_plot.viewer.image_routes import latent_file_name
from crowdgan_plot.viewer.model.image_state import ImageState
from crowdgan_plot.viewer.query import Query

CACHE_BYTES = 64 * 2**20
"""Size of the cache of images; it holds at least `MIN_CACHED` images."""

MIN_CACHED = 8

State = TypeVar("State", bound=Hashable)
Generator = TypeVar("Generator", bound=ImageGenerator)


class GeneratorImages(ABC, Generic[Generator, State]):
    """Images of a loaded model by state, with a cache; the methods are called in one thread.

    Args:
        generator: the loaded model.
        name: the model, as the user named it.
    """

    def __init__(self, generator: Generator, name: str) -> None:
        self.generator, self.name = generator, name
        height, width = generator.card.resolution
        self._cached_image = image_cache(self._render, height * width * 3)

    @property
    def card(self) -> ModelCard:
        """The model card."""
        return self.generator.card

    @property
    def file(self) -> str:
        """Name of the model without its folder."""
        return Path(self.name).name

    def describe_model(self) -> dict[str, Any]:
        """Name and image size of the model, JSON-ready."""
        size = self.card.resolution
        return {"name": self.file, "size": list(size), "size_text": format_size(size)}

    @abstractmethod
    def _render(self, state: State) -> ImageArray:
        """Computes the image of a state, `[height, width, 3]`."""


def image_cache(compute: Callable[[State], ImageArray], image_bytes: int) -> Callable[[State], ImageArray]:
    """The function with a cache of the images that were used last.

    Args:
        compute: computes the image of a state.
        image_bytes: size of an image.
    """
    return lru_cache(maxsize=max(MIN_CACHED, CACHE_BYTES // image_bytes))(compute)


class ModelImages(GeneratorImages[ImageGenerator, ImageState]):
    """Images of a model by state."""

    def parse(self, query: Query) -> ImageState:
        """The state of a query.

        Raises:
            ConfigError: an invalid parameter.
        """
        state = ImageState.from_query(query, self.card)
        query.end()
        return state

    def image(self, state: ImageState) -> ImageArray:
        """The image of a state, `[height, width, 3]`.

        Raises:
            ConfigError: the model does not support the state.
        """
        return self._cached_image(state)

    def latents(self, state: ImageState) -> LatentArray:
        """Intermediate latents of a state, `[1, num_layers, latent_dim]`.

        Raises:
            ConfigError: the backend has no intermediate latents, or no such layer.
        """
        generator = require_latents(self.generator, "walks, style mixing and latent files")
        state.options.check_generator(generator)
        latents = seed_latents(generator, [state.seed], state.label, state.options)
        if state.walk is not None:
            end = seed_latents(generator, [state.walk.seed], state.label, state.options)
            latents = latents + np.float32(state.walk.position) * (end - latents)
        if state.mix is not None:
            latents = latents.copy()  # the backend's array is not changed
            layers = list(style_layers(state.mix.layers, generator))
            other = seed_latents(generator, [state.mix.seed], state.label, state.options)
            latents[:, layers] = other[:, layers]
        return latents

    def record(self, state: ImageState) -> dict[str, Any]:
        """The generation record of an image."""
        return {**state.record(self.card), **model_record(self.card, self.file)}

    def file_name(self, state: ImageState) -> str:
        """Name of the image file."""
        return state.file_name

    def details(self, state: ImageState) -> dict[str, Any]:
        """The equivalent command, the label as text, and a warning, JSON-ready."""
        return {
            "command": state.command(self.card, self.name, latent_file_name(state.file_name)),
            **describe_request(self.card, state.label),
        }

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The controls that the model supports, JSON-ready."""
        num_layers = self.generator.latent_shape[0] if isinstance(self.generator, LatentGenerator) else 0
        return {
            "transform": self.generator.supports_transform,
            "num_layers": num_layers,
            "noise": num_layers > 0 and self._has_noise_inputs(),
            "mean": num_layers > 0 and self.card.label_dim > 0,
        }

    def _has_noise_inputs(self) -> bool:
        """Whether the model accepts other noise than constant noise."""
        label = None if self.card.label_kind is None else np.zeros((1, self.card.label_dim), np.float32)
        try:
            require_latents(self.generator, "noise").generate([0], label, noise_mode="none")
        except ConfigError:
            return False
        return True

    def _render(self, state: ImageState) -> ImageArray:
        if state.needs_latents:
            generator = require_latents(self.generator, "walks and style mixing")
            mixed: ImageArray = synthesise_images(generator, self.latents(state), 1, state.options.transform)[0]
            return mixed
        (image,) = generate_images(self.generator, [state.seed], [state.label], state.options)
        return image


def describe_request(card: ModelCard, label: LabelVector | None) -> dict[str, Any]:
    """The requested label as text, and a warning if it is outside the training data; None where there is none."""
    return {
        "requested": None if label is None else describe_label(card, label),
        "warning": extrapolation_warning(card, label),
    }
