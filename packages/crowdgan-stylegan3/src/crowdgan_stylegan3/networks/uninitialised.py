"""Construction of networks without random initialisation, for weights that are loaded afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

RANDOM_FUNCTIONS = (torch.randn, torch.rand)
"""Functions that initialise weights."""


class UninitialisedWeights(TorchFunctionMode):
    """Context manager in which random tensors are allocated but not filled; their values are arbitrary.

    Unlike networks on the meta device, networks built in this context need no import of PyTorch's compiler, which takes
    about two seconds.
    """

    def __torch_function__(
        self, func: Callable[..., Any], _types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Calls a function of PyTorch, `torch.empty` in place of a random one."""
        return (torch.empty if func in RANDOM_FUNCTIONS else func)(*args, **(kwargs or {}))
