"""Generators with random weights, for testing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.config import GeneratorConfig
from crowdgan_stylegan3.io.safetensors_files import generator_card
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyledToRgb
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer

NUM_W_AVG_LATENTS = 1000
"""Number of latents over which `w_avg` is computed."""

NUM_MAGNITUDE_IMAGES = 8
"""Number of images over which the input magnitudes of layers are computed."""

STYLEGAN2_IMAGE_STD = 0.5
"""Standard deviation to which StyleGAN2 images are scaled; otherwise the sum over blocks saturates."""


def random_generator(config: GeneratorConfig, seed: int = 0) -> Generator:
    """A generator with random weights, in evaluation mode.

    Its statistics (`w_avg`, magnitudes) are computed from its own images, so that these are neither blank nor
    saturated. Torch's random state does not change.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        generator = Generator(config).eval()
        w = generator.mapping(*_random_latents(config, NUM_W_AVG_LATENTS))[:, 0]
        generator.mapping.w_avg.copy_(w.mean(dim=0))
        ws = generator.mapping(*_random_latents(config, NUM_MAGNITUDE_IMAGES))
        with _magnitudes_of_next_batch(generator):
            images = generator.synthesis(ws, update_emas=True)
        for module in generator.modules():
            if isinstance(module, StyledToRgb):  # the image is the sum of their outputs
                module.weight.mul_(STYLEGAN2_IMAGE_STD / images.std())
    return generator


def random_card(config: GeneratorConfig, classes: Sequence[str], seed: int) -> ModelCard:
    """The model card of a generator with random weights; its class names have no meaning."""
    return generator_card(config, classes, {"weights": "random", "seed": seed})


def _random_latents(config: GeneratorConfig, count: int) -> tuple[Tensor, Tensor | None]:
    """Latents `[count, z_dim]`, and one-hot labels `[count, label_dim]` that cycle through the classes."""
    z = torch.randn(count, config.z_dim)
    if not config.label_dim:
        return z, None
    return z, F.one_hot(torch.arange(count) % config.label_dim, config.label_dim).float()


@contextmanager
def _magnitudes_of_next_batch(generator: Generator) -> Iterator[None]:
    """Sets the decay of magnitude EMAs to 0, so that they equal the values of the next batch."""
    layers = [module for module in generator.modules() if isinstance(module, AliasFreeLayer)]
    decays = [layer.decay for layer in layers]
    for layer in layers:
        layer.decay = 0.0
    try:
        yield
    finally:
        for layer, decay in zip(layers, decays, strict=True):
            layer.decay = decay
