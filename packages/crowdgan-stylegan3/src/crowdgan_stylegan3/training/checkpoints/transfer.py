"""Initialisation from a trained model: every tensor of matching shape is copied, and the others are reported.

If the model is unconditional and the new network is not, the label columns of the first mapping layer start at zero:
for every label, the first images are those of the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crowdgan_core.models.card import MODEL_SUFFIX, read_card
from crowdgan_core.models.pretrained import find_model
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.formatting import join_limited
from crowdgan_stylegan3.config import GeneratorConfig, StyleGan3Config, Variant
from crowdgan_stylegan3.io.pickle_reader import read_networks
from crowdgan_stylegan3.io.safetensors_files import (
    config_in,
    has_discriminator,
    load_discriminator,
    load_network,
)
from crowdgan_stylegan3.training.checkpoints.training_state import is_checkpoint, read_checkpoint
from crowdgan_stylegan3.training.trainer import Networks

FIRST_MAPPING_WEIGHT = "mapping.fc0.weight"
"""Weight of the first mapping layer, whose input is the latent followed by the embedded label."""

SOURCE_NETWORKS = {"G": ("G", "G_ema"), "D": ("D",), "G_ema": ("G_ema", "G")}
"""For each network, the networks of a model file that can initialise it, in order of preference."""

MAX_LISTED_TENSORS = 10
"""Maximum number of tensors that are listed in a report."""

State = Mapping[str, Tensor]
"""Parameters and buffers by name."""


@dataclass(frozen=True, kw_only=True)
class TransferReport:
    """Result of the initialisation of one network."""

    network: str
    """Name of the network in `SOURCE_NETWORKS`."""
    num_copied: int
    """Number of copied tensors."""
    skipped: tuple[str, ...]
    """Names of tensors that keep their random values, each with the reason; empty if none was copied."""

    def describe(self) -> str:
        """The report in one line."""
        if not self.num_copied:
            return f"{self.network}: no tensors copied; randomly initialised"
        rest = f"; randomly initialised: {join_limited(self.skipped, MAX_LISTED_TENSORS)}" if self.skipped else ""
        return f"{self.network}: {self.num_copied} of {self.num_copied + len(self.skipped)} tensors copied{rest}"


def read_weights(path: Path) -> dict[str, State]:
    """Reads the networks of a model, a checkpoint or an official snapshot, by their names in `SOURCE_NETWORKS`.

    Args:
        path: the file, or the name of a pretrained model.

    Raises:
        CheckpointError: the file does not exist, is none of these, or is damaged.
    """
    path = find_model(path, installed_plugins())
    if path.suffix == MODEL_SUFFIX and is_checkpoint(path):
        checkpoint = read_checkpoint(path)
        return {name: checkpoint.weights(name) for name in SOURCE_NETWORKS}
    if path.suffix == MODEL_SUFFIX:
        networks = {"G_ema": load_network(path)[0].state_dict()}
        return networks | ({"D": load_discriminator(path).state_dict()} if has_discriminator(path) else {})
    return {
        name: {key: torch.from_numpy(array.copy()) for key, array in record.state.items()}
        for name, record in read_networks(path).items()
        if name in SOURCE_NETWORKS
    }


def read_generator_config(path: Path) -> GeneratorConfig | None:
    """The generator config of a model or checkpoint; None for an official snapshot.

    Args:
        path: the file, or the name of a pretrained model.

    Raises:
        CheckpointError: the file does not exist, is none of these, or is damaged.
    """
    path = find_model(path, installed_plugins())
    if path.suffix != MODEL_SUFFIX:
        return None
    return read_checkpoint(path).config.generator if is_checkpoint(path) else config_in(read_card(path))


def network_options(config: GeneratorConfig) -> dict[str, Any]:
    """Values of the fields of `TrainOptions` that define a generator with this config."""
    factor = 1
    variant: Variant = "stylegan2"
    if isinstance(config, StyleGan3Config):
        variant = "stylegan3-r" if config.use_radial_filters else "stylegan3-t"
        factor = 2 if variant == "stylegan3-r" else 1
    return {
        "variant": variant,
        "channel_base": config.channel_base // factor,
        "channel_max": config.channel_max // factor,
        "mapping_layers": config.mapping_layers,
        "latent_dim": config.z_dim,
    }


def transfer_weights(source: Mapping[str, State], networks: Networks) -> list[TransferReport]:
    """Copies all weights of matching shape into the networks; one report each for G, D and G_ema."""
    targets: dict[str, nn.Module] = {
        "G": networks.generator,
        "D": networks.discriminator,
        "G_ema": networks.generator_ema,
    }
    return [_transfer_network(name, network, _source_state(source, name)) for name, network in targets.items()]


def _source_state(source: Mapping[str, State], name: str) -> State:
    """State of the preferred source network; empty if there is none."""
    return next((source[candidate] for candidate in SOURCE_NETWORKS[name] if candidate in source), {})


def _transfer_network(name: str, network: nn.Module, state: State) -> TransferReport:
    num_copied, skipped = 0, []
    for key, target in network.state_dict().items():
        source = state.get(key)
        if source is None:
            skipped.append(f"{key} (not in the model)")
        elif source.shape == target.shape:
            target.copy_(source)
            num_copied += 1
        elif key == FIRST_MAPPING_WEIGHT and _adds_label_columns(source, target, state):
            _copy_latent_columns(target, source)
            num_copied += 1
        else:
            skipped.append(f"{key} (shape {list(target.shape)}, in the model {list(source.shape)})")
    return TransferReport(network=name, num_copied=num_copied, skipped=tuple(skipped) if num_copied else ())


def _adds_label_columns(source: Tensor, target: Tensor, state: State) -> bool:
    """Whether the target is conditional, the source is not, and their latents have the same dimension."""
    is_unconditional = "mapping.embed.weight" not in state
    return is_unconditional and len(source) == len(target) and source.shape[1] < target.shape[1]


def _copy_latent_columns(target: Tensor, source: Tensor) -> None:
    """Copies the latent columns in place and sets the label columns to zero.

    A layer divides its weights by the square root of its input dimension; the factor compensates for the larger one.
    """
    z_dim = source.shape[1]
    target.zero_()
    target[:, :z_dim] = source * math.sqrt(target.shape[1] / z_dim)
