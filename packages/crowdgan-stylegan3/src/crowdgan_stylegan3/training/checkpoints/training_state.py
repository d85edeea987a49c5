"""Checkpoints: the complete state of training in one safetensors file, without pickles.

A checkpoint holds no random state: every draw depends only on the seed and the number of images shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.io.safetensors_files import save_safetensors
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.trainer import Trainer

CHECKPOINT_VERSION = 1
"""Version of the checkpoint format; other versions are rejected."""

CHECKPOINT_KEY = "crowdgan-training"
"""Key of the safetensors metadata that holds the record as JSON."""

NETWORK_ATTRIBUTES = {"G": "generator", "D": "discriminator", "G_ema": "generator_ema"}
"""Network names in a checkpoint, and the corresponding attributes of a trainer."""

ADAM_STATE_KEYS = ("step", "exp_avg", "exp_avg_sq")
"""Adam's state of one parameter, by torch's names."""

PATH_LENGTH_KEY = "path_length_mean"
"""Name of the tensor with the running mean of path lengths."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Checkpoint:
    """The record of a checkpoint; tensors are read from the file on demand."""

    path: Path
    """The checkpoint file."""
    config: TrainingConfig
    """Config of the run."""
    card: ModelCard
    """Card of the EMA generator."""
    progress: Mapping[str, Any]
    """Images shown, training steps, state of the augmentation probability."""
    clock: Mapping[str, float]
    """State of the tick clock."""

    def __repr__(self) -> str:
        """One line: file and progress."""
        return f"Checkpoint({str(self.path)!r}, {self.nimg / 1000:g} kimg)"

    @property
    def nimg(self) -> int:
        """Real images shown."""
        return int(self.progress["nimg"])

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Tensors whose names start with `prefix`, on the CPU, by their names without it.

        Raises:
            CheckpointError: the file cannot be read.
        """
        with _open_checkpoint(self.path) as file:
            return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118

    def weights(self, name: str) -> dict[str, Tensor]:
        """Parameters and buffers of a network of `NETWORK_ATTRIBUTES`.

        Raises:
            CheckpointError: the file cannot be read.
        """
        return self.tensors(f"{name}/")


def save_checkpoint(dest: Path, trainer: Trainer, card: ModelCard, clock: Mapping[str, float]) -> None:
    """Writes the state of a trainer atomically, overwriting an existing checkpoint.

    Args:
        dest: the checkpoint file.
        trainer: the trainer.
        card: card of the EMA generator.
        clock: state of the tick clock.

    Raises:
        DatasetError: the file cannot be written.
    """
    record = {
        "format": CHECKPOINT_VERSION,
        "settings": trainer.config.to_json(),
        "card": card.to_json(),
        "progress": {"nimg": trainer.nimg, "steps": trainer.step_count, "augment": trainer.ada.state()},
        "clock": dict(clock),
    }
    save_safetensors(dict(_state_tensors(trainer)), {CHECKPOINT_KEY: json.dumps(record)}, dest, overwrite=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads the record of a checkpoint.

    Raises:
        CheckpointError: the file is not a checkpoint, is damaged, or has another format version.
    """
    with _open_checkpoint(path) as file:
        text = (file.metadata() or {}).get(CHECKPOINT_KEY)
    if text is None:
        raise CheckpointError(f"{path}: a safetensors file, but not a training checkpoint")
    try:
        record = json.loads(text)
        version = record["format"]
        if version != CHECKPOINT_VERSION:
            raise CheckpointError(f"format is {version!r}; this version reads format {CHECKPOINT_VERSION}")
        return Checkpoint(
            path=path,
            config=TrainingConfig.from_json(record["settings"]),
            card=ModelCard.from_json(record["card"]),
            progress=record["progress"],
            clock=record["clock"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: invalid checkpoint record ({error})") from error


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a training checkpoint, according to its header."""
    try:
        with _open_checkpoint(path) as file:
            return CHECKPOINT_KEY in (file.metadata() or {})
    except CheckpointError:
        return False


@contextmanager
def _open_checkpoint(path: Path) -> Iterator[Any]:
    """An open safetensors file, from which tensors are read one by one.

    Raises:
        CheckpointError: the file cannot be read, is not a safetensors file, or is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a training checkpoint, or damaged ({error})") from error


def restore_trainer(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Restores the state of a trainer from a checkpoint of the same run, which only the main rank reads.

    Raises:
        CheckpointError: the checkpoint is damaged, or its networks are different.
    """

    def tensors(prefix: str) -> dict[str, Tensor]:
        return trainer.context.tensors_of_main(lambda: checkpoint.tensors(prefix))

    progress = checkpoint.progress
    try:
        for name, attribute in NETWORK_ATTRIBUTES.items():
            _load_state(getattr(trainer, attribute), tensors(f"{name}/"))
        for name, network, optimizer in _optimizers(trainer):
            _load_adam_state(optimizer, network, tensors(f"{name}/"))
        trainer.path_length_mean = tensors(PATH_LENGTH_KEY)[""].to(trainer.context.device)
        trainer.nimg, trainer.step_count = int(progress["nimg"]), int(progress["steps"])
        trainer.ada.restore(progress["augment"], trainer.context.device)
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


def _state_tensors(trainer: Trainer) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a checkpoint, with their names."""
    for name, attribute in NETWORK_ATTRIBUTES.items():
        for key, tensor in getattr(trainer, attribute).state_dict().items():
            yield f"{name}/{key}", tensor
    for name, network, optimizer in _optimizers(trainer):
        for key, parameter in network.named_parameters():
            for moment, tensor in optimizer.state.get(parameter, {}).items():
                yield f"{name}/{key}/{moment}", tensor
    yield PATH_LENGTH_KEY, trainer.path_length_mean


def _optimizers(trainer: Trainer) -> Iterator[tuple[str, nn.Module, torch.optim.Adam]]:
    """The optimizers with their names in the file and their networks."""
    yield "G_adam", trainer.generator, trainer.g_optimizer
    yield "D_adam", trainer.discriminator, trainer.d_optimizer


def _load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    network.load_state_dict(validate_state_dict(network, state))


def _load_adam_state(optimizer: torch.optim.Adam, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Loads Adam's state of all trained parameters for which the checkpoint has one."""
    optimizer.state.clear()
    trained = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    for key, parameter in network.named_parameters():
        names = {moment: f"{key}/{moment}" for moment in ADAM_STATE_KEYS}
        if parameter in trained and names["step"] in tensors:
            optimizer.state[parameter] = {moment: tensors[name].to(parameter.device) for moment, name in names.items()}
