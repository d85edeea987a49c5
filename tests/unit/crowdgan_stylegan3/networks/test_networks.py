"""Sizes, labels, groups and transforms of the networks; recorded numbers are in `tests/golden`."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import VARIANTS, DiscriminatorConfig, Variant, generator_config
from crowdgan_stylegan3.networks.discriminator import Discriminator, append_minibatch_stddev
from crowdgan_stylegan3.networks.generator import Generator


def small_generator(variant: Variant, *, resolution: int = 16, label_dim: int = 0) -> Generator:
    config = generator_config(variant, resolution=resolution, label_dim=label_dim, channel_base=256, channel_max=8)
    return Generator(replace(config, z_dim=6, w_dim=10)).eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("resolution", "label_dim", "count"), [(16, 0, 1), (32, 2, 3), (64, 5, 2)])
def test_generated_images_have_the_resolution_of_the_config(
    variant: Variant, resolution: int, label_dim: int, count: int
) -> None:
    generator = small_generator(variant, resolution=resolution, label_dim=label_dim)
    c = torch.rand(count, label_dim) if label_dim else None
    with torch.no_grad():
        images = generator(torch.randn(count, 6), c, update_emas=True)
    assert images.shape == (count, 3, resolution, resolution)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.std() > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_has_a_gradient(variant: Variant) -> None:
    generator = small_generator(variant, label_dim=2).train()
    discriminator = Discriminator(DiscriminatorConfig(resolution=16, label_dim=2, channel_base=256, channel_max=8))
    c = torch.eye(2)
    discriminator(generator(torch.randn(2, 6), c), c).sum().backward()
    missing = [name for name, item in generator.named_parameters() if item.grad is None or not item.grad.any()]
    allowed = {"synthesis.input.affine.weight"} if variant != "stylegan2" else set()
    assert set(missing) <= allowed
    assert all(item.grad is not None for item in discriminator.parameters())


def test_labels_and_images_of_the_wrong_shape_are_errors() -> None:
    generator = small_generator("stylegan3-t", label_dim=2)
    with pytest.raises(ConfigError, match=r"c is missing; it must be \[N, 2\]"):
        generator(torch.randn(1, 6))
    with pytest.raises(ConfigError, match=r"c is of shape \[1, 3\]; it must be \[N, 2\]"):
        generator(torch.randn(1, 6), torch.ones(1, 3))
    discriminator = Discriminator(DiscriminatorConfig(resolution=16, channel_base=256, channel_max=8))
    with pytest.raises(ConfigError, match=r"images have shape \[1, 3, 8, 8\]"):
        discriminator(torch.randn(1, 3, 8, 8))


def test_translating_the_input_translates_the_image_by_the_same_distance() -> None:
    generator = small_generator("stylegan3-t", resolution=32)
    z = torch.randn(2, 6)
    with torch.no_grad():
        original = generator(z, update_emas=True)
        generator.synthesis.input.transform[0, 2] = -8 / 32  # type: ignore[union-attr,operator,index]
        translated = generator(z)
    inside = slice(10, 22)  # away from the edges, where layers read the margins
    error = (translated[..., inside, inside] - original[..., inside, 10 - 8 : 22 - 8]).std() / original.std()
    assert error < 0.05


def test_minibatch_stddev_is_computed_per_group() -> None:
    x = torch.randn(6, 5, 4, 4)
    y = append_minibatch_stddev(x, 3)
    torch.testing.assert_close(y[:, :5], x)
    group = x[1::2]  # every second image: 6 / 3
    expected = (group.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    torch.testing.assert_close(y[1::2, 5], expected.expand(3, 4, 4))
    assert append_minibatch_stddev(x[:2], 4).shape == (2, 6, 4, 4)
    with pytest.raises(ConfigError, match="a batch of 6 cannot be divided into groups of 4"):
        append_minibatch_stddev(x, 4)


def test_frozen_layers_are_the_first_from_the_image() -> None:
    config = DiscriminatorConfig(resolution=16, channel_base=256, channel_max=8)
    discriminator = Discriminator(replace(config, num_frozen=3))
    frozen = {name.rsplit(".", 1)[0] for name, item in discriminator.named_parameters() if not item.requires_grad}
    assert frozen == {"b16.fromrgb", "b16.conv0", "b16.conv1"}
