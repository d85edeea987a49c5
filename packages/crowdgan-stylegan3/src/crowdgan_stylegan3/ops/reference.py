"""The ops in plain PyTorch, for every device and kind of float; all gradients by autograd.

Resampling is polyphase: no inserted zero is ever multiplied. Of the outputs along an axis, those whose taps fall on the
same residue of the upsampled grid are one phase, a strided convolution of the input with every up-th tap; the phases
are then interleaved. Convolutions are depthwise with channels last, which oneDNN and cuDNN do fastest.

Source: the definitions in Karras et al., "Alias-Free Generative Adversarial Networks", 2021, and Vaidyanathan,
"Multirate Systems and Filter Banks", 1993, for the phases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import Activation, FilteredLrelu, Resampling, image_order

PLAIN_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "swish": F.silu,
}
"""All but lrelu, which has a slope."""

CHUNK_FLOATS = 2**22
"""Floats of the upsampled image that are held at a time on a CPU: 16 MiB, about a last-level cache."""

MIN_CHUNK = 16
"""Channels in a chunk at least: depthwise convolutions take as many at once."""


SMALL_IMAGE = 2**18
"""Samples of an image below which training takes the whole batch at once on a CPU (measured)."""


def bias_act(
    x: Tensor, b: Tensor | None, dim: int, act: Activation, alpha: float, gain: float, clamp: float | None
) -> Tensor:
    """`x` plus a bias along `dim`, through an activation, times a gain, clamped."""
    if b is not None:
        x = x + b.reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
    x = F.leaky_relu(x, alpha) if act == "lrelu" else PLAIN_ACTIVATIONS[act](x)
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def upfirdn2d(x: Tensor, f: Tensor, how: Resampling) -> Tensor:
    """`x` `[N, C, H, W]` upsampled, filtered with `f` and downsampled, `[N, C, out_height, out_width]`."""
    taps = f if how.flip_filter else f.flip(tuple(range(f.ndim)))
    if f.ndim == 2:
        y = _resample(x, taps * how.gain, how)
    else:
        x_only = replace(how, up=(how.up[0], 1), down=(how.down[0], 1), padding=(*how.padding[:2], 0, 0))
        y_only = replace(how, up=(1, how.up[1]), down=(1, how.down[1]), padding=(0, 0, *how.padding[2:]))
        y = _resample(_resample(x, taps[None, :] * how.gain, x_only), taps[:, None], y_only)
    return y.contiguous(memory_format=image_order(x))


def filtered_lrelu(x: Tensor, b: Tensor | None, how: FilteredLrelu) -> Tensor:
    """`x` plus bias, upsampled, through a leaky ReLU, gain and clamp, downsampled.

    On a CPU a few channels at a time, so that what lies between stays in the cache.
    """
    height, width = how.between((x.shape[2], x.shape[3]))
    channels = max(CHUNK_FLOATS // (x.shape[0] * height * width), MIN_CHUNK)
    if x.device.type != "cpu" or channels >= x.shape[1]:
        return _filtered_lrelu(x, b, how)
    biases = [None] * -(-x.shape[1] // channels) if b is None else torch.split(b, channels)
    pairs = zip(torch.split(x, channels, dim=1), biases, strict=True)
    return torch.cat([_filtered_lrelu(some, own, how) for some, own in pairs], dim=1)


def _filtered_lrelu(x: Tensor, b: Tensor | None, how: FilteredLrelu) -> Tensor:
    x = bias_act(x, b, 1, "linear", 0.0, 1.0, None)
    x = upfirdn2d(x, how.fu, replace(how.rise, gain=how.rise.gain * how.gain))  # the gain passes through the leaky ReLU
    x = F.leaky_relu(x, how.slope, inplace=how.slope >= 0)
    if (bound := how.clamp) is not None:
        x = x.clamp(-bound, bound) if x.requires_grad else x.clamp_(-bound, bound)
    return upfirdn2d(x, how.fd, how.fall)


def conv2d(x: Tensor, weight: Tensor, padding: int, in_scale: Tensor | None, out_scale: Tensor | None) -> Tensor:
    """`x` times `in_scale`, convolved (correlated) with `weight`, times `out_scale`.

    On a CPU the scales are multiplied into images or weights, whichever are smaller; each image then has weights of
    its own. On a GPU, and where small images are trained on, one convolution of the whole batch is faster.
    """
    if in_scale is None and out_scale is None:
        return F.conv2d(x, weight, padding=padding)
    small = torch.is_grad_enabled() and x[0].numel() < SMALL_IMAGE
    if x.device.type == "cpu" and weight.numel() < x[0].numel() and not small:
        pairs = zip(torch.split(x, 1), _scaled_weights(weight, x.shape[0], in_scale, out_scale), strict=True)
        images = [F.conv2d(image, own, padding=padding) for image, own in pairs]
        return images[0] if len(images) == 1 else torch.cat(images)
    x = x if in_scale is None else x * in_scale[:, :, None, None]
    y = F.conv2d(x, weight, padding=padding)
    return y if out_scale is None else y * out_scale[:, :, None, None]


def _scaled_weights(weight: Tensor, count: int, in_scale: Tensor | None, out_scale: Tensor | None) -> Iterator[Tensor]:
    """The weights of each image, channels last in memory as `weight` is."""
    for n in range(count):
        own = weight if in_scale is None else weight * in_scale[n, None, :, None, None]
        yield own if out_scale is None else own * out_scale[n, :, None, None, None]


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """How one axis is resampled: all phases read windows of the same length at the same places of the input."""

    phases: int
    """Number of phases; output o belongs to phase o mod phases."""
    stride: int
    """Input samples from one output of a phase to its next."""
    first_taps: tuple[int, ...]
    """Per phase, the first tap that meets a sample."""
    offsets: tuple[int, ...]
    """Per phase, the sample that it meets, counted from the start of the window."""
    length: int
    """Samples in a window."""
    pad: tuple[int, int]
    """Samples added before and after the input; negative ones crop."""
    out: int
    """Outputs of the axis."""


def _axis(size: int, taps: int, up: int, down: int, pad: int, out: int) -> _Axis:
    """Output o correlates taps k with the upsampled samples o·down + k - pad, of which every up-th is an input."""
    phases = up // math.gcd(up, down)
    stride = phases * down // up
    starts = [phase * down - pad for phase in range(phases)]
    first_taps = [-start % up for start in starts]
    first_samples = [(start + tap) // up for start, tap in zip(starts, first_taps, strict=True)]
    counts = [len(range(tap, taps, up)) for tap in first_taps]
    begin = min(first_samples)
    end = max(max(first + count for first, count in zip(first_samples, counts, strict=True)), begin + 1)
    rounds = -(-out // phases)
    return _Axis(
        phases=phases,
        stride=stride,
        first_taps=tuple(first_taps),
        offsets=tuple(first - begin for first in first_samples),
        length=end - begin,
        pad=(-begin, begin + (rounds - 1) * stride + end - begin - size),
        out=out,
    )


def _resample(x: Tensor, taps: Tensor, how: Resampling) -> Tensor:
    """`x` correlated with `[height, width]` taps between up- and downsampling, channels last in memory."""
    size, shape = (x.shape[2], x.shape[3]), (taps.shape[0], taps.shape[1])
    out_height, out_width = how.out_size(size, shape)
    axis_y = _axis(size[0], shape[0], how.up[1], how.down[1], how.padding[2], out_height)
    axis_x = _axis(size[1], shape[1], how.up[0], how.down[0], how.padding[0], out_width)
    if taps.numel() == 1 and how.up == how.down == (1, 1):
        return _window(x, axis_y, axis_x) * taps.to(x.dtype)
    x = _window(x.contiguous(memory_format=torch.channels_last), axis_y, axis_x)
    phases = [[_phase(x, taps, how, axis_y, axis_x, v, u) for u in range(axis_x.phases)] for v in range(axis_y.phases)]
    return _interleaved(phases, (out_height, out_width))


def _window(x: Tensor, axis_y: _Axis, axis_x: _Axis) -> Tensor:
    """`x` padded and cropped to what the phases read; `F.pad` alone refuses to crop all there is."""
    pads: list[int] = []
    for dim, axis in ((3, axis_x), (2, axis_y)):
        size, total = x.shape[dim], x.shape[dim] + sum(axis.pad)
        begin = min(max(-axis.pad[0], 0), size)
        inside = max(min(size + axis.pad[1], size) - begin, 0)
        before = min(max(axis.pad[0], 0), total - inside)
        x = x.narrow(dim, begin, inside)
        pads += [before, total - inside - before]
    return F.pad(x, pads)


def _phase(x: Tensor, taps: Tensor, how: Resampling, axis_y: _Axis, axis_x: _Axis, v: int, u: int) -> Tensor:
    """One phase `[N, C, rounds_y, rounds_x]`: a strided depthwise convolution of the padded image."""
    own = taps[axis_y.first_taps[v] :: how.up[1], axis_x.first_taps[u] :: how.up[0]]
    before = (axis_x.offsets[u], axis_y.offsets[v])
    after = (axis_x.length - before[0] - own.shape[1], axis_y.length - before[1] - own.shape[0])
    own = F.pad(own, [before[0], after[0], before[1], after[1]])
    channels = x.shape[1]
    weight = own.to(x.dtype).expand(channels, 1, -1, -1).contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, stride=(axis_y.stride, axis_x.stride), groups=channels)


def _interleaved(phases: list[list[Tensor]], size: tuple[int, int]) -> Tensor:
    """Phases by row and column, `[N, C, rows, columns]` each, as one image of a size, channels last in memory."""
    first = phases[0][0]
    if len(phases) == len(phases[0]) == 1:
        return first
    shape = (first.shape[0], first.shape[1], *size)
    y = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last)
    for v, row in enumerate(phases):
        for u, phase in enumerate(row):
            place = y[:, :, v :: len(phases), u :: len(row)]
            place.copy_(phase[:, :, : place.shape[2], : place.shape[3]])
    return y
