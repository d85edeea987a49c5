"""Intermediate latents of generators: the contract, gradients and tuning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdgan_core.manipulation.projection import Projection, project_image
from crowdgan_core.manipulation.projector import ProjectionOptions
from crowdgan_core.manipulation.similarity import psnr
from crowdgan_core.testing import check_latent_generator
from crowdgan_stylegan3.config import VARIANTS, Variant, generator_config
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.io.safetensors_files import load_network

CLASSES = ("sparse", "medium", "dense")


def small_generator(variant: Variant = "stylegan2", *, channels: int = 3) -> StyleGanImageGenerator:
    config = generator_config(variant, resolution=16, label_dim=3, channel_base=256, channel_max=8)
    config = replace(config, z_dim=6, w_dim=10, image_channels=channels)
    return StyleGanImageGenerator(random_generator(config, seed=3), random_card(config, CLASSES, 3), "cpu")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_generator_fulfils_the_contract_of_latents(variant: Variant) -> None:
    check_latent_generator(small_generator(variant))


def test_the_first_layer_of_stylegan3_only_moves_the_image() -> None:
    assert small_generator("stylegan2").num_transform_layers == 0
    generator = small_generator("stylegan3-r")
    assert generator.num_transform_layers == 1
    latents = generator.map_seeds([1], np.eye(3, dtype=np.float32)[:1])
    changed = latents.copy()
    changed[:, 0] += 1
    affine = generator.synthesis.input.affine
    for scale, is_moved in ((1.0, True), (0.0, False)):
        affine.weight.data.copy_(scale * torch.ones_like(affine.weight))
        assert np.array_equal(generator.synthesise(changed), generator.synthesise(latents)) != is_moved


def test_moved_images_of_stylegan3_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first latent moves the target; without a separate latent, the image is not found.

    The loss has local minima, so the best of three projections counts.
    """
    generator = small_generator("stylegan3-t")
    generator.synthesis.input.affine.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    label = (1.0, 0.0, 0.0)
    latents = generator.map_seeds([1, 2], np.array([label, label], np.float32))
    latents[0, 0] = latents[1, 0]
    target = generator.synthesise(latents[:1])[0]

    def project_thrice() -> list[Projection]:
        options = [ProjectionOptions(num_steps=150, seed=seed) for seed in range(3)]
        return [project_image(generator, target, label, options=item) for item in options]

    def best_psnr(projections: list[Projection]) -> float:
        return max(psnr(projection.image, target) for projection in projections)

    moved = project_thrice()
    for projection in moved:
        assert (projection.latent[0, 1:] == projection.latent[0, 1]).all()
        assert not np.allclose(projection.latent[0, 0], projection.latent[0, 1], atol=0.1)
    monkeypatch.setattr(StyleGanImageGenerator, "num_transform_layers", 0)
    assert best_psnr(moved) > best_psnr(project_thrice()) + 15


def test_a_generator_of_grey_images_fulfils_the_contract_of_latents() -> None:
    check_latent_generator(small_generator(channels=1))


def test_tuning_leaves_the_fourier_features_and_the_mapping_unchanged(tmp_path: Path) -> None:
    generator = small_generator("stylegan3-t")
    tuner = generator.create_tuner()
    latents = generator.map_seeds([1], np.eye(3, dtype=np.float32)[:1])
    tuner.step(latents, lambda images: (np.zeros(1), np.ones_like(images)), 0.01)
    tuner.save(tmp_path / "tuned.safetensors", {"target": "a.png"})
    tuned, card = load_network(tmp_path / "tuned.safetensors")
    assert card.provenance["target"] == "a.png"
    assert card.provenance["weights"] == "random"
    before = generator._generator.state_dict()
    changed = {name for name, tensor in tuned.state_dict().items() if not torch.equal(tensor, before[name])}
    parameters = {name for name, _ in tuned.named_parameters() if name.startswith("synthesis.")}
    assert changed == {name for name in parameters if not name.startswith("synthesis.input.")}
