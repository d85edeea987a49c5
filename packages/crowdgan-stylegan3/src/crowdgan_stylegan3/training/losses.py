"""The losses of training, as functions of tensors.

Source: Goodfellow et al., "Generative Adversarial Nets", 2014 (non-saturating); Mescheder et al., "Which Training
Methods for GANs do actually Converge?", 2018 (R1); Karras et al., "Analyzing and Improving the Image Quality of
StyleGAN", 2020 (path length), and "A Style-Based Generator Architecture for GANs", 2019 (style mixing).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLUR_REACH = 3
"""Standard deviations at which the blur is cut off."""


def logistic_loss_real(logits: Tensor) -> Tensor:
    """How little logits say "real": softplus(-logits), of their shape."""
    return F.softplus(-logits)


def logistic_loss_fake(logits: Tensor) -> Tensor:
    """How little logits say "fake": softplus(logits), of their shape."""
    return F.softplus(logits)


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared length of the gradient of each image's logit with respect to it, `[N]`; itself differentiable.

    Args:
        logits: `[N, 1]`, computed from `images`.
        images: `[N, C, H, W]` that require gradients.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Lengths of the change of each w that noise in its image stands for, `[N]`; themselves differentiable.

    Args:
        images: `[N, C, H, W]`, computed from `ws`.
        ws: `[N, num_ws, w_dim]`.
        noise: `[N, C, H, W]` of a standard normal distribution.
    """
    height, width = images.shape[2:]
    projected = (images * noise).sum() / math.sqrt(height * width)
    (gradient,) = torch.autograd.grad(projected, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def mix_styles(first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
    """`[N, num_ws, w_dim]` of the first before each image's layer `crossover` `[N]`, of the second from it on."""
    layer = torch.arange(first.shape[1], device=first.device)
    return torch.where((layer < crossover[:, None])[:, :, None], first, second)


def gaussian_blur(images: Tensor, sigma_px: float) -> Tensor:
    """Images `[N, C, H, W]` through a Gaussian of a standard deviation in pixels; zeros lie around them.

    The filter is another one at every step, so that `ops.upfirdn2d`, which keeps what it makes of filters, is no help.
    """
    reach = math.floor(BLUR_REACH * sigma_px)
    if reach < 1:
        return images
    channels, places = images.shape[1], torch.arange(-reach, reach + 1, dtype=torch.float32, device=images.device)
    taps = (-0.5 * (places / sigma_px).square()).exp()
    kernel = (taps / taps.sum()).expand(channels, 1, 1, -1)
    along_x = F.conv2d(images, kernel, padding=(0, reach), groups=channels)
    return F.conv2d(along_x, kernel.mT, padding=(reach, 0), groups=channels)
