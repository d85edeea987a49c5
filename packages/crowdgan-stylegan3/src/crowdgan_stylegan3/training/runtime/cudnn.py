"""How a GPU convolves in training."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def precision(*, benchmark: bool) -> AbstractContextManager[None]:
    """While it lasts, cuDNN convolves float32 in full precision, as in the recipe.

    Args:
        benchmark: whether it tries which convolutions are fastest.
    """
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=benchmark, allow_tf32=False
    )
    return flags
