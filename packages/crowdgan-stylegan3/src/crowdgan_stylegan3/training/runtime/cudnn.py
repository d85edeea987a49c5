"""cuDNN flags of training."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def cudnn_flags(*, benchmark: bool) -> AbstractContextManager[None]:
    """Context in which cuDNN computes float32 convolutions in full precision, without TF32, as in the recipe.

    Args:
        benchmark: whether cuDNN selects convolution algorithms by autotuning.
    """
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=benchmark, allow_tf32=False
    )
    return flags
