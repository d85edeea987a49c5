"""Pivotal tuning: changes the weights of a copy of a generator, so that its image of a latent is nearer to a target.

Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021. The locality term keeps the images
of latents near the pivot, and with them the effect of edits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.image_loss import PyramidLoss, to_float_images
from crowdgan_core.models.generation.conditioning import one_hot
from crowdgan_core.models.latent_generator import GeneratorTuner, LatentArray, LatentGenerator
from crowdgan_core.utils.arrays import ImageArray, LabelArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

LEARNING_RATE = 1e-3

LOCALITY_INTERVAL = 2
"""Steps from one with the locality term to the next."""


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """Options of pivotal tuning.

    Raises:
        ConfigError: a number out of its range.
    """

    num_tuning_steps: int = flag("--tune-steps", default=350, min=1, help="Steps of the tuning.")

    locality: bool = True
    """Whether images between the latent and those of random seeds are kept."""

    def __post_init__(self) -> None:
        if self.num_tuning_steps < 1:
            raise ConfigError(f"tune_steps is {self.num_tuning_steps}; it must be at least 1")


def tune(
    generator: LatentGenerator,
    pivot: LatentArray,
    target: ImageArray,
    options: TuningOptions,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    after_step: Callable[[int, GeneratorTuner], None] = lambda _step, _tuner: None,
) -> GeneratorTuner:
    """A tuned copy of a generator whose image of `pivot` is near `target`.

    Args:
        generator: the generator; it does not change.
        pivot: `[1, num_layers, latent_dim]`.
        target: `[1, height, width, 3]`.
        options: options.
        seed: seed of the latents of the locality term.
        progress: progress display.
        after_step: is called after each step, with the number of steps so far.
    """
    progress = progress or NullProgress()
    tuner = generator.create_tuner(LEARNING_RATE)
    rng = np.random.default_rng(seed)
    target_loss = PyramidLoss(to_float_images(target))
    progress.start("tuning", options.num_tuning_steps)
    for step in range(options.num_tuning_steps):
        if options.locality and step % LOCALITY_INTERVAL == 0:
            neighbour = pivot + np.float32(rng.uniform()) * (_random_latent(generator, rng) - pivot)
            kept = np.concatenate([target, generator.synthesise(neighbour)])
            tuner.step(np.concatenate([pivot, neighbour]), PyramidLoss(to_float_images(kept)))
        else:
            tuner.step(pivot, target_loss)
        after_step(step + 1, tuner)
        progress.advance()
    return tuner


def _random_latent(generator: LatentGenerator, rng: np.random.Generator) -> LatentArray:
    """The latent of a random seed and label, `[1, num_layers, latent_dim]`."""
    return generator.map_seeds([int(rng.integers(2**32))], _random_label(generator, rng))


def _random_label(generator: LatentGenerator, rng: np.random.Generator) -> LabelArray | None:
    """A random class, or a density of the training range on a logarithmic scale; None without labels."""
    card = generator.card
    if card.label_kind is None:
        return None
    if card.label_kind == "class":
        return np.array([one_hot(card, int(rng.integers(card.label_dim)))], np.float32)
    low, high = card.label_range or (1.0, 1.0)
    low = max(low, high / 100)
    return np.full((1, card.label_dim), low * (high / low) ** rng.uniform(), np.float32)
