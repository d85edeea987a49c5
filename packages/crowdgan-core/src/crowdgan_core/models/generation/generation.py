"""Batched generation of many images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.generation.parsing import MAX_MAGNITUDE, is_in_float32_range, parse_pair
from crowdgan_core.models.latent_generator import (
    LatentArray,
    LatentGenerator,
    NoiseMode,
    TruncationMean,
    require_latents,
)
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.plugin_calls import plugin_call, require_result

KIND = "image generator"


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """Options of generation other than seeds and labels.

    Raises:
        ConfigError: a number out of its range.
    """

    translate: tuple[float, float] = flag(
        "--translate",
        default=(0.0, 0.0),
        parse=parse_pair,
        shown_default="0,0",
        metavar="X,Y",
        help="Translation in image widths, right and down, e.g. 0.2,0.",
    )

    rotate_deg: float = flag("--rotate", default=0.0, metavar="DEG", help="Counterclockwise rotation in degrees.")
    """About the image centre."""

    truncation_psi: float = flag(
        "--trunc", default=1.0, help="Truncation psi: 1 = off; lower = less diverse; 0 = mean image."
    )

    truncation_cutoff: int | None = flag(
        "--truncation-cutoff",
        default=None,
        min=0,
        metavar="N",
        shown_default="all layers",
        help="Number of truncated layers, from the coarsest.",
    )

    truncation_mean: TruncationMean = flag(
        "--truncation-mean",
        default="label",
        help="Truncate towards the mean latent of the density, or of all densities, which changes the density of the "
        "images (as the official tools do).",
    )

    noise_mode: NoiseMode = flag(
        "--noise-mode", default="const", help="Noise inputs of StyleGAN2: constant, random by seed, or none."
    )

    batch_size: int = flag("--batch", default=8, min=1, help="Batch size for generation.")
    """The images do not depend on it."""

    def __post_init__(self) -> None:
        if not all(map(is_in_float32_range, (self.truncation_psi, *self.translate, self.rotate_deg))):
            raise ConfigError(
                f"truncation, translation and rotation must be finite numbers of at most {MAX_MAGNITUDE:g}"
            )
        if self.batch_size < 1:
            raise ConfigError(f"batch size is {self.batch_size}; it must be at least 1")
        if self.truncation_cutoff is not None and self.truncation_cutoff < 0:
            raise ConfigError(f"truncation cutoff is {self.truncation_cutoff}; it must be at least 0")

    @property
    def has_transform(self) -> bool:
        """Whether images are translated or rotated."""
        return self.translate != (0.0, 0.0) or self.rotate_deg != 0.0

    def check_generator(self, generator: ImageGenerator) -> None:
        """Checks that a generator supports these options.

        Raises:
            ConfigError: it does not; the message names the option.
        """
        if self.has_transform and not generator.supports_transform:
            raise ConfigError("the model does not support translation and rotation; remove --translate and --rotate")
        if self.truncation_cutoff is not None:
            num_layers, _ = require_latents(generator, "--truncation-cutoff").latent_shape
            if self.truncation_cutoff > num_layers:
                raise ConfigError(f"--truncation-cutoff is {self.truncation_cutoff}; the model has {num_layers} layers")
        if self.truncation_mean != "label":
            require_latents(generator, "--truncation-mean")
        if self.noise_mode != "const" and not isinstance(generator, LatentGenerator):
            raise ConfigError(f"the backend {generator.card.backend} has no noise inputs; remove --noise-mode")

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `generate`; those that only a `LatentGenerator` accepts are omitted if not set."""
        noise = {} if self.noise_mode == "const" else {"noise_mode": self.noise_mode}
        return {**self.truncation, **self.transform, **noise}

    @property
    def transform(self) -> dict[str, Any]:
        """Keyword arguments of translation and rotation; empty if images are neither translated nor rotated."""
        return {"translate": self.translate, "rotate_deg": self.rotate_deg} if self.has_transform else {}

    @property
    def truncation(self) -> dict[str, Any]:
        """Keyword arguments of truncation, for `generate` and `map_seeds`, and for the record of an image."""
        cutoff = {} if self.truncation_cutoff is None else {"truncation_cutoff": self.truncation_cutoff}
        mean = {} if self.truncation_mean == "label" else {"truncation_mean": self.truncation_mean}
        return {"truncation_psi": self.truncation_psi, **cutoff, **mean}


def generate_images(
    generator: ImageGenerator, seeds: Sequence[int], labels: Sequence[LabelVector | None], options: GenerationOptions
) -> Iterator[ImageArray]:
    """Images `[height, width, 3]`, one per seed and label, in their order.

    Raises:
        ConfigError: the generator does not support the options or labels.
        PluginError: another exception in its code, or it returned an array of another shape or type.
    """
    options.check_generator(generator)
    for start in range(0, len(seeds), options.batch_size):
        batch_seeds = list(seeds[start : start + options.batch_size])
        vectors = [vector for vector in labels[start : start + options.batch_size] if vector is not None]
        labels_array = np.array(vectors, np.float32) if vectors else None
        with plugin_call(KIND, generator, "generate"):
            images = generator.generate(batch_seeds, labels_array, **options.arguments)
        _check_images(images, len(batch_seeds), generator, "generate")
        yield from images


def synthesise_images(
    generator: LatentGenerator, latents: LatentArray, batch_size: int, transform: Mapping[str, Any] | None = None
) -> ImageArray:
    """Images `[num_images, height, width, 3]` of intermediate latents `[num_images, num_layers, latent_dim]`.

    Args:
        generator: a generator with intermediate latents.
        latents: intermediate latents.
        batch_size: images generated at a time.
        transform: keyword arguments of translation and rotation, `GenerationOptions.transform`.

    Raises:
        PluginError: an exception in its code, or it returned an array of another shape or type.
    """
    starts = range(0, len(latents), batch_size)
    with plugin_call(KIND, generator, "synthesise"):
        batches = [generator.synthesise(latents[start : start + batch_size], **(transform or {})) for start in starts]
        images = np.concatenate(batches)
    _check_images(images, len(latents), generator, "synthesise")
    return images


def _check_images(images: Any, count: int, generator: ImageGenerator, where: str) -> None:
    """Checks the images that a generator returned.

    Raises:
        PluginError: they are not an array uint8 `[count, height, width, 3]`.
    """
    expected = (count, *generator.card.resolution, 3)
    is_array = isinstance(images, np.ndarray)
    actual = f"{images.dtype} of shape {images.shape}" if is_array else type(images).__name__
    is_valid = is_array and images.shape == expected and images.dtype == np.uint8
    require_result(is_valid, KIND, generator, where, f"returned {actual}; it must be uint8 of shape {expected}")
