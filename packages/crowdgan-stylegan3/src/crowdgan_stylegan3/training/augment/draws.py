"""The random draws of augmentation, made on the host.

What is computed depends on them in size, and reading them back from a device would make the host wait for it. So they
do not depend on the device either.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Random draws on the host in double precision, one row per image.

    With a percentile every draw is at that place of its distribution, and whatever may be applied is. The published
    percentiles of normal distributions lack a factor of √2, and so do these, which are held against recorded numbers.
    """

    count: int
    """Images."""
    p: float
    """Overall probability of augmentations."""
    generator: torch.Generator | None = None
    """Where randomness comes from; None for PyTorch's own on the host."""
    percentile: float | None = None
    """Between 0 and 1, both excluded; None for random draws."""

    def uniform(self, *shape: int) -> Tensor:
        """From 0 to 1, `[count, *shape]`."""
        if self.percentile is not None:
            return torch.full((self.count, *shape), self.percentile, dtype=torch.float64)
        return torch.rand((self.count, *shape), generator=self.generator, dtype=torch.float64)

    def symmetric(self, *shape: int) -> Tensor:
        """From -1 to 1, uniform, `[count, *shape]`."""
        return self.uniform(*shape) * 2 - 1

    def below(self, limit: int) -> Tensor:
        """Whole numbers from 0 to limit - 1, `[count]`."""
        return (self.uniform() * limit).floor()

    def normal(self, std: float, *shape: int) -> Tensor:
        """Normal of mean 0, `[count, *shape]`."""
        if self.percentile is not None:
            return self.symmetric(*shape).erfinv() * std
        return torch.randn((self.count, *shape), generator=self.generator, dtype=torch.float64) * std

    def half_normal(self, std: float) -> Tensor:
        """Absolute value of a normal draw, `[count]`."""
        return self.normal(std).abs() if self.percentile is None else self.uniform().erfinv() * std

    def factor(self, std: float, *shape: int) -> Tensor:
        """Lognormal of median 1, `[count, *shape]`, from the standard deviation of its base-2 logarithm."""
        return self.normal(std, *shape).exp2()

    def applied(self, value: Tensor, multiplier: float, neutral: float, *, chances: int = 1) -> Tensor:
        """`value` `[count, ...]` for images that an augmentation is applied to, else `neutral`.

        The probability is multiplier · p, at most 1. Of several equal chances each is so probable that one minus it
        is the probability that none is taken.
        """
        probability = 1 - (1 - min(multiplier * self.p, 1)) ** (1 / chances)
        is_applied = self.uniform() < probability
        if self.percentile is not None:
            is_applied = torch.full_like(is_applied, multiplier > 0)
        return torch.where(is_applied.view(-1, *[1] * (value.ndim - 1)), value, neutral)

    def on_device(self, device: torch.device) -> torch.Generator:
        """Randomness for whole images on a device, seeded by a draw."""
        seed = int(torch.randint(MAX_SEED, (), generator=self.generator))
        return torch.Generator(device).manual_seed(seed)


def sent(values: Tensor, images: Tensor) -> Tensor:
    """Values of the host where images are, floats in the images' type; the host waits for no GPU."""
    values = values.to(images.dtype) if values.is_floating_point() else values
    if images.device.type == "cuda":
        return values.pin_memory().to(images.device, non_blocking=True)
    return values.to(images.device)
