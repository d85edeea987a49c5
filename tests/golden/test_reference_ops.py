"""Ops compared with values recorded from the published implementation (relative tolerance 1e-4)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from crowdgan_stylegan3.ops import bias_act, filtered_lrelu, upfirdn2d
from tests.support.recorded_values import load_arrays

RELATIVE_TOLERANCE = 1e-4


@pytest.fixture(autouse=True, params=["reference", "native"])
def _op_implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", request.param)


def load_case(name: str) -> dict[str, Any]:
    arrays = load_arrays(f"ops/{name}")
    return {key: array.tolist() if array.ndim == 0 else torch.from_numpy(array) for key, array in arrays.items()}


def assert_agree(actual: torch.Tensor, recorded: torch.Tensor) -> None:
    torch.testing.assert_close(
        actual, recorded, rtol=RELATIVE_TOLERANCE, atol=RELATIVE_TOLERANCE * float(recorded.abs().max())
    )


@pytest.mark.parametrize("case", range(8))
def test_upfirdn2d_equals_the_recorded_values(case: int) -> None:
    d = load_case(f"upfirdn2d_{case}")
    x = d["x"].requires_grad_()
    y = upfirdn2d(
        x, d["f"], d["up"].tolist(), d["down"].tolist(), d["padding"].tolist(), flip_filter=d["flip"], gain=d["gain"]
    )
    assert_agree(y, d["y"])
    assert_agree(torch.autograd.grad(y, x, d["dy"])[0], d["dx"])


@pytest.mark.parametrize("case", range(6))
def test_filtered_lrelu_equals_the_recorded_values(case: int) -> None:
    d = load_case(f"filtered_lrelu_{case}")
    x, b = d["x"].requires_grad_(), d["b"].requires_grad_()
    clamp = None if d["clamp"] < 0 else d["clamp"]
    y = filtered_lrelu(x, d["fu"], d["fd"], b, d["up"], d["down"], d["padding"].tolist(), d["gain"], d["slope"], clamp)
    assert_agree(y, d["y"])
    for gradient, name in zip(torch.autograd.grad(y, (x, b), d["dy"]), ("dx", "db"), strict=True):
        assert_agree(gradient, d[name])


@pytest.mark.parametrize("act", ["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"])
def test_bias_act_equals_the_recorded_values(act: Any) -> None:
    d = load_case(f"bias_act_{act}")
    x, b = d["x"].requires_grad_(), d["b"].requires_grad_()
    y = bias_act(x, b, act=act, clamp=d["clamp"])
    assert_agree(y, d["y"])
    for gradient, name in zip(torch.autograd.grad(y, (x, b), d["dy"]), ("dx", "db"), strict=True):
        assert_agree(gradient, d[name])
