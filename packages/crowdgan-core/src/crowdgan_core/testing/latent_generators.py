"""Contract check of a generator with intermediate latents and gradients."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import read_card
from crowdgan_core.models.latent_generator import FloatImages, GeneratorTuner, LatentArray, LatentGenerator, NoiseMode
from crowdgan_core.testing._require import plugin_errors_fail, require
from crowdgan_core.testing.generators import MAX_ROUNDING_DIFFERENCE, check_image_generator, example_labels
from crowdgan_core.utils.arrays import FloatArray, LabelArray

SEEDS = (3, 5)
"""Seeds of the checks."""

STEP = 0.002
"""Length of the steps of numeric derivatives, relative to the length of the latents."""

MAX_DERIVATIVE_ERROR = 0.05
"""Maximum difference of analytic and numeric derivatives, relative to the numeric ones."""

TRUNCATION_PSI = 0.5

TRANSLATE, ROTATE_DEG = (0.25, 0.0), 30.0

NUM_TUNING_STEPS, LEARNING_RATE = 5, 1e-3


@plugin_errors_fail()
def check_latent_generator(generator: LatentGenerator) -> None:
    """Checks a generator against the contract, which includes that of `check_image_generator`.

    - `map_seeds` returns float32 latents of `latent_shape`, equal for all layers, and `synthesise` maps them to the
      images of `generate`, in every batch; the latents are not modified.
    - With a translation and rotation, `synthesise` gives the images of `generate`; a generator that does not support
      them raises ConfigError.
    - Truncation changes the first `truncation_cutoff` layers only, in the same way in `map_seeds` and `generate`. With
      a psi of 0 and the truncation mean `all`, latents are equal for all labels.
    - Random noise depends only on the seed of an image; generators without noise inputs raise ConfigError.
    - Gradients of a loss agree with numeric derivatives, and the loss receives images from -1 to 1.
    - A tuner reduces the loss of a copy, leaves the generator unchanged, and writes a model with the given provenance.

    Args:
        generator: as returned by the backend's `load_generator`.

    Raises:
        AssertionError: the generator violates the contract; the message describes how.
    """
    check_image_generator(generator)
    labels = example_labels(generator.card, len(SEEDS))
    latents = generator.map_seeds(SEEDS, labels)
    shape = (len(SEEDS), *generator.latent_shape)
    require(
        latents.shape == shape and latents.dtype == np.float32,
        f"map_seeds returned {latents.dtype} of shape {latents.shape}; it must be float32 of {shape}",
    )
    require(bool((latents == latents[:, :1]).all()), "map_seeds must return equal latents for all layers")
    images = generator.synthesise(latents)
    expected = generator.generate(SEEDS, labels)
    require(_difference(images, expected) <= MAX_ROUNDING_DIFFERENCE, "synthesise must give the images of generate")
    single = np.concatenate([generator.synthesise(latents[index : index + 1]) for index in range(len(SEEDS))])
    require(_difference(single, images) <= MAX_ROUNDING_DIFFERENCE, "an image must not depend on its batch")
    _check_transform(generator, latents, labels)
    _check_truncation(generator, latents, labels)
    _check_noise_modes(generator, expected, labels)
    _check_gradient(generator, latents, expected)
    _check_tuner(generator, latents)
    require(np.array_equal(generator.synthesise(latents), images), "a tuner must not change the generator")


def _check_transform(generator: LatentGenerator, latents: LatentArray, labels: LabelArray | None) -> None:
    if generator.supports_transform:
        images = generator.synthesise(latents, translate=TRANSLATE, rotate_deg=ROTATE_DEG)
        expected = generator.generate(SEEDS, labels, translate=TRANSLATE, rotate_deg=ROTATE_DEG)
        is_same = _difference(images, expected) <= MAX_ROUNDING_DIFFERENCE
        require(is_same, "synthesise must translate and rotate images as generate does")
        return
    try:
        generator.synthesise(latents, translate=TRANSLATE)
    except ConfigError:
        return
    raise AssertionError("supports_transform is False, so synthesise with a translation must raise ConfigError")


def _check_truncation(generator: LatentGenerator, latents: LatentArray, labels: LabelArray | None) -> None:
    try:
        truncated = generator.map_seeds(SEEDS, labels, truncation_psi=TRUNCATION_PSI)
    except ConfigError:  # without a mean latent
        return
    require(not np.array_equal(truncated, latents), f"truncation_psi {TRUNCATION_PSI} must change the latents")
    for cutoff in (None, 0, 1, generator.latent_shape[0]):
        expected = latents.copy()
        expected[:, :cutoff] = truncated[:, :cutoff]
        actual = generator.map_seeds(SEEDS, labels, truncation_psi=TRUNCATION_PSI, truncation_cutoff=cutoff)
        require(
            bool(np.allclose(actual, expected, atol=1e-5)),
            f"map_seeds with truncation_cutoff {cutoff} must truncate that number of layers",
        )
        images = generator.generate(SEEDS, labels, truncation_psi=TRUNCATION_PSI, truncation_cutoff=cutoff)
        is_same = _difference(images, generator.synthesise(actual)) <= MAX_ROUNDING_DIFFERENCE
        require(is_same, f"generate with truncation_cutoff {cutoff} must give the images of its latents")
    of_all = generator.map_seeds(SEEDS, labels, truncation_psi=0.0, truncation_mean="all")
    is_equal = bool(np.allclose(of_all, of_all[:1], atol=1e-5))
    require(is_equal, "with truncation_psi 0 and truncation_mean all, map_seeds must return one latent for all labels")


def _check_noise_modes(generator: LatentGenerator, images: np.ndarray, labels: LabelArray | None) -> None:
    constant = generator.generate(SEEDS, labels, noise_mode="const")
    require(np.array_equal(constant, images), "noise_mode const must change nothing")
    modes: tuple[NoiseMode, ...] = ("random", "none")
    for mode in modes:
        try:
            batch = generator.generate(SEEDS, labels, noise_mode=mode)
        except ConfigError:  # without noise inputs
            continue
        single = [
            generator.generate([seed], None if labels is None else labels[index : index + 1], noise_mode=mode)
            for index, seed in enumerate(SEEDS)
        ]
        is_same = _difference(np.concatenate(single), batch) <= MAX_ROUNDING_DIFFERENCE
        require(is_same, f"noise_mode {mode} must give the same image of a seed again, in every batch")


class _SquaredError:
    """Mean squared difference from target images `[num_images, height, width, 3]`."""

    def __init__(self, targets: FloatImages) -> None:
        self._targets = targets

    def __call__(self, images: FloatImages) -> tuple[FloatArray, FloatImages]:
        difference = images - self._targets
        values = (difference.astype(np.float64) ** 2).mean(axis=(1, 2, 3))
        return values, 2 * difference / difference[0].size


def _check_gradient(generator: LatentGenerator, latents: LatentArray, images: np.ndarray) -> None:
    """Compares gradients with differences along their direction, and the images of the loss with `synthesise`."""
    received: list[FloatImages] = []

    def record(batch: FloatImages) -> tuple[FloatArray, FloatImages]:
        received.append(batch)
        return loss(batch)

    loss = _SquaredError(np.zeros((len(SEEDS), *generator.card.resolution, 3), np.float32))
    passed = latents.copy()
    values, gradients = generator.loss_gradient(passed, record)
    require(np.array_equal(passed, latents), "latents must not be modified")
    pixels = np.clip((received[0] + 1) * 127.5, 0, 255)
    is_same = received[0].shape == images.shape and np.abs(pixels - images).max() <= MAX_ROUNDING_DIFFERENCE
    require(bool(is_same), "a loss must receive images [num_images, height, width, 3], -1 for black and 1 for white")
    require(values.shape == (len(SEEDS),), f"loss_gradient returned losses of shape {values.shape}")
    require(gradients.shape == latents.shape, f"loss_gradient returned gradients of shape {gradients.shape}")
    norm = float(np.linalg.norm(gradients))
    require(norm > 0, "the gradient must not be 0")
    step = STEP * float(np.linalg.norm(latents))
    direction = (step / norm * gradients).astype(np.float32)
    ahead, behind = (float(generator.loss_gradient(latents + sign * direction, loss)[0].sum()) for sign in (1, -1))
    numeric, analytic = (ahead - behind) / 2, step * norm
    require(
        abs(analytic - numeric) <= MAX_DERIVATIVE_ERROR * abs(numeric),
        f"the derivative along the gradient is {analytic:.3g}; differences of the loss give {numeric:.3g}",
    )


def _check_tuner(generator: LatentGenerator, latents: LatentArray) -> None:
    tuner: GeneratorTuner = generator.create_tuner()
    loss = _SquaredError(np.ones((len(SEEDS), *generator.card.resolution, 3), np.float32))
    first, *_, last = (float(tuner.step(latents, loss, LEARNING_RATE).sum()) for _ in range(NUM_TUNING_STEPS))
    require(last < first, f"{NUM_TUNING_STEPS} steps of a tuner changed the loss from {first:.4g} to {last:.4g}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tuned.safetensors"
        tuner.save(path, {"tuned": True})
        require(read_card(path).provenance.get("tuned") is True, "save must add the provenance to the model card")


def _difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())
