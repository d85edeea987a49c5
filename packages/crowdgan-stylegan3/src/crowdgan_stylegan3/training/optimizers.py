"""Adam for networks with lazy regularisation, and updates that are skipped if a gradient is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from crowdgan_stylegan3.training.config.training_config import OptimizerConfig


def lazy_adam(network: nn.Module, lr: float, config: OptimizerConfig, interval: int | None) -> torch.optim.Adam:
    """Adam for the trainable parameters of a network, adjusted for regularisation every `interval` training steps.

    A regularised network is updated interval + 1 times per interval steps, so the learning rate and the exponents of
    the betas are scaled by interval / (interval + 1) (Karras et al. 2020, appendix B).

    Args:
        network: parameters without `requires_grad` are frozen.
        lr: learning rate before the adjustment.
        config: further hyperparameters.
        interval: training steps between regularisations; None for no regularisation.
    """
    scale = 1.0 if interval is None else interval / (interval + 1)
    return torch.optim.Adam(
        [parameter for parameter in network.parameters() if parameter.requires_grad],
        lr=lr * scale,
        betas=(config.betas[0] ** scale, config.betas[1] ** scale),
        eps=config.epsilon,
        fused=True,
    )


def parameters_of(optimizer: torch.optim.Adam) -> list[nn.Parameter]:
    """The parameters that an optimizer updates."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@contextmanager
def trainable(optimizer: torch.optim.Adam) -> Iterator[None]:
    """Context in which only the optimizer's parameters require gradients, which start at None."""
    parameters = parameters_of(optimizer)
    optimizer.zero_grad(set_to_none=True)
    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)


def gradients_of(optimizer: torch.optim.Adam) -> list[Tensor]:
    """Gradients of the optimizer's parameters, without parameters that have none."""
    return [parameter.grad for parameter in parameters_of(optimizer) if parameter.grad is not None]


def step_if_finite(optimizer: torch.optim.Adam) -> Tensor:
    """Updates the parameters, unless a gradient is not finite; returns 1 for a skipped update, else 0, on the device.

    Fused Adam reads `found_inf` on the device, so the decision needs no synchronisation. It does not change the version
    counters of the parameters, by which values cached per weight are known to be outdated, so they are changed here.
    """
    skipped = _any_nonfinite(gradients_of(optimizer))
    optimizer.found_inf = skipped  # type: ignore[attr-defined]
    optimizer.step()
    for parameter in parameters_of(optimizer):
        torch.autograd.graph.increment_version(parameter)
    return skipped


def _any_nonfinite(tensors: list[Tensor]) -> Tensor:
    """1 if a tensor has a value that is not finite, else 0, on their device."""
    norms = torch.stack(torch._foreach_norm(tensors, ord=float("inf")))
    return (~norms.isfinite().all()).float()
