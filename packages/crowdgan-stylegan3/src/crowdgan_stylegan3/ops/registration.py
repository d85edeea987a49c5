"""Registration of Python functions as operators of PyTorch, with support for `torch.compile` and fake tensors.

Unlike those of `torch.library.custom_op`, calls do not import PyTorch's compiler, which takes about two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._ops import OpOverload

NAMESPACE = "crowdgan"

ALL_DEVICES = "default"
"""Device type of functions that support every device (`torch.library.impl`)."""

PLAIN_TYPES = (torch.Tensor, torch.nn.Parameter)
"""Types of tensors on which a function runs without the dispatcher."""

Function = Callable[..., Any]


class Operator:
    """A function that is registered as an operator of PyTorch.

    Unless a call is traced, transformed or intercepted, it skips PyTorch's dispatcher, which on small images takes
    longer than the function.
    """

    def __init__(self, function: Function, registered: OpOverload[..., Any], device_types: Sequence[str]) -> None:
        self.registered = registered
        self.function, self.device_types = function, frozenset(device_types)
        self.differentiable: Function = registered
        """The function with its gradient."""

    def __call__(self, *args: Any) -> Any:
        """The result of the function."""
        if torch.compiler.is_compiling() or _needs_dispatcher():
            return self.registered(*args)
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if not all(type(tensor) in PLAIN_TYPES and self._supports(tensor) for tensor in tensors):
            return self.registered(*args)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return self.differentiable(*args)
        return self.function(*args)

    def _supports(self, tensor: torch.Tensor) -> bool:
        return ALL_DEVICES in self.device_types or tensor.device.type in self.device_types


def _needs_dispatcher() -> bool:
    """Whether a mode or a transform is active that must see all operators."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._functorch.maybe_current_level() is not None


def operator(*device_types: str) -> Callable[[Function], Operator]:
    """Decorator that registers a function as the operator `crowdgan::NAME`; its type hints give the schema.

    The function must not modify its arguments, nor return one of them.

    Args:
        device_types: types of the devices that the function supports.
    """

    def register(function: Function) -> Operator:
        name = f"{NAMESPACE}::{function.__name__}"
        schema = torch.library.infer_schema(function, mutates_args=())
        torch.library.define(name, schema, tags=(torch.Tag.pt2_compliant_tag,))
        for device_type in device_types:
            torch.library.impl(name, device_type, function)
        registered: OpOverload[..., Any] = getattr(getattr(torch.ops, NAMESPACE), function.__name__).default
        return Operator(function, registered, device_types)

    return register


def register_fake(operator: Operator) -> Callable[[Function], Function]:
    """Decorator for the function that returns uninitialised results of the shape and layout of an operator's."""

    def register(function: Function) -> Function:
        torch.library.register_fake(operator.registered, function)
        return function

    return register


def register_autograd(operator: Operator, backward: Function, *, setup_context: Function) -> None:
    """Registers the gradient of an operator with one result, as `torch.library.register_autograd`."""
    torch.library.register_autograd(operator.registered, backward, setup_context=setup_context)
    function = operator.function

    class Differentiable(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> Any:
            output = function(*args)
            setup_context(ctx, args, output)
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return backward(ctx, *gradients)

    operator.differentiable = Differentiable.apply
