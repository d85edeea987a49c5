"""One phase of a training step: a network, its optimiser, and how often it takes its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crowdgan_stylegan3.training.config.training_config import OptimizerConfig
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """The images that one process takes at once: a share of the step's batch."""

    number: int
    """Which share, from 0, over all rounds and processes."""
    real: Tensor
    """`[N, C, H, W]` in -1 to 1."""
    real_labels: Tensor
    """`[N, label_dim]`."""
    z: Tensor
    """Latents `[N, z_dim]` of the images to generate."""
    labels: Tensor
    """Their labels `[N, label_dim]`."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A network's turn: the gradients of its losses over all rounds, then one step of its optimiser."""

    name: str
    """For statistics: `Gmain`, `Greg`, `Dmain` or `Dreg`."""
    network: nn.Module
    optimiser: torch.optim.Adam
    interval: int
    """Every how many steps it takes its turn; what it costs is weighted by as much."""
    losses: Callable[[MicroBatch], Iterable[Tensor]]
    """The losses of one round, one after another: each is forgotten before the next is computed."""

    def take_turn(self, rounds: Iterable[MicroBatch], count: int, world: DistributedContext) -> Tensor:
        """Changes the network by the gradients of all rounds; returns whether they were not finite, as 0 or 1.

        Then nothing changes.

        Args:
            rounds: this process's.
            count: how many all processes have.
            world: the processes.
        """
        trained = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        self.optimiser.zero_grad(set_to_none=True)
        for parameter in trained:
            parameter.requires_grad_(True)
        for some in rounds:
            for loss in self.losses(some):
                torch.autograd.backward(loss * (self.interval * world.size / count))
        for parameter in trained:
            parameter.requires_grad_(False)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        world.average_gradients(gradients)
        overflow = _any_nonfinite(gradients)
        self.optimiser.found_inf = overflow  # type: ignore[attr-defined]  # fused Adam then leaves all as it is
        self.optimiser.step()
        return overflow


def _any_nonfinite(tensors: list[Tensor]) -> Tensor:
    """1 where a tensor holds something that is not finite, else 0, on their device."""
    norms = torch.stack(torch._foreach_norm(tensors, ord=float("inf")))
    return (~norms.isfinite().all()).float()


def lazy_adam(network: nn.Module, lr: float, settings: OptimizerConfig, interval: int | None) -> torch.optim.Adam:
    """Adam for what of a network is trained, adjusted for a regularisation that comes every `interval` steps.

    A regularised network takes interval + 1 steps where another takes interval, so that the learning rate and the
    betas' decay are lowered accordingly (Karras et al. 2020, appendix B).
    """
    share = 1.0 if interval is None else interval / (interval + 1)
    return torch.optim.Adam(
        [parameter for parameter in network.parameters() if parameter.requires_grad],
        lr=lr * share,
        betas=(settings.betas[0] ** share, settings.betas[1] ** share),
        eps=settings.epsilon,
        fused=True,
    )
