"""Operators run without PyTorch's dispatcher, unless it has something to do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from crowdgan_stylegan3.ops import torch_ops

BIAS_ACT_ARGUMENTS = (1, 1.5, 0.5, None)


class RecordedOperators(TorchDispatchMode):
    """Names of the operators that the dispatcher calls."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("requires_grad", [False, True])
def test_operators_equal_their_registered_form_with_gradients(requires_grad: bool) -> None:
    x, b = torch.randn(2, 3, 5, 4, requires_grad=requires_grad), torch.randn(3, requires_grad=requires_grad)
    direct, registered = (
        call(x, b, *BIAS_ACT_ARGUMENTS) for call in (torch_ops.bias_act, torch_ops.bias_act.registered)
    )
    assert torch.equal(direct, registered)
    assert direct.requires_grad == requires_grad
    if requires_grad:
        for gradients in zip(*(torch.autograd.grad(y.sum(), (x, b)) for y in (direct, registered)), strict=True):
            assert torch.equal(*gradients)


def test_modes_see_the_operators_and_fake_tensors_have_the_shape_of_the_result() -> None:
    x = torch.randn(2, 3, 5, 4)
    with RecordedOperators() as recorded:
        torch_ops.bias_act(x, None, *BIAS_ACT_ARGUMENTS)
    assert recorded.names == ["crowdgan.bias_act.default"]
    with FakeTensorMode() as mode:
        fake: Tensor = torch_ops.bias_act(mode.from_tensor(x), None, *BIAS_ACT_ARGUMENTS)
    assert fake.shape == x.shape
    assert torch_ops.bias_act(fake, None, *BIAS_ACT_ARGUMENTS).fake_mode is mode
