"""The generator's running means, taken once per step over all images of all processes."""

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
    """Collects the means of a step while images are made, and adds them at its end.

    So they do not depend on how a batch is divided among processes and rounds: a step's images are made with the
    means of the steps before.
    """

    def __init__(self, generator: Generator) -> None:
        self._mapping = generator.mapping
        self._layers = [module for module in generator.modules() if isinstance(module, AliasFreeLayer)]
        self._sums: list[Tensor] = []
        self._rounds = 0

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collects from the images of one round."""
        found: dict[nn.Module, Tensor] = {}  # the first pass through the mapping counts: mixed styles come after it
        hooks = [self._mapping.register_forward_hook(lambda own, _, ws: _note_w(found, own, ws))]
        for layer in self._layers:
            hooks += [layer.register_forward_pre_hook(lambda own, given: _note_magnitude(found, own, *given))]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        if self._sums:
            torch._foreach_add_(self._sums, list(found.values()))
        else:
            self._sums = list(found.values())
        self._rounds += 1

    def end_step(self, world: DistributedContext) -> None:
        """Adds the means over all rounds and processes."""
        if not self._sums:
            return
        sizes = [mean.numel() for mean in self._sums]
        flat = world.add_up(torch.cat([mean.flatten() for mean in self._sums])) / (self._rounds * world.size)
        w_mean, *magnitudes = torch.split(flat, sizes)
        _take_in(self._mapping.w_avg, w_mean, W_AVG_DECAY)
        for layer, magnitude in zip(self._layers, magnitudes, strict=True):
            _take_in(layer.magnitude_ema, magnitude[0], layer.decay)
        self._sums, self._rounds = [], 0


def _note_w(found: dict[nn.Module, Tensor], mapping: nn.Module, ws: Tensor) -> None:
    found.setdefault(mapping, ws.detach()[:, 0].mean(dim=0))


def _note_magnitude(found: dict[nn.Module, Tensor], layer: nn.Module, x: Tensor, _w: Tensor) -> None:
    found[layer] = x.detach().float().square().mean().reshape(1)


def _take_in(running: Tensor, mean: Tensor, decay: float) -> None:
    """Moves a running mean, unless the new one is no number."""
    running.copy_(torch.where(mean.isfinite().all(), mean.lerp(running, decay), running))


def update_ema(average: Generator, network: Generator, decay: float) -> None:
    """Moves parameters of `average` towards the network's, keeping a share `decay` of what was; copies running means.

    Other buffers, filters above all, never change, and what is kept of them stays valid.
    """
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
        torch._foreach_copy_(_running_means(average), _running_means(network))


def _running_means(network: Generator) -> list[Tensor]:
    layers = [module.magnitude_ema for module in network.modules() if isinstance(module, AliasFreeLayer)]
    return [network.mapping.w_avg, *layers]


def ema_decay(nimg: int, batch: int, half_life_kimg: float, rampup: float | None) -> float:
    """The share that stays in one step of `batch` images after `nimg` were seen: a half per half-life.

    The half-life is at most `rampup` times the images seen, so that early weights are soon forgotten.
    """
    half_life_img = half_life_kimg * 1000
    if rampup is not None:
        half_life_img = min(half_life_img, nimg * rampup)
    return 0.5 ** (batch / half_life_img) if half_life_img else 0.0
