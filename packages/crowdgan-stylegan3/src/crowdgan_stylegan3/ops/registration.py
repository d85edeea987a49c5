"""Registration of Python functions as operators of PyTorch, with support for `torch.compile` and fake tensors.

Unlike those of `torch.library.custom_op`, calls do not import PyTorch's compiler, which takes about two seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._ops import OpOverload

NAMESPACE = "crowdgan"

ALL_DEVICES = "default"
"""Device type of functions that support every device (`torch.library.impl`)."""

Function = Callable[..., Any]


def operator(*device_types: str) -> Callable[[Function], OpOverload[..., Any]]:
    """Decorator that registers a function as the operator `crowdgan::NAME`; its type hints give the schema.

    The function must not modify its arguments, nor return one of them.

    Args:
        device_types: types of the devices that the function supports.
    """

    def register(function: Function) -> OpOverload[..., Any]:
        name = f"{NAMESPACE}::{function.__name__}"
        schema = torch.library.infer_schema(function, mutates_args=())
        torch.library.define(name, schema, tags=(torch.Tag.pt2_compliant_tag,))
        for device_type in device_types:
            torch.library.impl(name, device_type, function)
        registered: OpOverload[..., Any] = getattr(getattr(torch.ops, NAMESPACE), function.__name__).default
        return registered

    return register


def register_fake(registered: OpOverload[..., Any]) -> Callable[[Function], Function]:
    """Decorator for the function that returns uninitialised results of the shape and layout of an operator's."""

    def register(function: Function) -> Function:
        torch.library.register_fake(registered, function)
        return function

    return register
