"""What is derived from weights, kept until they change: images are made with the same weights again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Derive = Callable[[Tensor], Tensor]


def cache_per_weight(derive: Derive) -> Derive:
    """A function of a weight whose result is kept as long as the weight lives and does not change.

    Changes are seen by the weight's version and place in memory; writing through `weight.data` in place hides them, as
    from autograd. While gradients are recorded or a graph is traced, the result is computed each time.
    """
    kept: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @functools.wraps(derive)
    def derived(weight: Tensor) -> Tensor:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.is_inference():
            return derive(weight)
        token = (weight._version, weight.data_ptr(), weight.dtype, weight.device)
        known: tuple[object, Tensor] | None = kept.get(weight)  # type: ignore[no-untyped-call]
        if known is None or known[0] != token:
            known = (token, derive(weight))
            kept[weight] = known
        return known[1]

    return derived
