"""Cache values derived from weights, so that generating many images computes them only once."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

WeightFunction = Callable[[Tensor], Tensor]


def cache_per_weight(function: WeightFunction) -> WeightFunction:
    """A version of a function of one weight that caches its result while the weight lives and does not change.

    Changes are detected by the weight's version counter, data pointer, dtype and device. In-place writes through
    `weight.data` are not detected, as in autograd. While gradients are recorded or a graph is traced, the result is
    computed on each call.
    """
    cache: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @functools.wraps(function)
    def cached_function(weight: Tensor) -> Tensor:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.is_inference():
            return function(weight)
        key = (weight._version, weight.data_ptr(), weight.dtype, weight.device)
        entry: tuple[object, Tensor] | None = cache.get(weight)  # type: ignore[no-untyped-call]
        if entry is None or entry[0] != key:
            entry = (key, function(weight))
            cache[weight] = entry
        return entry[1]

    return cached_function
