"""Exponential moving averages (EMA) of the generator: its weights, w_avg and layer magnitudes.

All are updated once per training step, over the batch of all ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.mapping import W_AVG_DECAY
from crowdgan_stylegan3.networks.synthesis_stylegan3 import AliasFreeLayer
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext


class GeneratorStatistics:
    """Records the batch means of w and of layer magnitudes, and updates their running means at the end of a step.

    Images of a step are generated with the running means of the previous step, so the result does not depend on the
    division of a batch into micro-batches and ranks.
    """

    def __init__(self, generator: Generator) -> None:
        self._mapping = generator.mapping
        self._layers = [module for module in generator.modules() if isinstance(module, AliasFreeLayer)]
        self._sums: list[Tensor] = []
        self._num_micro_batches = 0

    @contextmanager
    def record(self) -> Iterator[None]:
        """Context that records the means of one micro-batch while its images are generated."""
        means: dict[nn.Module, Tensor] = {}
        hooks = [self._mapping.register_forward_hook(lambda module, _, ws: _record_w(means, module, ws))]
        for layer in self._layers:
            hooks += [layer.register_forward_pre_hook(lambda module, inputs: _record_magnitude(means, module, *inputs))]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        if self._sums:
            torch._foreach_add_(self._sums, list(means.values()))
        else:
            self._sums = list(means.values())
        self._num_micro_batches += 1

    def update(self, context: DistributedContext) -> None:
        """Updates the running means by the means over all micro-batches and ranks."""
        if not self._sums:
            return
        sizes = [mean.numel() for mean in self._sums]
        flat = context.all_reduce_sum(torch.cat([mean.flatten() for mean in self._sums]))
        flat = flat / (self._num_micro_batches * context.world_size)
        w_mean, *magnitudes = torch.split(flat, sizes)
        _update_running_mean(self._mapping.w_avg, w_mean, W_AVG_DECAY)
        for layer, magnitude in zip(self._layers, magnitudes, strict=True):
            _update_running_mean(layer.magnitude_ema, magnitude[0], layer.decay)
        self._sums, self._num_micro_batches = [], 0


def _record_w(means: dict[nn.Module, Tensor], mapping: nn.Module, ws: Tensor) -> None:
    """Records the mean w of the first pass through the mapping; later passes are those of style mixing."""
    means.setdefault(mapping, ws.detach()[:, 0].mean(dim=0))


def _record_magnitude(means: dict[nn.Module, Tensor], layer: nn.Module, x: Tensor, _w: Tensor) -> None:
    means[layer] = x.detach().float().square().mean().reshape(1)


def _update_running_mean(running: Tensor, mean: Tensor, decay: float) -> None:
    """Updates a running mean in place, `decay` · running + (1 - `decay`) · mean; unchanged by a non-finite mean."""
    running.copy_(torch.where(mean.isfinite().all(), mean.lerp(running, decay), running))


def update_ema(generator_ema: Generator, generator: Generator, decay: float) -> None:
    """Updates the EMA generator in place: θ_ema ← `decay` · θ_ema + (1 - `decay`) · θ; copies the running
    means and the influence of the labels.

    Other buffers, such as filters, are constant and are not written, so values cached for them remain valid.
    """
    with torch.no_grad():
        torch._foreach_lerp_(list(generator_ema.parameters()), list(generator.parameters()), 1 - decay)
        torch._foreach_copy_(_running_means(generator_ema), _running_means(generator))


def _running_means(generator: Generator) -> list[Tensor]:
    magnitudes = [module.magnitude_ema for module in generator.modules() if isinstance(module, AliasFreeLayer)]
    label_weight = generator.mapping.label_weight
    return [generator.mapping.w_avg, *magnitudes, *([] if label_weight is None else [label_weight])]


def ema_decay(nimg: int, batch: int, half_life_kimg: float, rampup: float | None) -> float:
    """Decay of the EMA weights in one training step: 0.5 ^ (batch / half-life), with the half-life in images.

    After one half-life the weight of earlier parameters has halved. At the start of training the half-life is limited
    to `rampup` · `nimg`, so that the initial weights are quickly forgotten (Karras et al. 2020, StyleGAN2-ADA).

    Args:
        nimg: real images shown so far.
        batch: images per training step.
        half_life_kimg: half-life in thousands of images.
        rampup: maximum half-life as a fraction of `nimg`; None for no limit.
    """
    half_life_img = half_life_kimg * 1000
    if rampup is not None:
        half_life_img = min(half_life_img, nimg * rampup)
    return 0.5 ** (batch / half_life_img) if half_life_img else 0.0
