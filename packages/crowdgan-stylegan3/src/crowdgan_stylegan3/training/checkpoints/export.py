"""Export of networks from a checkpoint, or from another model, to a model file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from torch import nn

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.io.safetensors_files import (
    has_discriminator,
    load_discriminator,
    load_network,
    save_discriminator,
    save_network,
)
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.uninitialised import UninitialisedWeights
from crowdgan_stylegan3.training.checkpoints.training_state import (
    NETWORK_ATTRIBUTES,
    Checkpoint,
    is_checkpoint,
    read_checkpoint,
)
from crowdgan_stylegan3.training.reporting.model_card import with_results

NetworkName = Literal["G_ema", "G", "D"]
"""Networks of a checkpoint: EMA generator, raw generator, discriminator."""

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def export_network(
    run: RunFolder | Path | str,
    dest: Path | str,
    *,
    which: NetworkName = "G_ema",
    half: bool = False,
    with_discriminator: bool = False,
    overwrite: bool = False,
) -> None:
    """Exports one network: a generator as a model, a discriminator with its config.

    The model card receives the metrics of the run at this length of training, if there are any, and its duration.

    Args:
        run: a run folder with a checkpoint, a checkpoint file, or a model file.
        dest: output file.
        which: EMA generator (`G_ema`), raw generator (`G`) or discriminator (`D`). A model has one generator.
        half: whether parameters are stored as float16, in half the space; they are float32 after loading.
        with_discriminator: whether the discriminator is stored in the model file, for `--resume`.
        overwrite: whether to overwrite `dest` if it exists.

    Raises:
        CheckpointError: `run` has no checkpoint, is not a model either, is damaged, or has no such network.
        ConfigError: `with_discriminator` with the network `D`.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    dest, path = Path(dest), run.path if isinstance(run, RunFolder) else Path(run)
    if which == "D" and with_discriminator:
        raise ConfigError("--with-discriminator adds the discriminator to a generator; --which D exports it alone")
    check_overwrite(dest, overwrite=overwrite)
    if which not in NETWORK_ATTRIBUTES:
        raise CheckpointError(f"{path}: no network {which}; choose from {', '.join(NETWORK_ATTRIBUTES)}")
    path = RunFolder(path).checkpoint_path if path.is_dir() else path
    checkpoint = read_checkpoint(path) if is_checkpoint(path) else None
    if which == "D":
        save_discriminator(_discriminator(path, checkpoint), dest, half=half, overwrite=overwrite)
        return
    generator, card = _generator(path, checkpoint, which)
    discriminator = _discriminator(path, checkpoint) if with_discriminator else None
    save_network(generator, card, dest, discriminator=discriminator, half=half, overwrite=overwrite)


def _generator(path: Path, checkpoint: Checkpoint | None, which: Literal["G_ema", "G"]) -> tuple[Generator, ModelCard]:
    """A generator of a checkpoint, or that of a model, and its card."""
    if checkpoint is None:
        generator, card = load_network(path)
        if which == "G":
            raise CheckpointError(f"{path}: a model, which has one generator; --which G needs a checkpoint")
        return generator, with_results(card, path)
    with UninitialisedWeights():
        network = Generator(checkpoint.config.generator)
    provenance = {**checkpoint.card.provenance, "network": which}
    card = with_results(replace(checkpoint.card, provenance=provenance), path, seconds=checkpoint.clock.get("seconds"))
    return _load(network, checkpoint, which), card


def _discriminator(path: Path, checkpoint: Checkpoint | None) -> Discriminator:
    """The discriminator of a checkpoint or model."""
    if checkpoint is None:
        if not has_discriminator(path):
            raise CheckpointError(f"{path}: it has no discriminator; export the checkpoint of the run")
        return load_discriminator(path)
    with UninitialisedWeights():
        network = Discriminator(checkpoint.config.discriminator)
    return _load(network, checkpoint, "D")


def _load(network: AnyNetwork, checkpoint: Checkpoint, name: NetworkName) -> AnyNetwork:
    """The network with its weights in a checkpoint."""
    try:
        network.load_state_dict(validate_state_dict(network, checkpoint.weights(name)), assign=True)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error
    return network
