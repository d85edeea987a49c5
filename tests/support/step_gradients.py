"""Saves the gradients of one training step per variant: run alone, or as one of the processes that torchrun starts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext, init_distributed
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASS_LABELS, SIDE_PX, small_config

BATCH = 8

VARIANTS: tuple[Variant, ...] = ("stylegan3-t", "stylegan3-r")

TINY_LR = 1e-12
"""A learning rate at which a step does not change the weights."""


def save_gradients(dest: Path, variant: Variant, context: DistributedContext) -> None:
    """Runs one step on this rank's part of a batch; the main rank writes the gradients."""
    config = small_config(variant=variant, batch=BATCH, augment="noaug", group_size=4, r1_gamma=1.0)
    config = replace(config, optimizer=replace(config.optimizer, generator_lr=TINY_LR, discriminator_lr=TINY_LR))
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (BATCH, 3, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=random)
    labels = torch.eye(3)[torch.randint(3, (BATCH,), generator=random)]
    trainer = Trainer(
        config,
        Networks.random(config),
        context,
        batch_gpu=BATCH // context.world_size,
        labels=CLASS_LABELS,
    )
    trainer.step((images[context.rank :: context.world_size], labels[context.rank :: context.world_size]))
    if context.is_main:
        save_file(gradients_and_buffers(trainer), dest)


def gradients_and_buffers(trainer: Trainer) -> dict[str, Tensor]:
    """Gradients of both networks from their last updates, and buffers of the generator, by name."""
    tensors = {f"buffer/{name}": tensor.clone() for name, tensor in trainer.generator.named_buffers()}
    for network in (trainer.generator, trainer.discriminator):
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                tensors[f"{type(network).__name__}/{name}"] = parameter.grad.clone()
    return tensors


def main(folder: Path) -> None:
    """Writes the gradients of each variant to `folder`."""
    with init_distributed("cpu") as context:
        for variant in VARIANTS:
            save_gradients(folder / variant, variant, context)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
