"""Gradients of a loss that is computed in numpy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from crowdgan_core.models.latent_generator import ImageLoss
from crowdgan_core.utils.arrays import FloatArray


def backpropagate(images: Tensor, loss: ImageLoss) -> FloatArray:
    """Computes the gradients of a loss of images `[N, channels, H, W]`; returns the loss of each image."""
    pixels = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    values, gradients = loss(pixels.detach().cpu().numpy())
    torch.autograd.backward(pixels, torch.from_numpy(np.ascontiguousarray(gradients, np.float32)).to(pixels.device))
    return values
