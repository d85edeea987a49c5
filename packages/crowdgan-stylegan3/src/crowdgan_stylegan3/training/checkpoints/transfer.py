"""Training that starts from a trained model: every layer that fits is taken, and what does not fit is told.

From a model without labels into one with labels, the label's part of the first mapping layer starts at zero, so that
the first images are those of the model, whatever the label.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import MODEL_SUFFIX
from crowdgan_stylegan3.io.pickle_reader import read_networks
from crowdgan_stylegan3.io.safetensors_files import load_network
from crowdgan_stylegan3.training.checkpoints.training_state import is_checkpoint, read_checkpoint
from crowdgan_stylegan3.training.trainer import Networks

FIRST_MAPPING = "mapping.fc0.weight"
"""The weights that take latents and labels."""

SOURCE_NETWORKS = {"G": ("G", "G_ema"), "D": ("D",), "G_ema": ("G_ema", "G")}
"""For each network, those of a source that may give its weights, the best first."""

State = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TransferReport:
    """What came of a transfer into one network."""

    network: str
    taken: int
    """Tensors that were taken."""
    left: tuple[str, ...]
    """Those that were not, each with the reason."""

    def describe(self) -> str:
        """In one line."""
        if not self.taken:
            return f"{self.network}: nothing was taken; it starts anew"
        rest = f"; starting anew: {', '.join(self.left)}" if self.left else ""
        return f"{self.network}: {self.taken} of {self.taken + len(self.left)} tensors were taken{rest}"


def read_weights(path: Path) -> dict[str, State]:
    """The networks in a model, a checkpoint of training, or an official snapshot, by their names in `SOURCE_NETWORKS`.

    Raises:
        CheckpointError: none of these, or a damaged one.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    if path.suffix == MODEL_SUFFIX and is_checkpoint(path):
        checkpoint = read_checkpoint(path)
        return {name: checkpoint.weights(name) for name in SOURCE_NETWORKS}
    if path.suffix == MODEL_SUFFIX:
        return {"G_ema": load_network(path)[0].state_dict()}
    networks = read_networks(path)
    return {
        name: {key: torch.from_numpy(array.copy()) for key, array in record.state.items()}
        for name, record in networks.items()
        if name in SOURCE_NETWORKS
    }


def transfer(source: Mapping[str, State], networks: Networks) -> list[TransferReport]:
    """Puts the weights of a source into networks, as far as they fit."""
    into: dict[str, nn.Module] = {
        "G": networks.generator,
        "D": networks.discriminator,
        "G_ema": networks.generator_ema,
    }
    return [_into(name, network, _best(source, name)) for name, network in into.items()]


def _best(source: Mapping[str, State], name: str) -> State:
    return next((source[other] for other in SOURCE_NETWORKS[name] if other in source), {})


def _into(name: str, network: nn.Module, state: State) -> TransferReport:
    taken, left = 0, []
    for key, own in network.state_dict().items():
        found = state.get(key)
        if found is None:
            left.append(f"{key} (not in the model)")
        elif found.shape == own.shape:
            own.copy_(found)
            taken += 1
        elif key == FIRST_MAPPING and _adds_labels(found, own, state):
            _widen(own, found)
            taken += 1
        else:
            left.append(f"{key} ({list(own.shape)}, in the model {list(found.shape)})")
    return TransferReport(network=name, taken=taken, left=tuple(left) if taken else ())


def _adds_labels(found: Tensor, own: Tensor, state: State) -> bool:
    """Whether the network has a label where the model has none, and else the same latents."""
    return "mapping.embed.weight" not in state and len(found) == len(own) and found.shape[1] < own.shape[1]


def _widen(own: Tensor, found: Tensor) -> None:
    """Takes the latent's part of the weights, at the scale that a wider layer divides by, and zeros for the label's."""
    z_dim = found.shape[1]
    own.zero_()
    own[:, :z_dim] = found * math.sqrt(own.shape[1] / z_dim)
