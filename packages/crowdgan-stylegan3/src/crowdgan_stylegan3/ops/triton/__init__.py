"""The ops as Triton kernels, for CUDA tensors; no CUDA toolkit is required.

The functions do not record gradients; `torch_ops` combines them to differentiable operators. This is the only package
that imports triton.
"""

from __future__ import annotations

from crowdgan_stylegan3.ops.triton.bias_act import bias_act
from crowdgan_stylegan3.ops.triton.filtered_lrelu import (
    filtered_lrelu,
    filtered_lrelu_linear,
    filtered_lrelu_unsupported_reason,
)
from crowdgan_stylegan3.ops.triton.upfirdn2d import unsupported_reason, upfirdn2d

__all__ = [
    "bias_act",
    "filtered_lrelu",
    "filtered_lrelu_linear",
    "filtered_lrelu_unsupported_reason",
    "unsupported_reason",
    "upfirdn2d",
]
