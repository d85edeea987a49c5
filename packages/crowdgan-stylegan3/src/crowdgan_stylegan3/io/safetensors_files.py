"""Networks in `*.safetensors` files: written whole or not at all, read without running anything.

A generator is a model, with a card; a discriminator has its settings beside its weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.atomic import write_file
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card
from crowdgan_stylegan3.config import (
    BACKEND_NAME,
    DiscriminatorConfig,
    GeneratorConfig,
    from_json,
    generator_settings,
    to_json,
)
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator

DISCRIMINATOR_KEY = "crowdgan-discriminator"
"""Key under which the header's metadata holds a discriminator's settings, as JSON."""


def generator_card(settings: GeneratorConfig, classes: Sequence[str], provenance: Mapping[str, Any]) -> ModelCard:
    """The card of a generator whose labels are classes, with or without names, or that has none."""
    return ModelCard(
        backend=BACKEND_NAME,
        resolution=(settings.resolution, settings.resolution),
        settings=to_json(settings),
        label_dim=settings.label_dim,
        label_kind="class" if settings.label_dim else None,
        classes=tuple(classes),
        provenance=provenance,
    )


def save_network(generator: Generator, card: ModelCard, dest: Path, *, overwrite: bool = False) -> None:
    """Writes a generator and its card.

    Raises:
        CheckpointError: the card is not the generator's.
        DatasetError: `dest` exists and is not to be replaced, or cannot be written.
    """
    _check_card(card, generator.settings)
    if generator_settings(card.settings) != generator.settings:
        raise CheckpointError("the card and the generator differ in settings")
    _save(generator, {CARD_KEY: json.dumps(card.to_json())}, dest, overwrite=overwrite)


def save_discriminator(discriminator: Discriminator, dest: Path, *, overwrite: bool = False) -> None:
    """Writes a discriminator and its settings.

    Raises:
        DatasetError: `dest` exists and is not to be replaced, or cannot be written.
    """
    metadata = {DISCRIMINATOR_KEY: json.dumps(to_json(discriminator.settings))}
    _save(discriminator, metadata, dest, overwrite=overwrite)


def load_network(path: Path) -> tuple[Generator, ModelCard]:
    """The generator in a file, on the CPU and in evaluation mode, and its card.

    Raises:
        CheckpointError: no model of this backend, or a damaged one; the message names the file.
    """
    card = read_card(path)
    if card.backend != BACKEND_NAME:
        raise CheckpointError(f"{path}: a model of the backend {card.backend}; it must be one of {BACKEND_NAME}")
    try:
        settings = generator_settings(card.settings)
        with torch.device("meta"):  # no random weights are drawn only to be replaced
            generator = Generator(settings)
        _check_card(card, settings)
        generator.load_state_dict(validate_state_dict(generator, _arrays(path)), assign=True)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return generator.eval().requires_grad_(False), card


def load_discriminator(path: Path) -> Discriminator:
    """The discriminator in a file, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: no discriminator, or a damaged one; the message names the file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(DISCRIMINATOR_KEY)
        if text is None:
            raise CheckpointError("a safetensors file, but no discriminator of crowdgan")
        with torch.device("meta"):
            discriminator = Discriminator(from_json(DiscriminatorConfig, json.loads(text)))
        discriminator.load_state_dict(validate_state_dict(discriminator, _arrays(path)), assign=True)
    except (safetensors.SafetensorError, OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return discriminator.eval().requires_grad_(False)


def _save(network: nn.Module, metadata: dict[str, str], dest: Path, *, overwrite: bool) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_file(dest, safetensors.torch.save(state, metadata), overwrite=overwrite)


def _check_card(card: ModelCard, settings: GeneratorConfig) -> None:
    if card.resolution != (settings.resolution, settings.resolution) or card.label_dim != settings.label_dim:
        raise CheckpointError("the card and the settings differ in resolution or label_dim")


def _arrays(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"the weights cannot be read ({error})") from error
