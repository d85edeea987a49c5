"""What the ops take, in one checked form, and the sizes of what they return."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError

Factor = int | Sequence[int]
"""A factor for both axes, or `(x, y)`."""

Padding = int | Sequence[int]
"""Samples added on all sides, `(x, y)`, or `(x0, x1, y0, y1)`; negative ones crop."""

Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

DEFAULT_SLOPE = 0.2
"""Slope of lrelu below 0 (Karras et al. 2020)."""

SQRT_2 = 2**0.5
DEFAULT_GAINS: dict[Activation, float] = {"relu": SQRT_2, "lrelu": SQRT_2, "swish": SQRT_2}
"""Gains that keep unit variance, where they are not 1 (He et al. 2015; Karras et al. 2020)."""

MAX_FACTOR = 64
"""Largest factor of resampling, a guard against slips."""


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """An upsampling, a filter and a downsampling in one: factors, padding at the upsampled rate, orientation, gain."""

    up: tuple[int, int]
    """`(x, y)`: each sample is followed by up - 1 zeros."""
    down: tuple[int, int]
    """`(x, y)`: every down-th sample is kept."""
    padding: tuple[int, int, int, int]
    """`(x0, x1, y0, y1)` zeros around the upsampled image; negative ones crop it."""
    flip_filter: bool = False
    """Whether the filter is correlated, not convolved, with the image."""
    gain: float = 1.0
    """What the result is multiplied by."""

    def out_size(self, in_size: tuple[int, int], taps: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the result.

        Args:
            in_size: `(height, width)`.
            taps: `(height, width)` of the filter.

        Raises:
            ConfigError: nothing is left.
        """
        sizes = [
            (in_size[1] * self.up[0] + sum(self.padding[:2]) - taps[1]) // self.down[0] + 1,
            (in_size[0] * self.up[1] + sum(self.padding[2:]) - taps[0]) // self.down[1] + 1,
        ]
        if min(sizes) < 1:
            raise ConfigError(
                f"resampling {in_size[0]}x{in_size[1]} by up {self.up}, down {self.down}, padding {self.padding} and "
                f"a filter of {taps[0]}x{taps[1]} leaves nothing"
            )
        return sizes[1], sizes[0]

    def transposed(self, in_size: tuple[int, int], taps: tuple[int, int]) -> Resampling:
        """The resampling that takes gradients of the result to gradients of the image: the filter mirrored.

        Args:
            in_size: `(height, width)` of the image, which the transposed resampling returns.
            taps: `(height, width)` of the filter.
        """
        height, width = self.out_size(in_size, taps)
        x0, y0 = taps[1] - 1 - self.padding[0], taps[0] - 1 - self.padding[2]
        x1 = in_size[1] * self.up[0] - width * self.down[0] + self.padding[0] - self.up[0] + 1
        y1 = in_size[0] * self.up[1] - height * self.down[1] + self.padding[2] - self.up[1] + 1
        return replace(self, up=self.down, down=self.up, padding=(x0, x1, y0, y1), flip_filter=not self.flip_filter)


@dataclass(frozen=True, kw_only=True, eq=False)
class FilteredLrelu:
    """A leaky ReLU between an upsampling and a downsampling."""

    fu: Tensor
    """Filter of the upsampling, `[taps]` or `[height, width]`."""
    fd: Tensor
    """Filter of the downsampling, likewise."""
    rise: Resampling
    """The upsampling."""
    fall: Resampling
    """The downsampling."""
    gain: float
    """What the activation is multiplied by, at least 0."""
    slope: float
    """Of the leaky ReLU below 0."""
    clamp: float | None
    """Bound of the absolute value after the gain; None for none."""

    def between(self, in_size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the upsampled image, of those of the image."""
        return self.rise.out_size(in_size, taps_of(self.fu))

    def out_size(self, in_size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the result, of those of the image.

        Raises:
            ConfigError: nothing is left.
        """
        return self.fall.out_size(self.between(in_size), taps_of(self.fd))


def resampling(
    up: Factor, down: Factor, padding: Padding, *, flip_filter: bool = False, gain: float = 1.0
) -> Resampling:
    """A resampling from what users write.

    Raises:
        ConfigError: a factor or padding of the wrong form, or a gain below 0.
    """
    return Resampling(
        up=_pair("up", up),
        down=_pair("down", down),
        padding=_padding(padding),
        flip_filter=bool(flip_filter),
        gain=checked_gain(gain),
    )


def image_order(x: Tensor) -> torch.memory_format:
    """The order of an image `[N, C, H, W]` in memory: channels last, or contiguous, also where both would do."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def checked_image(x: Tensor) -> Tensor:
    """`x`, once it is `[N, C, H, W]` of floats and not empty.

    Raises:
        ConfigError: it is not.
    """
    if x.ndim != 4 or 0 in x.shape or not x.is_floating_point():
        raise ConfigError(f"x is {x.dtype} of shape {list(x.shape)}; it must be floats [N, C, H, W], none of them 0")
    return x


def checked_filter(f: Tensor | None, x: Tensor) -> Tensor:
    """A filter as float32 on the device of `x`: `[taps]` separable or `[height, width]`; None is the identity.

    Raises:
        ConfigError: another shape or kind.
    """
    if f is None or f.numel() == 0:
        return torch.ones(1, dtype=torch.float32, device=x.device)
    if f.ndim not in (1, 2) or f.dtype != torch.float32 or f.requires_grad:
        raise ConfigError(
            f"a filter is {f.dtype} of shape {list(f.shape)}; it must be constant float32, [taps] or [h, w]"
        )
    if f.device != x.device:
        raise ConfigError(f"a filter is on {f.device} where x is on {x.device}")
    return f


def taps_of(f: Tensor) -> tuple[int, int]:
    """`(height, width)` of a filter as a whole."""
    return (f.shape[0], f.shape[0]) if f.ndim == 1 else (f.shape[0], f.shape[1])


def checked_bias(b: Tensor | None, x: Tensor, dim: int) -> Tensor | None:
    """A bias `[C]` for dimension `dim` of `x`, of its kind.

    Raises:
        ConfigError: another length, kind or device.
    """
    if b is None:
        return None
    if not 0 <= dim < x.ndim:
        raise ConfigError(f"dim is {dim}; it must lie between 0 and {x.ndim - 1}")
    if b.ndim != 1 or b.shape[0] != x.shape[dim] or b.dtype != x.dtype or b.device != x.device:
        found, wanted = f"{b.dtype} {list(b.shape)} on {b.device}", f"{x.dtype} [{x.shape[dim]}] on {x.device}"
        raise ConfigError(f"b is {found}; it must be {wanted}")
    return b


def check_convolution(x: Tensor, weight: Tensor, in_scale: Tensor | None, out_scale: Tensor | None) -> None:
    """Checks what `conv2d` takes.

    Raises:
        ConfigError: shapes, kinds or devices that do not go together.
    """
    checked_image(x)
    if weight.ndim != 4 or weight.shape[1] != x.shape[1] or weight.shape[2] != weight.shape[3]:
        raise ConfigError(f"weight has shape {list(weight.shape)}; it must be [K, {x.shape[1]}, kernel, kernel]")
    scales = {"in_scale": (in_scale, x.shape[1]), "out_scale": (out_scale, weight.shape[0])}
    for name, (scale, length) in scales.items():
        if scale is not None and tuple(scale.shape) != (x.shape[0], length):
            raise ConfigError(f"{name} has shape {list(scale.shape)}; it must be [{x.shape[0]}, {length}]")
    for name, item in {"weight": weight, "in_scale": in_scale, "out_scale": out_scale}.items():
        if item is not None and (item.dtype != x.dtype or item.device != x.device):
            raise ConfigError(f"{name} is {item.dtype} on {item.device}; it must be {x.dtype} on {x.device}, as x is")


def checked_gain(gain: float) -> float:
    """A gain, once it is finite and at least 0.

    Raises:
        ConfigError: it is not.
    """
    if not 0 <= gain < math.inf:
        raise ConfigError(f"gain is {gain}; it must be at least 0")
    return float(gain)


def checked_clamp(clamp: float | None) -> float | None:
    """A bound for ±clamp; None for none.

    Raises:
        ConfigError: below 0.
    """
    if clamp is not None and not clamp >= 0:
        raise ConfigError(f"clamp is {clamp}; it must be at least 0, or None for none")
    return None if clamp is None else float(clamp)


def _pair(name: str, value: Factor) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(1 <= item <= MAX_FACTOR for item in pair):
        raise ConfigError(f"{name} is {value}; it must be a whole number from 1 to {MAX_FACTOR}, or (x, y) of such")
    return pair[0], pair[1]


def _padding(value: Padding) -> tuple[int, int, int, int]:
    items = [value] if isinstance(value, int) else list(value)
    if len(items) not in (1, 2, 4):
        raise ConfigError(f"padding is {value}; it must be a whole number, (x, y), or (x0, x1, y0, y1)")
    x0, x1, y0, y1 = items if len(items) == 4 else (items[0], items[0], items[-1], items[-1])
    return x0, x1, y0, y1
