"""Networks out of a checkpoint of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.io.safetensors_files import save_discriminator, save_network
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.training.checkpoints.training_state import NETWORKS, read_checkpoint
from crowdgan_stylegan3.training.run_folder import RunFolder


def export(path: Path, which: str, dest: Path, *, overwrite: bool = False) -> None:
    """Writes one network of a checkpoint into a file of its own.

    Args:
        path: the checkpoint, or a run folder that holds one.
        which: `G_ema`, `G` or `D`.
        dest: the file.
        overwrite: whether it may be replaced.

    Raises:
        CheckpointError: no checkpoint, a damaged one, or no such network in it.
        DatasetError: `dest` exists and is not to be replaced, or cannot be written.
    """
    checkpoint = read_checkpoint(RunFolder(path).checkpoint if path.is_dir() else path)
    if which not in NETWORKS:
        raise CheckpointError(f"{path}: it has no network {which}; it has {', '.join(NETWORKS)}")
    with torch.device("meta"):
        settings = checkpoint.settings
        network = Discriminator(settings.discriminator) if which == "D" else Generator(settings.generator)
    try:
        network.load_state_dict(validate_state_dict(network, checkpoint.weights(which)), assign=True)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    if isinstance(network, Discriminator):
        save_discriminator(network, dest, overwrite=overwrite)
        return
    provenance = {**checkpoint.card.provenance, "network": which}
    save_network(network, replace(checkpoint.card, provenance=provenance), dest, overwrite=overwrite)
