"""Saves the gradients of one step of training, as one of the processes that torchrun starts, or alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.runtime.distributed import init_distributed
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASS_LABELS, CLASSES, SIDE, small_settings

BATCH = 8


def main(dest: Path, variant: Variant) -> None:
    """Takes a step whose learning rate changes nothing, on this process's share of one batch."""
    settings = small_settings(variant=variant, batch=BATCH, augment="noaug", group_size=4, r1_gamma=1.0)
    settings = replace(settings, optimiser=replace(settings.optimiser, generator_lr=1e-12, discriminator_lr=1e-12))
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8, generator=random)
    labels = torch.eye(3)[torch.randint(3, (BATCH,), generator=random)]
    with init_distributed("cpu") as world:
        own = Trainer(
            settings,
            Networks.random(settings),
            world,
            batch_gpu=BATCH // world.size,
            labels=CLASS_LABELS.vectors,
            classes=CLASSES,
        )
        own.step((images[world.rank :: world.size], labels[world.rank :: world.size]))
        if world.is_first:
            save_file(gradients(own), dest)


def gradients(own: Trainer) -> dict[str, Tensor]:
    """The gradients that the last turns of both networks left, and the running means."""
    found = {f"buffer/{name}": tensor.clone() for name, tensor in own.generator.named_buffers()}
    for network in (own.generator, own.discriminator):
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                found[f"{type(network).__name__}/{name}"] = parameter.grad.clone()
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])  # type: ignore[arg-type]
