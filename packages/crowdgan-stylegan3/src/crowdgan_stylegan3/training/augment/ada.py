"""Adaptive discriminator augmentation (ADA): adjusts the augmentation probability to prevent overfitting of D.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020, section 3.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from crowdgan_stylegan3.training.config.training_config import AdaConfig
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.runtime.transfers import HostCopy

IMAGES_PER_KIMG = 1000


class AdaptiveProbability:
    """Augmentation probability p, adjusted so that the mean sign of D on real images approaches a target.

    At the end of each interval p increases by a fixed step if the mean sign of the previous interval is above the
    target, decreases if it is below, and is clamped to [0, 1]. The delay of one interval avoids a wait for the GPU.
    """

    def __init__(self, config: AdaConfig, batch: int) -> None:
        self.p = config.p
        self._config = config
        self._step = batch * config.interval / (config.ramp_kimg * IMAGES_PER_KIMG)
        self._observed: Tensor | None = None
        self._sums: Tensor | None = None
        self._pending: HostCopy | None = None

    def observe(self, real_logits: Tensor) -> None:
        """Accumulates the signs of D's logits of real images, of any shape; NaN counts as sign 0."""
        signs = real_logits.detach().sign()
        sums = torch.stack([torch.ones_like(signs).sum(), signs.sum()])
        self._observed = sums if self._observed is None else self._observed + sums

    def update(self, step: int, context: DistributedContext) -> None:
        """Sums the observations over all ranks, and adjusts p at the end of an interval; `step` counts from 0."""
        if self._config.mode != "ada" or self._observed is None:
            return
        observed, self._observed = context.all_reduce_sum(self._observed), None
        self._sums = observed if self._sums is None else self._sums + observed
        if (step + 1) % self._config.interval == 0:
            self._adjust()
            self._pending, self._sums = HostCopy(self._sums), None

    def state(self) -> dict[str, Any]:
        """State at the end of a step, for checkpoints; JSON-ready."""
        return {
            "p": self.p,
            "sums": None if self._sums is None else self._sums.tolist(),
            "arriving": None if self._pending is None else self._pending.wait().tolist(),
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Restores a state; with fixed augmentation, p stays that of the config."""
        if self._config.mode == "ada":
            self.p = state["p"]
        self._sums = None if state["sums"] is None else torch.tensor(state["sums"], device=device)
        self._pending = None if state["arriving"] is None else HostCopy(torch.tensor(state["arriving"]))

    def _adjust(self) -> None:
        if self._pending is None:
            return
        count, total = self._pending.wait().tolist()
        excess = total / count - self._config.target
        if excess:
            self.p = min(max(self.p + math.copysign(self._step, excess), 0.0), 1.0)
