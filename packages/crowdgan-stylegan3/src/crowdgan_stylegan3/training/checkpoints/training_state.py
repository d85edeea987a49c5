"""The whole state of training in one file, without pickles: what a run that goes on needs, and no more.

Random states are not among it: what is drawn depends on the seed and on how many images were seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError, DatasetError
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.trainer import Trainer

CHECKPOINT_VERSION = 1
"""Version of the file's form; readers refuse newer ones."""

CHECKPOINT_KEY = "crowdgan-training"
"""Key of the header's metadata that holds the record as JSON."""

NETWORKS = {"G": "generator", "D": "discriminator", "G_ema": "generator_ema"}
"""The networks in a checkpoint, and the attributes of a learner that they are."""

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""Adam's state of a parameter."""

PATH_LENGTH = "path_length_mean"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says of itself; its tensors stay in the file until they are asked for."""

    path: Path
    settings: TrainingConfig
    card: ModelCard
    """Card of its averaged generator."""
    progress: Mapping[str, Any]
    """Images seen, steps, augmentation."""
    clock: Mapping[str, float]
    """Numbers of the loop."""

    @property
    def nimg(self) -> int:
        """Images seen."""
        return int(self.progress["nimg"])

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start so, on the CPU, without that start.

        Raises:
            CheckpointError: the file cannot be read.
        """
        with _opened(self.path) as file:
            return {name.removeprefix(prefix): file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118

    def weights(self, name: str) -> dict[str, Tensor]:
        """The parameters and buffers of a network of `NETWORKS`."""
        return self.tensors(f"{name}/")


def save_checkpoint(dest: Path, learner: Trainer, card: ModelCard, clock: Mapping[str, float]) -> None:
    """Writes the state of a learner, whole or not at all; replaces what is there.

    Args:
        dest: the file.
        learner: the learner.
        card: of its averaged generator.
        clock: numbers that the loop wants back.

    Raises:
        DatasetError: it cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(learner)}
    record = {
        "format": CHECKPOINT_VERSION,
        "settings": learner.settings.to_json(),
        "card": card.to_json(),
        "progress": {"nimg": learner.nimg, "steps": learner.step_count, "augment": learner.ada.state()},
        "clock": dict(clock),
    }
    with atomic_path(dest, overwrite=True) as partial, wrap_os_errors(dest):
        try:
            safetensors.torch.save_file(tensors, partial, {CHECKPOINT_KEY: json.dumps(record)})
        except safetensors.SafetensorError as error:  # a full disk among others
            raise DatasetError(f"{dest}: cannot be written ({error})") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        CheckpointError: no checkpoint, a damaged one, or one of a newer version.
    """
    with _opened(path) as file:
        text = (file.metadata() or {}).get(CHECKPOINT_KEY)
    if text is None:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of training")
    try:
        record = json.loads(text)
        version = record["format"]
        if version != CHECKPOINT_VERSION:
            raise CheckpointError(f"format {version!r}; this version of crowdgan reads {CHECKPOINT_VERSION}")
        return Checkpoint(
            path=path,
            settings=TrainingConfig.from_json(record["settings"]),
            card=ModelCard.from_json(record["card"]),
            progress=record["progress"],
            clock=record["clock"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: its record cannot be read ({error})") from error


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint of training, judged by its header."""
    try:
        with _opened(path) as file:
            return CHECKPOINT_KEY in (file.metadata() or {})
    except CheckpointError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, to read tensors one by one.

    Raises:
        CheckpointError: it is no safetensors file, or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: no checkpoint of training, or a damaged one ({error})") from error


def restore_trainer(learner: Trainer, checkpoint: Checkpoint) -> None:
    """Puts a learner into the state of a checkpoint of its run.

    Raises:
        CheckpointError: the checkpoint is of other networks, or damaged.
    """
    progress = checkpoint.progress
    try:
        for name, attribute in NETWORKS.items():
            _load(getattr(learner, attribute), checkpoint.weights(name))
        for name, network, optimiser in _optimisers(learner):
            _restore_moments(optimiser, network, checkpoint.tensors(f"{name}/"))
        learner.path_length_mean = checkpoint.tensors(PATH_LENGTH)[""].to(learner.world.device)
        learner.nimg, learner.step_count = int(progress["nimg"]), int(progress["steps"])
        learner.ada.restore(progress["augment"], learner.world.device)
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


def _tensors(learner: Trainer) -> Iterator[tuple[str, Tensor]]:
    for name, attribute in NETWORKS.items():
        for key, tensor in getattr(learner, attribute).state_dict().items():
            yield f"{name}/{key}", tensor
    for name, network, optimiser in _optimisers(learner):
        for key, parameter in network.named_parameters():
            for moment, tensor in optimiser.state.get(parameter, {}).items():
                yield f"{name}/{key}/{moment}", tensor
    yield PATH_LENGTH, learner.path_length_mean


def _optimisers(learner: Trainer) -> Iterator[tuple[str, nn.Module, torch.optim.Adam]]:
    """Each optimiser once, with its name in the file; two phases may share one."""
    seen = set()
    for phase in learner.phases:
        name = "G_adam" if phase.network is learner.generator else "D_adam"
        if name not in seen:
            seen.add(name)
            yield name, phase.network, phase.optimiser


def _load(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    network.load_state_dict(validate_state_dict(network, state))


def _restore_moments(optimiser: torch.optim.Adam, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    optimiser.state.clear()
    trained = {parameter for group in optimiser.param_groups for parameter in group["params"]}
    for key, parameter in network.named_parameters():
        names = {moment: f"{key}/{moment}" for moment in MOMENTS}
        if parameter in trained and names["step"] in tensors:
            optimiser.state[parameter] = {moment: tensors[name].to(parameter.device) for moment, name in names.items()}
