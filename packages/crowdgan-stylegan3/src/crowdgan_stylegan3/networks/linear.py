"""Fully connected layers with equalised learning rate, and normalisation of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crowdgan_stylegan3.ops import bias_act
from crowdgan_stylegan3.ops.arguments import Activation

EPSILON = 1e-8
"""Added below square roots to avoid division by 0 (Karras et al. 2018)."""


class Linear(nn.Module):
    """A fully connected layer whose weights are stored at unit variance and scaled at run time.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 4.1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Activation = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float | Sequence[float] = 0.0,
        weight_init: float = 1.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) * (weight_init / lr_multiplier))
        bias = torch.as_tensor(bias_init, dtype=torch.float32).expand(out_features).clone()
        self.bias = nn.Parameter(bias / lr_multiplier)
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """The layer's result `[N, out_features]` for `[N, in_features]`."""
        weight, bias = self.weight.to(x.dtype) * self.weight_gain, self.bias.to(x.dtype) * self.bias_gain
        if self.activation == "linear":
            return torch.addmm(bias, x, weight.t())
        return bias_act(x @ weight.t(), bias, act=self.activation)


def normalise(x: Tensor) -> Tensor:
    """Vectors `[N, features]` scaled to a mean square of 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()
