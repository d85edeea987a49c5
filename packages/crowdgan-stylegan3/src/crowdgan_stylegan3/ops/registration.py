"""Registration of Python functions as operators of PyTorch, with support for `torch.compile` and fake tensors.

Unlike those of `torch.library.custom_op`, calls do not import PyTorch's compiler, which takes about two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._ops import OpOverload
from torch.autograd import forward_ad

NAMESPACE = "crowdgan"

ALL_DEVICES = "default"
"""Device type of functions that support every device (`torch.library.impl`)."""

PLAIN_TYPES = (torch.Tensor, torch.nn.Parameter)
"""Types of tensors on which a function runs without the dispatcher."""

Function = Callable[..., Any]


class Operator:
    """A function that is registered as an operator of PyTorch.

    Calls that PyTorch neither records nor traces run the function directly, since on small images the dispatcher takes
    longer than the function.
    """

    def __init__(self, function: Function, registered: OpOverload[..., Any], device_types: Sequence[str]) -> None:
        self.registered = registered
        self._function, self._device_types = function, frozenset(device_types)

    def __call__(self, *args: Any) -> Any:
        """The result of the function."""
        if torch.compiler.is_compiling() or not self._can_skip_dispatcher(args):
            return self.registered(*args)
        return self._function(*args)

    def _can_skip_dispatcher(self, args: Sequence[Any]) -> bool:
        """Whether there are no gradients, modes, transforms or tensor subclasses that the dispatcher handles."""
        if torch._C._len_torch_dispatch_stack() or torch._C._functorch.maybe_current_level() is not None:
            return False
        if forward_ad._current_level >= 0:
            return False
        has_gradients = torch.is_grad_enabled()
        return all(
            type(arg) in PLAIN_TYPES
            and not (has_gradients and arg.requires_grad)
            and (ALL_DEVICES in self._device_types or arg.device.type in self._device_types)
            for arg in args
            if isinstance(arg, torch.Tensor)
        )


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
    """Registers the gradient of an operator, as `torch.library.register_autograd`."""
    torch.library.register_autograd(operator.registered, backward, setup_context=setup_context)
