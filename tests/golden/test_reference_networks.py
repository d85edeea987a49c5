"""The networks against numbers recorded from the published implementation.

Relative to the largest value 1e-4, and 1e-3 for gradients of gradients.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from crowdgan_stylegan3.io.official_weights import discriminator_from_official, generator_from_official
from crowdgan_stylegan3.networks.generator import Generator

GENERATORS = ("stylegan3-t", "stylegan3-r", "stylegan2")
STATE = "state/"


@pytest.fixture(autouse=True, params=["reference", "native"])
def _form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", request.param)


def recorded(shared: Path, name: str) -> dict[str, npt.NDArray[Any]]:
    return dict(np.load(shared / "reference" / "networks" / f"{name}.npz"))


def parts(data: dict[str, npt.NDArray[Any]]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    state = {name.removeprefix(STATE): array for name, array in data.items() if name.startswith(STATE)}
    return json.loads(str(data["config"])), state


def agree(found: Tensor, expected: npt.NDArray[Any], tolerance: float = 1e-4) -> None:
    atol = tolerance * float(np.abs(expected).max())
    torch.testing.assert_close(found.detach(), torch.from_numpy(expected), rtol=0, atol=atol)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_equal_the_recorded_numbers(shared: Path, name: str) -> None:
    data = recorded(shared, name)
    generator = generator_from_official(*parts(data))
    z, c = torch.from_numpy(data["z"]), torch.from_numpy(data["c"])
    ws = generator.mapping(z, c)
    agree(ws, data["ws"])
    agree(generator(z, c), data["img"])
    truncated = generator.mapping.truncated(ws, 0.5, 4)
    agree(truncated, data["ws_psi05_cutoff4"])
    agree(generator(z, c, truncation_psi=0.5, truncation_cutoff=4), data["img_psi05_cutoff4"])
    assert gradients_agree(generator, ws.detach(), data).all()


def gradients_agree(generator: Generator, ws: Tensor, data: dict[str, npt.NDArray[Any]]) -> Tensor:
    """Whether each image's gradient agrees with the recorded one.

    In some images a sample lies at the kink of a leaky ReLU, where rounding decides the slope. Latents that differ by
    as much as rounding are tried, until each image was on the recorded side of its kinks.
    """
    tolerance = 1e-4 * float(np.abs(data["dws"]).max())
    agreed = torch.zeros(len(ws), dtype=torch.bool)
    random = torch.Generator().manual_seed(0)
    for attempt in range(50):
        near = ws * (1 + (attempt > 0) * 4e-7 * (torch.rand(ws.shape, generator=random) - 0.5))
        near.requires_grad_()
        (dws,) = torch.autograd.grad(generator.synthesis(near), near, torch.from_numpy(data["dimg"]))
        agreed |= (dws - torch.from_numpy(data["dws"])).abs().amax(dim=(1, 2)) <= tolerance
        if agreed.all():
            break
    return agreed


@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r"])
def test_running_means_are_updated_as_recorded(shared: Path, name: str) -> None:
    data, after = recorded(shared, name), recorded(shared, f"{name}_after_ema")
    generator = generator_from_official(*parts(data))
    z, c = torch.from_numpy(data["z"]), torch.from_numpy(data["c"])
    agree(generator(z, c, update_emas=True), after["img"])
    buffers = generator.state_dict()
    for key, value in after.items():
        if key.startswith(STATE):
            agree(buffers[key.removeprefix(STATE)], value)


def test_the_discriminator_equals_the_recorded_numbers(shared: Path) -> None:
    data = recorded(shared, "discriminator")
    discriminator = discriminator_from_official(*parts(data))
    images, c = torch.from_numpy(data["img"]).requires_grad_(), torch.from_numpy(data["c"])
    logits = discriminator(images, c)
    agree(logits, data["logits"])
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    agree(gradient, data["dimg"])
    penalty = gradient.square().sum(dim=(1, 2, 3))
    agree(penalty, data["r1_penalty"])
    names, parameters = zip(*discriminator.named_parameters(), strict=True)
    gradients = torch.autograd.grad(penalty.mean(), parameters, allow_unused=True)
    for name, found in zip(names, gradients, strict=True):
        expected = data.get(f"r1grad/{name}")
        if expected is None or found is None:
            assert found is None or not found.any(), f"{name} has no recorded gradient"
            assert expected is None or not expected.any(), f"{name} has no gradient"
        else:
            agree(found, expected, 1e-3)


def test_the_unconditional_discriminator_equals_the_recorded_numbers(shared: Path) -> None:
    data = recorded(shared, "discriminator_uncond")
    agree(discriminator_from_official(*parts(data))(torch.from_numpy(data["img"])), data["logits"])
