"""Choose the implementation of the ops: native C++ on a CPU, Triton on a GPU, or plain PyTorch."""

from __future__ import annotations

import importlib.util
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from torch import Tensor

from crowdgan_core.errors import BuildError, ConfigError
from crowdgan_stylegan3.ops import torch_ops
from crowdgan_stylegan3.ops.native import library

OPS_ENV_VAR = "CROWDGAN_OPS"
"""Environment variable: `native` or `reference` forces an implementation; unset selects native ops if they run."""

OpsPreference = Literal["auto", "native", "reference"]


@dataclass(frozen=True, kw_only=True)
class OpImplementation:
    """The implementation of the ops on one type of device."""

    name: Literal["native C++", "Triton", "plain PyTorch"]
    reason: str
    """Why this implementation is used."""


def ops_preference() -> OpsPreference:
    """The value of the environment variable CROWDGAN_OPS; `auto` if it is unset.

    Raises:
        ConfigError: the value is unknown.
    """
    value = os.environ.get(OPS_ENV_VAR) or "auto"
    for preference in get_args(OpsPreference):
        if value == preference:
            return preference  # type: ignore[no-any-return]
    raise ConfigError(f"{OPS_ENV_VAR} is {value}; it must be native or reference, or unset")


@lru_cache(maxsize=8)
def implementation_for(device_type: str, preference: OpsPreference) -> OpImplementation:
    """The implementation of the ops on a type of device; on a CPU this builds the native ops if necessary.

    A fallback to plain PyTorch is reported once, as a warning.

    Raises:
        BuildError: native ops are required, but not available.
    """
    if preference == "reference":
        return OpImplementation(name="plain PyTorch", reason=f"{OPS_ENV_VAR} is reference")
    if device_type == "cpu":
        return _cpu_implementation(preference)
    if device_type == "cuda":
        return _gpu_implementation(preference)
    return OpImplementation(name="plain PyTorch", reason=f"{device_type} devices have no other implementation")


def is_accelerated(x: Tensor, *filters: Tensor) -> bool:
    """Whether `torch_ops` is used for an image and its filters, rather than plain PyTorch."""
    return _is_device_accelerated(x.device.type) and torch_ops.unsupported_reason(x, *filters) is None


def _is_device_accelerated(device_type: str) -> bool:
    return implementation_for(device_type, ops_preference()).name != "plain PyTorch"


# The mark of torch.compiler.assume_constant_result, whose call would import torch._dynamo, which takes two seconds.
_is_device_accelerated._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _cpu_implementation(preference: OpsPreference) -> OpImplementation:
    try:
        library.load()
    except BuildError as error:
        if preference == "native":
            raise
        warnings.warn(f"{error}; plain PyTorch is used instead, several times slower", RuntimeWarning, stacklevel=2)
        return OpImplementation(name="plain PyTorch", reason=str(error))
    return OpImplementation(name="native C++", reason="built for this machine")


def _gpu_implementation(preference: OpsPreference) -> OpImplementation:
    if importlib.util.find_spec("triton") is not None:
        return OpImplementation(name="Triton", reason="triton is installed")
    reason = "triton is not installed; PyTorch's CUDA wheels include it"
    if preference == "native":
        raise BuildError(f"{OPS_ENV_VAR} is native, but {reason}")
    warnings.warn(f"{reason}; plain PyTorch is used instead, several times slower", RuntimeWarning, stacklevel=2)
    return OpImplementation(name="plain PyTorch", reason=reason)
