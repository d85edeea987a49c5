"""Networks in `*.safetensors` files, written atomically and read without executing anything.

A generator is stored with a model card, a discriminator with its config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from crowdgan_core.errors import CheckpointError, ConfigError, DatasetError
from crowdgan_core.io import codec
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card
from crowdgan_stylegan3.backend_name import BACKEND_NAME
from crowdgan_stylegan3.config import DiscriminatorConfig, GeneratorConfig
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.uninitialised import UninitialisedWeights

DISCRIMINATOR_KEY = "crowdgan-discriminator"
"""Key of the safetensors metadata that holds a discriminator's config as JSON."""


def save_safetensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dest: Path, *, overwrite: bool = False
) -> None:
    """Writes tensors and metadata to a safetensors file, atomically.

    Args:
        tensors: tensors by name, on any device.
        metadata: texts by key, for the header of the file.
        dest: output file.
        overwrite: whether to overwrite `dest` if it exists.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(dest, overwrite=overwrite) as partial, wrap_os_errors(dest):
        partial.touch()
        mode = partial.stat().st_mode
        try:
            safetensors.torch.save_file(on_cpu, partial, dict(metadata))
            partial.chmod(mode)  # save_file replaces the file by one that only its owner may read
        except safetensors.SafetensorError as error:  # for example a full disk
            raise DatasetError(f"{dest}: cannot be written ({error})") from error


def generator_card(config: GeneratorConfig, classes: Sequence[str], provenance: Mapping[str, Any]) -> ModelCard:
    """The model card of a generator that is unconditional or conditioned on classes, with or without class names."""
    return ModelCard(
        backend=BACKEND_NAME,
        resolution=(config.resolution, config.resolution),
        settings=codec.to_json(config),
        label_dim=config.label_dim,
        label_kind="class" if config.label_dim else None,
        classes=tuple(classes),
        provenance=provenance,
    )


def save_network(generator: Generator, card: ModelCard, dest: Path | str, *, overwrite: bool = False) -> None:
    """Writes a generator and its model card to a model file.

    Raises:
        CheckpointError: the card describes another generator.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    _check_card(card, generator.config)
    if _config_in(card) != generator.config:
        raise CheckpointError("the model card and the generator have different settings")
    metadata = {CARD_KEY: json.dumps(card.to_json())}
    save_safetensors(generator.state_dict(), metadata, Path(dest), overwrite=overwrite)


def save_discriminator(discriminator: Discriminator, dest: Path | str, *, overwrite: bool = False) -> None:
    """Writes a discriminator and its config to a file.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    metadata = {DISCRIMINATOR_KEY: json.dumps(codec.to_json(discriminator.config))}
    save_safetensors(discriminator.state_dict(), metadata, Path(dest), overwrite=overwrite)


def load_network(path: Path | str) -> tuple[Generator, ModelCard]:
    """The generator in a model file, on the CPU and in evaluation mode, and its model card.

    Raises:
        CheckpointError: the file is not a model of this backend, or is damaged; the message names the file.
    """
    path = Path(path)
    card = read_card(path)
    if card.backend != BACKEND_NAME:
        raise CheckpointError(f"{path}: a model of the backend {card.backend}; it must be of {BACKEND_NAME}")
    try:
        config = _config_in(card)
        with UninitialisedWeights():
            generator = Generator(config)
        _check_card(card, config)
        generator.load_state_dict(validate_state_dict(generator, _load_tensors(path)), assign=True)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return generator.eval().requires_grad_(False), card


def load_discriminator(path: Path | str) -> Discriminator:
    """The discriminator in a file of `save_discriminator`, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: the file is not a discriminator, or is damaged; the message names the file.
    """
    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(DISCRIMINATOR_KEY)
        if text is None:
            raise CheckpointError("a safetensors file, but not a crowdgan discriminator")
        config = codec.from_json(DiscriminatorConfig, json.loads(text), "settings", CheckpointError)
        with UninitialisedWeights():
            discriminator = Discriminator(config)
        discriminator.load_state_dict(validate_state_dict(discriminator, _load_tensors(path)), assign=True)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return discriminator.eval().requires_grad_(False)


def _config_in(card: ModelCard) -> GeneratorConfig:
    """The generator config in a model card.

    Raises:
        CheckpointError: it is not valid.
    """
    return codec.from_json(GeneratorConfig, card.settings, "settings", CheckpointError)


def _check_card(card: ModelCard, config: GeneratorConfig) -> None:
    if card.resolution != (config.resolution, config.resolution) or card.label_dim != config.label_dim:
        raise CheckpointError("the model card and its settings have different resolutions or label_dim")


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"the weights cannot be read ({error})") from error
