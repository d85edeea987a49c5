"""Random draws of augmentations, on the host.

The amount of computation depends on the draws; draws on a GPU would make the host wait for them. Draws on the host are
also the same for every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.training.runtime.transfers import to_device

MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Random draws on the host in double precision, one row per image.

    With a percentile, each draw is that percentile of its distribution, and all augmentations are applied. Percentiles
    of normal distributions are too small by a factor of √2, as in the published code, to match its recorded numbers.
    """

    count: int
    """Number of images."""
    p: float
    """Overall probability of augmentations."""
    generator: torch.Generator | None = None
    """CPU generator; None for PyTorch's default."""
    percentile: float | None = None
    """Percentile as a fraction, above 0 and below 1; None for random draws."""

    def uniform(self, *shape: int) -> Tensor:
        """Uniform from 0 to 1, `[count, *shape]`."""
        if self.percentile is not None:
            return torch.full((self.count, *shape), self.percentile, dtype=torch.float64)
        return torch.rand((self.count, *shape), generator=self.generator, dtype=torch.float64)

    def symmetric(self, *shape: int) -> Tensor:
        """Uniform from -1 to 1, `[count, *shape]`."""
        return self.uniform(*shape) * 2 - 1

    def integers_below(self, limit: int) -> Tensor:
        """Uniform integers from 0 to limit - 1, `[count]`."""
        return (self.uniform() * limit).floor()

    def normal(self, std: float, *shape: int) -> Tensor:
        """Normal with mean 0, `[count, *shape]`."""
        if self.percentile is not None:
            return self.symmetric(*shape).erfinv() * std
        return torch.randn((self.count, *shape), generator=self.generator, dtype=torch.float64) * std

    def half_normal(self, std: float) -> Tensor:
        """Absolute value of a normal draw, `[count]`."""
        return self.normal(std).abs() if self.percentile is None else self.uniform().erfinv() * std

    def factor(self, std: float, *shape: int) -> Tensor:
        """Lognormal with median 1, `[count, *shape]`; `std` is the standard deviation of the base-2 logarithm."""
        return self.normal(std, *shape).exp2()

    def apply_randomly(self, value: Tensor, multiplier: float, neutral: float, *, num_chances: int = 1) -> Tensor:
        """`value` `[count, ...]` for images to which an augmentation is applied, `neutral` for the others.

        The probability is multiplier · p, at most 1. With several equal chances, that is the probability that at least
        one of them is applied.
        """
        probability = 1 - (1 - min(multiplier * self.p, 1)) ** (1 / num_chances)
        is_applied = self.uniform() < probability
        if self.percentile is not None:
            is_applied = torch.full_like(is_applied, multiplier > 0)
        return torch.where(is_applied.view(-1, *[1] * (value.ndim - 1)), value, neutral)

    def device_generator(self, device: torch.device) -> torch.Generator:
        """A generator on a device, for draws of image size; its seed is drawn on the host."""
        seed = int(torch.randint(MAX_SEED, (), generator=self.generator))
        return torch.Generator(device).manual_seed(seed)


def copy_to_device(values: Tensor, images: Tensor) -> Tensor:
    """Host values on the device of images, floats in the dtype of the images. The host does not wait for the copy."""
    values = values.to(images.dtype) if values.is_floating_point() else values
    return to_device(values, images.device)
