"""The contract check of generators with intermediate latents detects every violation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.latent_generator import LatentGenerator
from crowdgan_core.testing import check_latent_generator
from tests.support.linear_generator import NUM_LAYERS, LinearGenerator, LinearTuner


@pytest.mark.parametrize("label_kind", ["class", "value", None])
def test_a_valid_generator_passes(label_kind: Any) -> None:
    generator = LinearGenerator(label_kind)
    assert isinstance(generator, LatentGenerator)
    check_latent_generator(generator)


class Violation(LinearGenerator):
    """A generator that violates the contract in one method."""


class DoubleLatents(Violation):
    def map_seeds(self, *arguments: Any, **options: Any) -> Any:
        return super().map_seeds(*arguments, **options).astype(np.float64)


class UnequalLayers(Violation):
    def map_seeds(self, *arguments: Any, **options: Any) -> Any:
        latents = super().map_seeds(*arguments, **options)
        latents[:, 0] += 1
        return latents


class OtherImages(Violation):
    def synthesise(self, latents: Any, **options: Any) -> Any:
        return super().synthesise(latents, **options)[:, ::-1]

    def generate(self, *arguments: Any, **options: Any) -> Any:
        return super().generate(*arguments, **options)[:, ::-1] // 2


class BatchDependence(Violation):
    def synthesise(self, latents: Any, **options: Any) -> Any:
        return super().synthesise(latents, **options) // (3 if len(latents) == 1 else 1)

    def generate(self, seeds: Any, labels: Any, **options: Any) -> Any:
        twice = super().generate(
            [*seeds, *seeds], None if labels is None else np.concatenate([labels, labels]), **options
        )
        return twice[: len(seeds)]


class IgnoredTransform(Violation):
    supports_transform = True

    def synthesise(self, latents: Any, *, translate: Any = (0, 0), rotate_deg: float = 0) -> Any:
        return super().synthesise(latents)

    def generate(self, seeds: Any, labels: Any, translate: Any = (0, 0), rotate_deg: float = 0, **options: Any) -> Any:
        images = super().generate(seeds, labels, **options)
        shift_yx = (round(translate[1] * images.shape[1]), round(translate[0] * images.shape[2]))
        return np.roll(images, shift_yx, axis=(1, 2))[:, :: -1 if rotate_deg else 1]


class AcceptedTransform(Violation):
    def synthesise(self, latents: Any, *, translate: Any = (0, 0), rotate_deg: float = 0) -> Any:
        return super().synthesise(latents)

    def generate(self, seeds: Any, labels: Any, **options: Any) -> Any:
        if "translate" in options or "rotate_deg" in options:
            raise ConfigError("no transforms")
        return super().generate(seeds, labels, **options)


class IgnoredTruncation(Violation):
    def map_seeds(self, seeds: Any, labels: Any, **options: Any) -> Any:
        return super().map_seeds(seeds, labels)

    def generate(self, seeds: Any, labels: Any, truncation_psi: float = 1.0, **options: Any) -> Any:
        if truncation_psi == 1:
            return super().generate(seeds, labels, **options)
        return self.synthesise(super().map_seeds(seeds, labels, truncation_psi=truncation_psi))


class FineLayersTruncated(Violation):
    def map_seeds(self, *arguments: Any, truncation_cutoff: Any = None, **options: Any) -> Any:
        cutoff = None if truncation_cutoff is None else NUM_LAYERS - truncation_cutoff
        return super().map_seeds(*arguments, truncation_cutoff=cutoff, **options)


class IgnoredCutoff(Violation):
    def generate(self, *arguments: Any, truncation_cutoff: Any = None, **options: Any) -> Any:
        return super().generate(*arguments, **options)


class IgnoredMean(Violation):
    def map_seeds(self, *arguments: Any, truncation_mean: Any = None, **options: Any) -> Any:
        return super().map_seeds(*arguments, **options)


class BatchNoise(Violation):
    def generate(self, seeds: Any, labels: Any, noise_mode: str = "const", **options: Any) -> Any:
        images = super().generate(seeds, labels, **options)
        return images if noise_mode != "random" else images ^ (16 * len(seeds))


class NoiseByDefault(Violation):
    def generate(self, *arguments: Any, noise_mode: str = "random", **options: Any) -> Any:
        return super().generate(*arguments, **options) ^ (64 if noise_mode == "const" else 0)


class WrongGradient(Violation):
    def loss_gradient(self, latents: Any, loss: Any) -> Any:
        values, gradients = super().loss_gradient(latents, loss)
        return values, 1.2 * gradients


class WrongRange(Violation):
    def loss_gradient(self, latents: Any, loss: Any) -> Any:
        return super().loss_gradient(latents, lambda images: loss((images + 1) / 2))


class ModifiedLatents(Violation):
    def loss_gradient(self, latents: Any, loss: Any) -> Any:
        result = super().loss_gradient(latents, loss)
        latents += 0.5
        return result


class SummedLoss(Violation):
    def loss_gradient(self, latents: Any, loss: Any) -> Any:
        values, gradients = super().loss_gradient(latents, loss)
        return values.sum(), gradients


class AmplifiedTuner(LinearTuner):
    def __init__(self, generator: LinearGenerator, factor: float) -> None:
        super().__init__(generator)
        self._factor = factor

    def step(self, latents: Any, loss: Any, learning_rate: float) -> Any:
        return super().step(latents, loss, self._factor * learning_rate)


class SharedWeights(Violation):
    def create_tuner(self) -> LinearTuner:
        return AmplifiedTuner(self, 10)


class Ascent(Violation):
    def create_tuner(self) -> LinearTuner:
        return AmplifiedTuner(super().create_tuner().generator, -1)


class ForgottenProvenance(Violation):
    def create_tuner(self) -> Any:
        tuner = super().create_tuner()
        save = tuner.save
        tuner.save = lambda path, provenance, **options: save(path, {})  # type: ignore[method-assign]
        return tuner


@pytest.mark.parametrize(
    ("violation", "problem"),
    [
        (DoubleLatents, "map_seeds returned float64"),
        (UnequalLayers, "equal latents for all layers"),
        (OtherImages, "synthesise must give the images of generate"),
        (BatchDependence, "an image must not depend on its batch"),
        (IgnoredTransform, "synthesise must translate and rotate"),
        (AcceptedTransform, "supports_transform is False, so synthesise"),
        (IgnoredTruncation, "truncation_psi 0.5 must change the latents"),
        (FineLayersTruncated, "map_seeds with truncation_cutoff 0 must truncate that number of layers"),
        (IgnoredMean, "map_seeds must return one latent for all labels"),
        (IgnoredCutoff, "generate with truncation_cutoff 0 must give the images of its latents"),
        (BatchNoise, "noise_mode random must give the same image of a seed again, in every batch"),
        (NoiseByDefault, "noise_mode const must change nothing"),
        (WrongGradient, "the derivative along the gradient is"),
        (WrongRange, "a loss must receive images"),
        (ModifiedLatents, "latents must not be modified"),
        (SummedLoss, "losses of shape"),
        (SharedWeights, "a tuner must not change the generator"),
        (Ascent, "5 steps of a tuner changed the loss"),
        (ForgottenProvenance, "save must add the provenance"),
    ],
)
def test_a_violation_is_detected(violation: type[LinearGenerator], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check_latent_generator(violation())
