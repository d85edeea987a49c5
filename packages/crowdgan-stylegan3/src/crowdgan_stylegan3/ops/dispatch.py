"""Which of its forms each op runs in, and why: native C++ on a CPU, Triton on a GPU, or plain PyTorch."""

from __future__ import annotations

import importlib.util
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor

from crowdgan_core.errors import BuildError, ConfigError
from crowdgan_stylegan3.ops import torch_ops
from crowdgan_stylegan3.ops.native import library

CHOICE_VARIABLE = "CROWDGAN_OPS"
"""Environment variable: `native` or `reference` forces that form; unset takes native where it can run."""

Choice = Literal["auto", "native", "reference"]


@dataclass(frozen=True, kw_only=True)
class OpImplementation:
    """What the ops run as on one kind of device."""

    name: Literal["native C++", "Triton", "plain PyTorch"]
    reason: str
    """Why, in plain words."""


def choice() -> Choice:
    """What the environment asks for.

    Raises:
        ConfigError: it asks for something else.
    """
    wanted = os.environ.get(CHOICE_VARIABLE) or "auto"
    for allowed in get_args(Choice):
        if wanted == allowed:
            return allowed  # type: ignore[no-any-return]
    raise ConfigError(f"{CHOICE_VARIABLE} is {wanted}; it must be native or reference, or unset")


@lru_cache(maxsize=8)
def implementation_for(device_type: str, wanted: Choice) -> OpImplementation:
    """The form of the ops on a kind of device; on a CPU this builds the native ops, if need be.

    What the user should know is said once, as a warning.

    Raises:
        BuildError: native ops are asked for by name and cannot be had.
    """
    if wanted == "reference":
        return OpImplementation(name="plain PyTorch", reason=f"{CHOICE_VARIABLE} is reference")
    if device_type == "cpu":
        return _on_cpu(wanted)
    if device_type == "cuda":
        return _on_gpu(wanted)
    return OpImplementation(name="plain PyTorch", reason=f"nothing else is made for {device_type}")


def is_accelerated(x: Tensor, *filters: Tensor) -> bool:
    """Whether `torch_ops` computes faster than plain PyTorch for an image and filters, as the environment wants it."""
    return _is_fast_on(x.device.type) and torch_ops.unsupported_reason(x, *filters) is None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_fast_on(device_type: str) -> bool:
    return implementation_for(device_type, choice()).name != "plain PyTorch"


def _on_cpu(wanted: Choice) -> OpImplementation:
    try:
        library.load()
    except BuildError as error:
        if wanted == "native":
            raise
        warnings.warn(f"{error}; plain PyTorch runs instead, several times slower", RuntimeWarning, stacklevel=2)
        return OpImplementation(name="plain PyTorch", reason=str(error))
    return OpImplementation(name="native C++", reason="built for this machine")


def _on_gpu(wanted: Choice) -> OpImplementation:
    if importlib.util.find_spec("triton") is not None:
        return OpImplementation(name="Triton", reason="triton is installed")
    reason = "triton is not installed; PyTorch's CUDA wheels bring it"
    if wanted == "native":
        raise BuildError(f"{CHOICE_VARIABLE} is native, but {reason}")
    warnings.warn(f"{reason}; plain PyTorch runs instead, several times slower", RuntimeWarning, stacklevel=2)
    return OpImplementation(name="plain PyTorch", reason=reason)
