"""Networks compared with numbers recorded from the published implementation.

Tolerance: 1e-4 of the largest value, 1e-3 for gradients of gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from crowdgan_stylegan3.io.official_weights import discriminator_from_official, generator_from_official
from crowdgan_stylegan3.networks.generator import Generator
from tests.support.recorded_values import Arrays, load_arrays, network_config, network_state

GENERATORS = ("stylegan3-t", "stylegan3-r", "stylegan2")


@pytest.fixture(autouse=True, params=["reference", "native"])
def _ops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", request.param)


def assert_close(actual: Tensor, expected: npt.NDArray[Any], tolerance: float = 1e-4) -> None:
    atol = tolerance * float(np.abs(expected).max())
    torch.testing.assert_close(actual.detach(), torch.from_numpy(expected), rtol=0, atol=atol)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_equal_the_recorded_values(name: str) -> None:
    data = load_arrays(f"networks/{name}")
    generator = generator_from_official(network_config(data), network_state(data))
    z, c = torch.from_numpy(data["z"]), torch.from_numpy(data["c"])
    ws = generator.mapping(z, c)
    assert_close(ws, data["ws"])
    assert_close(generator(z, c), data["img"])
    truncated = generator.mapping.truncate(ws, 0.5, 4)
    assert_close(truncated, data["ws_psi05_cutoff4"])
    assert_close(generator(z, c, truncation_psi=0.5, truncation_cutoff=4), data["img_psi05_cutoff4"])
    assert compare_gradients(generator, ws.detach(), data).all()


def compare_gradients(generator: Generator, ws: Tensor, data: Arrays) -> Tensor:
    """Whether the gradient of each image equals the recorded one, `[N]`.

    In some images a sample lies at the kink of a leaky ReLU, where rounding determines the slope. Latents with
    perturbations of the size of rounding errors are tried until the slopes of each image equal the recorded ones.
    """
    tolerance = 1e-4 * float(np.abs(data["dws"]).max())
    is_equal = torch.zeros(len(ws), dtype=torch.bool)
    random = torch.Generator().manual_seed(0)
    for attempt in range(50):
        perturbed = ws * (1 + (attempt > 0) * 4e-7 * (torch.rand(ws.shape, generator=random) - 0.5))
        perturbed.requires_grad_()
        (dws,) = torch.autograd.grad(generator.synthesis(perturbed), perturbed, torch.from_numpy(data["dimg"]))
        is_equal |= (dws - torch.from_numpy(data["dws"])).abs().amax(dim=(1, 2)) <= tolerance
        if is_equal.all():
            break
    return is_equal


@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r"])
def test_updated_statistics_equal_the_recorded_values(name: str) -> None:
    data, after = load_arrays(f"networks/{name}"), load_arrays(f"networks/{name}_after_ema")
    generator = generator_from_official(network_config(data), network_state(data))
    z, c = torch.from_numpy(data["z"]), torch.from_numpy(data["c"])
    assert_close(generator(z, c, update_emas=True), after["img"])
    buffers = generator.state_dict()
    for key, value in network_state(after).items():
        assert_close(buffers[key], value)


def test_the_discriminator_equals_the_recorded_values() -> None:
    data = load_arrays("networks/discriminator")
    discriminator = discriminator_from_official(network_config(data), network_state(data))
    images, c = torch.from_numpy(data["img"]).requires_grad_(), torch.from_numpy(data["c"])
    logits = discriminator(images, c)
    assert_close(logits, data["logits"])
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    assert_close(gradient, data["dimg"])
    penalty = gradient.square().sum(dim=(1, 2, 3))
    assert_close(penalty, data["r1_penalty"])
    names, parameters = zip(*discriminator.named_parameters(), strict=True)
    gradients = torch.autograd.grad(penalty.mean(), parameters, allow_unused=True)
    for name, actual in zip(names, gradients, strict=True):
        expected = data.get(f"r1grad/{name}")
        if expected is None or actual is None:
            assert actual is None or not actual.any(), f"{name} has no recorded gradient"
            assert expected is None or not expected.any(), f"{name} has no gradient"
        else:
            assert_close(actual, expected, 1e-3)


def test_the_unconditional_discriminator_equals_the_recorded_values() -> None:
    data = load_arrays("networks/discriminator_uncond")
    discriminator = discriminator_from_official(network_config(data), network_state(data))
    assert_close(discriminator(torch.from_numpy(data["img"])), data["logits"])
