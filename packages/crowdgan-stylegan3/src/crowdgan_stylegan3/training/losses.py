"""GAN losses and penalties, as pure functions of tensors.

D denotes the discriminator's logits, G the generator, sigmoid(D) the probability that an image is real.

Sources: Goodfellow et al., "Generative Adversarial Nets", 2014 (non-saturating logistic loss); Mescheder et al., "Which
Training Methods for GANs do actually Converge?", 2018 (R1); Karras et al., "A Style-Based Generator Architecture for
GANs", 2019 (style mixing), "Analyzing and Improving the Image Quality of StyleGAN", 2020 (path length regularisation)
and "Alias-Free Generative Adversarial Networks", 2021 (blur); Shahbazi et al., "Collapse by Conditioning", 2022 (two
heads of D).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

BLUR_CUTOFF_SIGMAS = 3
"""Half width of the blur kernel in standard deviations."""


def logistic_loss_real(logits: Tensor) -> Tensor:
    """Logistic loss towards "real", -log sigmoid(D) = softplus(-D), in the shape of `logits`.

    D's loss on real images, and G's non-saturating loss softplus(-D(G(z))) on generated images (Goodfellow et al.
    2014).
    """
    return F.softplus(-logits)


def logistic_loss_fake(logits: Tensor) -> Tensor:
    """Logistic loss towards "generated", -log(1 - sigmoid(D)) = softplus(D), in the shape of `logits`.

    D's loss on generated images (Goodfellow et al. 2014).
    """
    return F.softplus(logits)


def combine_heads(values: Tensor, label_weight: float) -> Tensor:
    """Unconditional plus `label_weight` · conditional value of each image, `[N, 1]`.

    Args:
        values: losses or logits of both heads of D, `[N, 2]`, the conditional one first; those of D with a single head,
            `[N, 1]`, are returned unchanged.
        label_weight: influence λ of the labels, 0 to 1 (Shahbazi et al. 2022).
    """
    if values.shape[1] == 1:
        return values
    conditional, unconditional = values[:, :1], values[:, 1:]
    return unconditional + label_weight * conditional


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared gradient norm ‖∇ₓD(x)‖² of each image, `[N]`, differentiable.

    The regularisation term is R1 = γ/2 · E[‖∇ₓD(x)‖²] for real images (Mescheder et al. 2018, equation 9), and R2 the
    same for generated images.

    Args:
        logits: D(x), `[N, 1]`, computed from `images`.
        images: x, `[N, C, H, W]`, requiring gradients.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Path length ‖J_wᵀ y‖ of each image, `[N]`, differentiable; root mean square over the layers' ws.

    J_w is the Jacobian of the image with respect to w, and y = noise / √(H·W). Path length regularisation is
    E[(‖J_wᵀ y‖ - a)²], where a is the running mean of the path lengths (Karras et al. 2020, equation 4).

    Args:
        images: G(w), `[N, C, H, W]`, computed from `ws`.
        ws: `[N, num_ws, w_dim]`.
        noise: `[N, C, H, W]`, standard normal.
    """
    height, width = images.shape[2:]
    projection = (images * noise).sum() / math.sqrt(height * width)
    (gradient,) = torch.autograd.grad(projection, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def mix_styles(first: Tensor, second: Tensor, crossover: Tensor) -> Tensor:
    """Mixed ws `[N, num_ws, w_dim]`: w_i = first_i for i < crossover, otherwise second_i (Karras et al. 2019).

    Args:
        first: ws `[N, num_ws, w_dim]`.
        second: ws `[N, num_ws, w_dim]` of other latents.
        crossover: layer index of each image, `[N]`; num_ws leaves an image unmixed.
    """
    layer = torch.arange(first.shape[1], device=first.device)
    return torch.where((layer < crossover[:, None])[:, :, None], first, second)


def gaussian_blur(images: Tensor, sigma_px: float) -> Tensor:
    """Images `[N, C, H, W]` convolved with a Gaussian, k(x) ∝ exp(-x² / 2σ²), cut off at 3σ; zero padding.

    At the start of training it hides high frequencies from D (Karras et al. 2021). The kernel changes at every step,
    so `ops.upfirdn2d`, which caches values derived from a filter, would not be faster.

    Args:
        images: images of D.
        sigma_px: standard deviation σ in pixels; below 1/3 the images are returned unchanged.
    """
    radius = math.floor(BLUR_CUTOFF_SIGMAS * sigma_px)
    if radius < 1:
        return images
    channels = images.shape[1]
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=images.device)
    taps = (-0.5 * (offsets / sigma_px).square()).exp()
    kernel = (taps / taps.sum()).expand(channels, 1, 1, -1)
    horizontal = F.conv2d(images, kernel, padding=(0, radius), groups=channels)
    return F.conv2d(horizontal, kernel.mT, padding=(radius, 0), groups=channels)
