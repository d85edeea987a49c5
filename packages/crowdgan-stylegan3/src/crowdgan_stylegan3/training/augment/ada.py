"""Adaptive discriminator augmentation: how likely augmentations are, so that D does not learn images by heart.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020, section 3.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from crowdgan_stylegan3.training.config.training_config import AdaConfig
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext

IMAGES_PER_KIMG = 1000


class AdaptiveProbability:
    """The probability p, moved at intervals by a fixed step towards where D's mean sign on real images is the target.

    The signs of an interval count at the end of the next one, when they have long arrived from the GPU, so that nothing
    waits for them. p stays in [0, 1].
    """

    def __init__(self, settings: AdaConfig, batch: int) -> None:
        self.p = settings.p
        self._settings = settings
        self._step = batch * settings.interval / (settings.ramp_kimg * IMAGES_PER_KIMG)
        self._seen: Tensor | None = None
        self._sums: Tensor | None = None
        self._arriving: tuple[Tensor, torch.cuda.Event | None] | None = None

    def observe(self, real_logits: Tensor) -> None:
        """Takes in D's logits of real images, of any shape; what is no number has the sign 0."""
        signs = real_logits.detach().sign()
        sums = torch.stack([torch.ones_like(signs).sum(), signs.sum()])
        self._seen = sums if self._seen is None else self._seen + sums

    def end_step(self, step: int, world: DistributedContext) -> None:
        """Takes in what all processes observed, and moves p at the end of an interval; `step` counts from 0."""
        if self._settings.mode != "ada" or self._seen is None:
            return
        seen, self._seen = world.add_up(self._seen), None
        self._sums = seen if self._sums is None else self._sums + seen
        if (step + 1) % self._settings.interval == 0:
            self._move()
            self._arriving, self._sums = _on_its_way(self._sums), None

    def state(self) -> dict[str, Any]:
        """What a run that goes on needs, at the end of any step; JSON-ready."""
        return {
            "p": self.p,
            "sums": None if self._sums is None else self._sums.tolist(),
            "arriving": None if self._arriving is None else _arrived(*self._arriving),
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Takes up a state; a fixed p stays that of the settings."""
        if self._settings.mode == "ada":
            self.p = state["p"]
        self._sums = None if state["sums"] is None else torch.tensor(state["sums"], device=device)
        self._arriving = None if state["arriving"] is None else (torch.tensor(state["arriving"]), None)

    def _move(self) -> None:
        if self._arriving is None:
            return
        count, total = _arrived(*self._arriving)
        excess = total / count - self._settings.target
        if excess:
            self.p = min(max(self.p + math.copysign(self._step, excess), 0.0), 1.0)


def _on_its_way(sums: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """A copy on the CPU that nothing waits for, and what tells that it has arrived."""
    if sums.device.type != "cuda":
        return sums, None
    copy = torch.empty(sums.shape, pin_memory=True).copy_(sums, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return copy, event


def _arrived(copy: Tensor, event: torch.cuda.Event | None) -> list[float]:
    if event is not None:
        event.synchronize()
    numbers: list[float] = copy.tolist()
    return numbers
