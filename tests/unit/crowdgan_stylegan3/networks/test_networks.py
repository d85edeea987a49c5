"""Sizes, labels, batches and moves of the networks, beyond the recorded numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import VARIANTS, DiscriminatorConfig, Variant, generator_config
from crowdgan_stylegan3.networks.discriminator import Discriminator, append_minibatch_stddev
from crowdgan_stylegan3.networks.generator import Generator


def small(variant: Variant, *, resolution: int = 16, label_dim: int = 0) -> Generator:
    settings = generator_config(variant, resolution=resolution, label_dim=label_dim, channel_base=256, channel_max=8)
    return Generator(replace(settings, z_dim=6, w_dim=10)).eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("resolution", "label_dim", "count"), [(16, 0, 1), (32, 2, 3), (64, 5, 2)])
def test_generators_make_images_of_their_size(variant: Variant, resolution: int, label_dim: int, count: int) -> None:
    generator = small(variant, resolution=resolution, label_dim=label_dim)
    c = torch.rand(count, label_dim) if label_dim else None
    with torch.no_grad():
        images = generator(torch.randn(count, 6), c, update_emas=True)
    assert images.shape == (count, 3, resolution, resolution)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.std() > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant: Variant) -> None:
    generator = small(variant, label_dim=2).train()
    discriminator = Discriminator(DiscriminatorConfig(resolution=16, label_dim=2, channel_base=256, channel_max=8))
    c = torch.eye(2)
    discriminator(generator(torch.randn(2, 6), c), c).sum().backward()
    without = [name for name, item in generator.named_parameters() if item.grad is None or not item.grad.any()]
    allowed = {"synthesis.input.affine.weight"} if variant != "stylegan2" else set()
    assert set(without) <= allowed
    assert all(item.grad is not None for item in discriminator.parameters())


def test_labels_of_the_wrong_shape_are_refused() -> None:
    generator = small("stylegan3-t", label_dim=2)
    with pytest.raises(ConfigError, match=r"c is missing; it must be \[N, 2\]"):
        generator(torch.randn(1, 6))
    with pytest.raises(ConfigError, match=r"c is of shape \[1, 3\]; it must be \[N, 2\]"):
        generator(torch.randn(1, 6), torch.ones(1, 3))
    discriminator = Discriminator(DiscriminatorConfig(resolution=16, channel_base=256, channel_max=8))
    with pytest.raises(ConfigError, match=r"images have shape \[1, 3, 8, 8\]"):
        discriminator(torch.randn(1, 3, 8, 8))


def test_moving_the_input_by_samples_moves_the_image_by_as_many() -> None:
    generator = small("stylegan3-t", resolution=32)
    z = torch.randn(2, 6)
    with torch.no_grad():
        still = generator(z, update_emas=True)
        generator.synthesis.input.transform[0, 2] = -8 / 32  # type: ignore[union-attr,operator,index]
        moved = generator(z)
    inside = slice(10, 22)  # away from the borders, where layers see the margins
    error = (moved[..., inside, inside] - still[..., inside, 10 - 8 : 22 - 8]).std() / still.std()
    assert error < 0.05


def test_the_deviation_of_a_batch_is_that_of_its_groups() -> None:
    x = torch.randn(6, 5, 4, 4)
    y = append_minibatch_stddev(x, 3)
    torch.testing.assert_close(y[:, :5], x)
    group = x[1::2]  # every second image: 6 / 3
    expected = (group.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    torch.testing.assert_close(y[1::2, 5], expected.expand(3, 4, 4))
    assert append_minibatch_stddev(x[:2], 4).shape == (2, 6, 4, 4)
    with pytest.raises(ConfigError, match="a batch of 6 cannot be divided into groups of 4"):
        append_minibatch_stddev(x, 4)


def test_frozen_layers_are_the_first_from_the_image_on() -> None:
    settings = DiscriminatorConfig(resolution=16, channel_base=256, channel_max=8)
    discriminator = Discriminator(replace(settings, num_frozen=3))
    frozen = {name.rsplit(".", 1)[0] for name, item in discriminator.named_parameters() if not item.requires_grad}
    assert frozen == {"b16.fromrgb", "b16.conv0", "b16.conv1"}
