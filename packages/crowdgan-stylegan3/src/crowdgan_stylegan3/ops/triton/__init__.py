"""The ops as Triton kernels, for CUDA tensors; they need no CUDA toolkit.

Plain functions on tensors without gradients: what they are derivatives of is composed elsewhere. Only importing this
package imports triton.
"""

from __future__ import annotations

from crowdgan_stylegan3.ops.triton.bias_act import bias_act
from crowdgan_stylegan3.ops.triton.filtered_lrelu import filtered_lrelu, filtered_lrelu_linear, supports_filtered_lrelu
from crowdgan_stylegan3.ops.triton.upfirdn2d import supports, upfirdn2d

__all__ = [
    "bias_act",
    "filtered_lrelu",
    "filtered_lrelu_linear",
    "supports",
    "supports_filtered_lrelu",
    "upfirdn2d",
]
