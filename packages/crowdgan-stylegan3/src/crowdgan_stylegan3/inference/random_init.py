"""Generators with random weights, for trying things."""

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

MEAN_OVER = 1000
"""Latents over which the mean w is taken."""

MAGNITUDE_OVER = 8
"""Images over which the magnitudes of layers' inputs are taken."""


CONTRAST = 0.5
"""Standard deviation that a StyleGAN2 image is brought to; without it the sum over its blocks is saturated."""


def random_generator(settings: GeneratorConfig, seed: int) -> Generator:
    """A generator with random weights, with running means of its own images, so that these are not blank."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        generator = Generator(settings).eval()
        w = generator.mapping(*_latents(settings, MEAN_OVER))[:, 0]
        generator.mapping.w_avg.copy_(w.mean(dim=0))
        with _means_of_one_batch(generator):
            images = generator.synthesis(generator.mapping(*_latents(settings, MAGNITUDE_OVER)), update_emas=True)
        for module in generator.modules():
            if isinstance(module, StyledToRgb):  # their sum is the image
                module.weight.mul_(CONTRAST / images.std())
    return generator


def random_card(settings: GeneratorConfig, classes: Sequence[str], seed: int) -> ModelCard:
    """The card of such a generator; its classes are names alone, since nothing was learned."""
    return generator_card(settings, classes, {"weights": "random", "seed": seed})


def _latents(settings: GeneratorConfig, count: int) -> tuple[Tensor, Tensor | None]:
    """Latents, and labels of all classes in turn."""
    z = torch.randn(count, settings.z_dim)
    if not settings.label_dim:
        return z, None
    return z, F.one_hot(torch.arange(count) % settings.label_dim, settings.label_dim).float()


@contextmanager
def _means_of_one_batch(generator: Generator) -> Iterator[None]:
    """Lets running means forget all but the next batch."""
    layers = [module for module in generator.modules() if isinstance(module, AliasFreeLayer)]
    before = [layer.decay for layer in layers]
    for layer in layers:
        layer.decay = 0.0
    try:
        yield
    finally:
        for layer, decay in zip(layers, before, strict=True):
            layer.decay = decay
