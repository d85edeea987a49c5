"""Cache values derived from weights and filters, so that generating many images computes them only once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

WeightFunction = Callable[[Tensor], Tensor]
Result = TypeVar("Result")


def cache_per_weight(function: WeightFunction) -> WeightFunction:
    """A version of a function of one weight that caches its result while the weight lives and does not change.

    Changes are detected by the weight's version counter, data pointer, dtype and device. In-place writes through
    `weight.data` are not detected, as in autograd. While gradients are recorded or a graph is traced, the result is
    computed on each call.
    """
    cached = _cache(function)

    @functools.wraps(function)
    def cached_function(weight: Tensor) -> Tensor:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.is_inference():
            return function(weight)
        return cached(weight)

    return cached_function


def cache_per_filter(function: Callable[..., Result]) -> Callable[..., Result]:
    """As `cache_per_weight`, for a function of a filter, which is constant in training, and of hashable arguments.

    The function must not be called while a graph is traced.
    """
    cached = _cache(function)

    @functools.wraps(function)
    def cached_function(f: Tensor, *args: Any) -> Result:
        return function(f, *args) if f.is_inference() else cached(f, *args)

    return cached_function


def _cache(function: Callable[..., Result]) -> Callable[..., Result]:
    """A version of a function that caches the last results for each state of a tensor and other arguments."""
    cache: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def cached(tensor: Tensor, *args: Any) -> Result:
        state = (tensor._version, tensor.data_ptr(), tensor.dtype, tensor.device)
        entry: tuple[object, dict[Any, Result]] | None = cache.get(tensor)  # type: ignore[no-untyped-call]
        if entry is None or entry[0] != state:
            entry = cache[tensor] = (state, {})
        if args not in entry[1]:
            entry[1][args] = function(tensor, *args)
        return entry[1][args]

    return cached
