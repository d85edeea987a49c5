"""Export of one network from a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from crowdgan_core.errors import CheckpointError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.io.safetensors_files import save_discriminator, save_network
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.uninitialised import UninitialisedWeights
from crowdgan_stylegan3.training.checkpoints.training_state import NETWORK_ATTRIBUTES, read_checkpoint

NetworkName = Literal["G_ema", "G", "D"]
"""Networks of a checkpoint: EMA generator, raw generator, discriminator."""


def export_network(
    run: RunFolder | Path | str, dest: Path | str, *, which: NetworkName = "G_ema", overwrite: bool = False
) -> None:
    """Exports one network from a training checkpoint: a generator as a model, a discriminator with its config.

    Args:
        run: a run folder with a checkpoint, or a checkpoint file.
        dest: output file.
        which: EMA generator (`G_ema`), raw generator (`G`) or discriminator (`D`).
        overwrite: whether to overwrite `dest` if it exists.

    Raises:
        CheckpointError: `run` has no checkpoint, or one that is damaged or has no such network.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    dest, path = Path(dest), run.path if isinstance(run, RunFolder) else Path(run)
    check_overwrite(dest, overwrite=overwrite)
    checkpoint = read_checkpoint(RunFolder(path).checkpoint_path if path.is_dir() else path)
    if which not in NETWORK_ATTRIBUTES:
        raise CheckpointError(f"{path}: no network {which}; choose from {', '.join(NETWORK_ATTRIBUTES)}")
    with UninitialisedWeights():
        config = checkpoint.config
        network = Discriminator(config.discriminator) if which == "D" else Generator(config.generator)
    try:
        network.load_state_dict(validate_state_dict(network, checkpoint.weights(which)), assign=True)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    if isinstance(network, Discriminator):
        save_discriminator(network, dest, overwrite=overwrite)
        return
    provenance = {**checkpoint.card.provenance, "network": which}
    save_network(network, replace(checkpoint.card, provenance=provenance), dest, overwrite=overwrite)
