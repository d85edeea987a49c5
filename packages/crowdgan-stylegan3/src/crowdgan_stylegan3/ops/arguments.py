"""Arguments of the ops: validation, a normalised form, and the sizes of the results."""

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
"""Samples added on all sides, `(x, y)`, or `(x0, x1, y0, y1)`; negative values crop."""

Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

DEFAULT_SLOPE = 0.2
"""Slope of lrelu below 0 (Karras et al. 2020)."""

SQRT_2 = 2**0.5
DEFAULT_GAINS: dict[Activation, float] = {"relu": SQRT_2, "lrelu": SQRT_2, "swish": SQRT_2}
"""Gains other than 1 that keep unit variance (He et al. 2015; Karras et al. 2020)."""

MAX_FACTOR = 64
"""Largest resampling factor, a guard against typing errors."""


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Parameters of upsampling, filtering and downsampling an image; the filter itself is separate."""

    up: tuple[int, int]
    """Upsampling factors `(x, y)`: up - 1 zeros are inserted after each sample."""
    down: tuple[int, int]
    """Downsampling factors `(x, y)`: every down-th sample is kept."""
    padding: tuple[int, int, int, int]
    """`(x0, x1, y0, y1)` zeros around the upsampled image; negative values crop it."""
    flip_filter: bool = False
    """Whether the image is correlated, not convolved, with the filter."""
    gain: float = 1.0
    """Factor of the result."""

    def out_size(self, in_size: tuple[int, int], filter_size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the result.

        Args:
            in_size: `(height, width)` of the image.
            filter_size: `(height, width)` of the filter.

        Raises:
            ConfigError: the result is empty.
        """
        sizes = [
            (in_size[1] * self.up[0] + sum(self.padding[:2]) - filter_size[1]) // self.down[0] + 1,
            (in_size[0] * self.up[1] + sum(self.padding[2:]) - filter_size[0]) // self.down[1] + 1,
        ]
        if min(sizes) < 1:
            raise ConfigError(
                f"resampling {in_size[0]}x{in_size[1]} by up {self.up}, down {self.down}, padding {self.padding} and "
                f"a filter of {filter_size[0]}x{filter_size[1]} leaves nothing; it must leave at least one sample"
            )
        return sizes[1], sizes[0]

    def transposed(self, in_size: tuple[int, int], filter_size: tuple[int, int]) -> Resampling:
        """The transposed resampling, which maps gradients of the result to gradients of the image.

        Args:
            in_size: `(height, width)` of the image, the size that the transposed resampling returns.
            filter_size: `(height, width)` of the filter.
        """
        height, width = self.out_size(in_size, filter_size)
        x0, y0 = filter_size[1] - 1 - self.padding[0], filter_size[0] - 1 - self.padding[2]
        x1 = in_size[1] * self.up[0] - width * self.down[0] + self.padding[0] - self.up[0] + 1
        y1 = in_size[0] * self.up[1] - height * self.down[1] + self.padding[2] - self.up[1] + 1
        return replace(self, up=self.down, down=self.up, padding=(x0, x1, y0, y1), flip_filter=not self.flip_filter)


@dataclass(frozen=True, kw_only=True, eq=False)
class FilteredLrelu:
    """Parameters of `filtered_lrelu`: a leaky ReLU between an upsampling and a downsampling."""

    fu: Tensor
    """Upsampling filter, `[taps]` or `[height, width]`."""
    fd: Tensor
    """Downsampling filter, `[taps]` or `[height, width]`."""
    upsampling: Resampling
    """Resampling before the activation."""
    downsampling: Resampling
    """Resampling after the activation."""
    gain: float
    """Factor of the activation, at least 0."""
    slope: float
    """Slope of the leaky ReLU below 0."""
    clamp: float | None
    """Bound of the absolute value after the gain; None for no bound."""

    def upsampled_size(self, in_size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the upsampled image, given the size of the image."""
        return self.upsampling.out_size(in_size, filter_size(self.fu))

    def out_size(self, in_size: tuple[int, int]) -> tuple[int, int]:
        """`(height, width)` of the result, given the size of the image.

        Raises:
            ConfigError: the result is empty.
        """
        return self.downsampling.out_size(self.upsampled_size(in_size), filter_size(self.fd))


def parse_resampling(
    up: Factor, down: Factor, padding: Padding, *, flip_filter: bool = False, gain: float = 1.0
) -> Resampling:
    """A `Resampling` from arguments in any of the accepted forms.

    Raises:
        ConfigError: a factor, the padding or the gain is not valid.
    """
    return Resampling(
        up=_parse_factor("up", up),
        down=_parse_factor("down", down),
        padding=_parse_padding(padding),
        flip_filter=bool(flip_filter),
        gain=validate_gain(gain),
    )


def image_memory_format(x: Tensor) -> torch.memory_format:
    """Memory format of an image `[N, C, H, W]`: channels last, or contiguous; contiguous if both apply."""
    is_channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if is_channels_last else torch.contiguous_format


def image_size(x: Tensor) -> tuple[int, int]:
    """`(height, width)` of an image `[N, C, H, W]`."""
    return x.shape[2], x.shape[3]


def filter_size(f: Tensor) -> tuple[int, int]:
    """`(height, width)` of a filter `[height, width]`, or of the square that a separable one `[taps]` stands for."""
    return (f.shape[0], f.shape[0]) if f.ndim == 1 else (f.shape[0], f.shape[1])


def validate_image(x: Tensor) -> Tensor:
    """`x` unchanged, if it is `[N, C, H, W]`, floating-point and not empty.

    Raises:
        ConfigError: it is not.
    """
    if x.ndim != 4 or 0 in x.shape or not x.is_floating_point():
        raise ConfigError(f"x is {x.dtype} of shape {list(x.shape)}; it must be floats [N, C, H, W], none of them 0")
    return x


def validate_filter(f: Tensor | None, x: Tensor) -> Tensor:
    """A filter in float32 on the device of `x`, `[taps]` (separable) or `[height, width]`; None gives the identity.

    Raises:
        ConfigError: the shape, dtype or device is not valid.
    """
    if f is None or f.numel() == 0:
        return torch.ones(1, dtype=torch.float32, device=x.device)
    if f.ndim not in (1, 2) or f.dtype != torch.float32 or f.requires_grad:
        raise ConfigError(
            f"a filter is {f.dtype} of shape {list(f.shape)}; it must be constant float32, [taps] or [h, w]"
        )
    if f.device != x.device:
        raise ConfigError(f"a filter is on {f.device}; it must be on {x.device}, as x is")
    return f


def validate_bias(b: Tensor | None, x: Tensor, dim: int) -> Tensor | None:
    """A bias `[x.shape[dim]]` with the dtype and device of `x`; None for no bias.

    Raises:
        ConfigError: the length, dtype or device is not valid.
    """
    if b is None:
        return None
    if not 0 <= dim < x.ndim:
        raise ConfigError(f"dim is {dim}; it must lie between 0 and {x.ndim - 1}")
    if b.ndim != 1 or b.shape[0] != x.shape[dim] or b.dtype != x.dtype or b.device != x.device:
        actual, expected = f"{b.dtype} {list(b.shape)} on {b.device}", f"{x.dtype} [{x.shape[dim]}] on {x.device}"
        raise ConfigError(f"b is {actual}; it must be {expected}")
    return b


def check_convolution(x: Tensor, weight: Tensor, in_scale: Tensor | None, out_scale: Tensor | None) -> None:
    """Check the tensors that `conv2d` takes.

    Raises:
        ConfigError: shapes, dtypes or devices do not match.
    """
    validate_image(x)
    if weight.ndim != 4 or weight.shape[1] != x.shape[1] or weight.shape[2] != weight.shape[3]:
        raise ConfigError(f"weight has shape {list(weight.shape)}; it must be [K, {x.shape[1]}, kernel, kernel]")
    scales = {"in_scale": (in_scale, x.shape[1]), "out_scale": (out_scale, weight.shape[0])}
    for name, (scale, length) in scales.items():
        if scale is not None and tuple(scale.shape) != (x.shape[0], length):
            raise ConfigError(f"{name} has shape {list(scale.shape)}; it must be [{x.shape[0]}, {length}]")
    for name, tensor in {"weight": weight, "in_scale": in_scale, "out_scale": out_scale}.items():
        if tensor is not None and (tensor.dtype != x.dtype or tensor.device != x.device):
            actual, expected = f"{tensor.dtype} on {tensor.device}", f"{x.dtype} on {x.device}"
            raise ConfigError(f"{name} is {actual}; it must be {expected}, as x is")


def validate_gain(gain: float) -> float:
    """The gain as a float, if it is finite and at least 0.

    Raises:
        ConfigError: it is not.
    """
    if not 0 <= gain < math.inf:
        raise ConfigError(f"gain is {gain}; it must be at least 0")
    return float(gain)


def validate_clamp(clamp: float | None) -> float | None:
    """The bound of the absolute value as a float, if it is at least 0; None for no bound.

    Raises:
        ConfigError: it is negative.
    """
    if clamp is not None and not clamp >= 0:
        raise ConfigError(f"clamp is {clamp}; it must be at least 0, or None for no bound")
    return None if clamp is None else float(clamp)


def _parse_factor(name: str, value: Factor) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(1 <= factor <= MAX_FACTOR for factor in pair):
        raise ConfigError(f"{name} is {value}; it must be a whole number from 1 to {MAX_FACTOR}, or a pair (x, y)")
    return pair[0], pair[1]


def _parse_padding(value: Padding) -> tuple[int, int, int, int]:
    values = [value] if isinstance(value, int) else list(value)
    if len(values) not in (1, 2, 4):
        raise ConfigError(f"padding is {value}; it must be a whole number, (x, y), or (x0, x1, y0, y1)")
    x0, x1, y0, y1 = values if len(values) == 4 else (values[0], values[0], values[-1], values[-1])
    return x0, x1, y0, y1
