"""The ops in plain PyTorch, for every device and floating-point dtype; all gradients by autograd.

Resampling is polyphase: inserted zeros are never multiplied. Along one axis, the outputs whose taps meet the same
residue of the upsampled grid form one phase, a strided convolution of the input with every up-th tap; the phases are
then interleaved. Convolutions are depthwise with channels last, the fastest layout in oneDNN and cuDNN.

Source: definitions: Karras et al., "Alias-Free Generative Adversarial Networks", 2021; phases: Vaidyanathan,
"Multirate Systems and Filter Banks", 1993.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import (
    Activation,
    FilteredLrelu,
    Resampling,
    filter_size,
    image_memory_format,
    image_size,
)

ACTIVATION_FUNCTIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "swish": F.silu,
}
"""All activations except lrelu, which takes a slope."""

CHUNK_FLOATS = 2**22
"""Floats of the upsampled image that are in memory at a time on a CPU: 16 MiB, about a last-level cache."""

MIN_CHUNK_CHANNELS = 16
"""Minimum number of channels in a chunk: the vector width of depthwise convolutions."""

SMALL_IMAGE_SAMPLES = 2**18
"""Samples of an image below which training on a CPU is fastest with one convolution of the full batch (measured)."""


def bias_act(
    x: Tensor, b: Tensor | None, dim: int, act: Activation, alpha: float, gain: float, clamp: float | None
) -> Tensor:
    """Activation of `x` plus a bias along `dim`, times a gain, clamped."""
    if b is not None:
        x = x + b.reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
    x = F.leaky_relu(x, alpha) if act == "lrelu" else ACTIVATION_FUNCTIONS[act](x)
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def upfirdn2d(x: Tensor, f: Tensor, resampling: Resampling) -> Tensor:
    """`x` `[N, C, H, W]` upsampled, filtered with `f` and downsampled, `[N, C, out_height, out_width]`."""
    taps = f if resampling.flip_filter else f.flip(tuple(range(f.ndim)))
    if f.ndim == 2:
        y = _resample(x, taps * resampling.gain, resampling)
    else:
        up, down, padding = resampling.up, resampling.down, resampling.padding
        along_x = replace(resampling, up=(up[0], 1), down=(down[0], 1), padding=(*padding[:2], 0, 0))
        along_y = replace(resampling, up=(1, up[1]), down=(1, down[1]), padding=(0, 0, *padding[2:]))
        y = _resample(_resample(x, taps[None, :] * resampling.gain, along_x), taps[:, None], along_y)
    return y.contiguous(memory_format=image_memory_format(x))


def filtered_lrelu(x: Tensor, b: Tensor | None, params: FilteredLrelu) -> Tensor:
    """`x` plus bias, upsampled, through a leaky ReLU, gain and clamp, downsampled.

    On a CPU, chunks of channels are processed in turn, so that the upsampled image stays in the cache.
    """
    height, width = params.upsampled_size(image_size(x))
    channels = max(CHUNK_FLOATS // (x.shape[0] * height * width), MIN_CHUNK_CHANNELS)
    if x.device.type != "cpu" or channels >= x.shape[1]:
        return _filtered_lrelu(x, b, params)
    biases = [None] * -(-x.shape[1] // channels) if b is None else torch.split(b, channels)
    chunks = zip(torch.split(x, channels, dim=1), biases, strict=True)
    return torch.cat([_filtered_lrelu(chunk, bias, params) for chunk, bias in chunks], dim=1)


def _filtered_lrelu(x: Tensor, b: Tensor | None, params: FilteredLrelu) -> Tensor:
    x = bias_act(x, b, 1, "linear", 0.0, 1.0, None)
    gain = params.upsampling.gain * params.gain  # a leaky ReLU is positively homogeneous: its gain may come first
    x = upfirdn2d(x, params.fu, replace(params.upsampling, gain=gain))
    x = F.leaky_relu(x, params.slope, inplace=params.slope >= 0)
    if (bound := params.clamp) is not None:
        x = x.clamp(-bound, bound) if x.requires_grad else x.clamp_(-bound, bound)
    return upfirdn2d(x, params.fd, params.downsampling)


def conv2d(x: Tensor, weight: Tensor, padding: int, in_scale: Tensor | None, out_scale: Tensor | None) -> Tensor:
    """`x` times `in_scale`, convolved (cross-correlated) with `weight`, times `out_scale`.

    On a CPU the scales are multiplied into the images or into the weights, whichever are smaller; in the second case
    each image is convolved with its own weights. On a GPU, and when training on small images, one convolution of the
    full batch is faster.
    """
    if in_scale is None and out_scale is None:
        return F.conv2d(x, weight, padding=padding)
    trains_small_images = torch.is_grad_enabled() and x[0].numel() < SMALL_IMAGE_SAMPLES
    if x.device.type == "cpu" and weight.numel() < x[0].numel() and not trains_small_images:
        pairs = zip(torch.split(x, 1), _scale_weights(weight, x.shape[0], in_scale, out_scale), strict=True)
        images = [F.conv2d(image, image_weight, padding=padding) for image, image_weight in pairs]
        return images[0] if len(images) == 1 else torch.cat(images)
    x = x if in_scale is None else x * in_scale[:, :, None, None]
    y = F.conv2d(x, weight, padding=padding)
    return y if out_scale is None else y * out_scale[:, :, None, None]


def _scale_weights(weight: Tensor, count: int, in_scale: Tensor | None, out_scale: Tensor | None) -> Iterator[Tensor]:
    """Yield the scaled weights of each image, in the memory format of `weight`."""
    for n in range(count):
        scaled = weight if in_scale is None else weight * in_scale[n, None, :, None, None]
        yield scaled if out_scale is None else scaled * out_scale[n, :, None, None, None]


@dataclass(frozen=True, kw_only=True)
class _AxisPhases:
    """Polyphase decomposition of one axis: all phases read windows of equal length from the same input positions."""

    count: int
    """Number of phases; output o belongs to phase o mod count."""
    stride: int
    """Input samples between consecutive outputs of a phase."""
    first_taps: tuple[int, ...]
    """Per phase, the first tap that meets a sample."""
    offsets: tuple[int, ...]
    """Per phase, the sample that this tap meets, counted from the start of the window."""
    window: int
    """Samples in a window."""
    pad: tuple[int, int]
    """Samples added before and after the input; negative values crop."""


def _axis_phases(size: int, taps: int, up: int, down: int, pad: int, out: int) -> _AxisPhases:
    """The phases of one axis.

    Output o correlates taps k with the upsampled samples o·down + k - pad, of which every up-th is an input sample.
    """
    count = up // math.gcd(up, down)
    stride = count * down // up
    starts = [phase * down - pad for phase in range(count)]
    first_taps = [-start % up for start in starts]
    first_samples = [(start + tap) // up for start, tap in zip(starts, first_taps, strict=True)]
    lengths = [len(range(tap, taps, up)) for tap in first_taps]
    begin = min(first_samples)
    end = max(max(first + length for first, length in zip(first_samples, lengths, strict=True)), begin + 1)
    outputs_per_phase = -(-out // count)
    return _AxisPhases(
        count=count,
        stride=stride,
        first_taps=tuple(first_taps),
        offsets=tuple(first - begin for first in first_samples),
        window=end - begin,
        pad=(-begin, begin + (outputs_per_phase - 1) * stride + end - begin - size),
    )


def _resample(x: Tensor, taps: Tensor, resampling: Resampling) -> Tensor:
    """`x` upsampled, correlated with `[height, width]` taps and downsampled, channels last in memory."""
    size, taps_size = image_size(x), filter_size(taps)
    out_height, out_width = resampling.out_size(size, taps_size)
    up, down, padding = resampling.up, resampling.down, resampling.padding
    axis_y = _axis_phases(size[0], taps_size[0], up[1], down[1], padding[2], out_height)
    axis_x = _axis_phases(size[1], taps_size[1], up[0], down[0], padding[0], out_width)
    if taps.numel() == 1 and up == down == (1, 1):
        return _pad_or_crop(x, axis_y, axis_x) * taps.to(x.dtype)
    x = _pad_or_crop(x.contiguous(memory_format=torch.channels_last), axis_y, axis_x)
    phases = [
        [_convolve_phase(x, taps, up, axis_y, axis_x, v, u) for u in range(axis_x.count)] for v in range(axis_y.count)
    ]
    return _interleave(phases, (out_height, out_width))


def _pad_or_crop(x: Tensor, axis_y: _AxisPhases, axis_x: _AxisPhases) -> Tensor:
    """`x` padded and cropped to the samples that the phases read; `F.pad` alone cannot crop all samples."""
    pads: list[int] = []
    for dim, axis in ((3, axis_x), (2, axis_y)):
        size, total = x.shape[dim], x.shape[dim] + sum(axis.pad)
        begin = min(max(-axis.pad[0], 0), size)
        inside = max(min(size + axis.pad[1], size) - begin, 0)
        before = min(max(axis.pad[0], 0), total - inside)
        x = x.narrow(dim, begin, inside)
        pads += [before, total - inside - before]
    return F.pad(x, pads)


def _convolve_phase(
    x: Tensor, taps: Tensor, up: tuple[int, int], axis_y: _AxisPhases, axis_x: _AxisPhases, v: int, u: int
) -> Tensor:
    """Phase `(v, u)`, `[N, C, outputs_y, outputs_x]`: a strided depthwise convolution of the padded image."""
    phase_taps = taps[axis_y.first_taps[v] :: up[1], axis_x.first_taps[u] :: up[0]]
    before = (axis_x.offsets[u], axis_y.offsets[v])
    after = (axis_x.window - before[0] - phase_taps.shape[1], axis_y.window - before[1] - phase_taps.shape[0])
    phase_taps = F.pad(phase_taps, [before[0], after[0], before[1], after[1]])
    channels = x.shape[1]
    weight = phase_taps.to(x.dtype).expand(channels, 1, -1, -1).contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, stride=(axis_y.stride, axis_x.stride), groups=channels)


def _interleave(phases: list[list[Tensor]], size: tuple[int, int]) -> Tensor:
    """One image `[N, C, *size]`, channels last in memory, from phases `[N, C, rows, columns]` along y and x."""
    first = phases[0][0]
    if len(phases) == len(phases[0]) == 1:
        return first
    shape = (first.shape[0], first.shape[1], *size)
    y = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=torch.channels_last)
    for v, row in enumerate(phases):
        for u, phase in enumerate(row):
            target = y[:, :, v :: len(phases), u :: len(row)]
            target.copy_(phase[:, :, : target.shape[2], : target.shape[3]])
    return y
