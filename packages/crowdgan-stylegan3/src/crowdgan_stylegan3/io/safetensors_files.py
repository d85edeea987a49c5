"""Networks in `*.safetensors` files, written atomically and read without executing anything.

A generator is stored with a model card, a discriminator with its config, alone or in the file of its generator. Weights
may be stored as float16; they are float32 after loading.
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

from crowdgan_core.errors import CheckpointError, ConfigError, DatasetError
from crowdgan_core.io import codec
from crowdgan_core.io.atomic import atomic_path, wrap_os_errors
from crowdgan_core.models.card import CARD_KEY, ModelCard, read_card
from crowdgan_core.models.file_kind import explain_file
from crowdgan_stylegan3.backend_name import BACKEND_NAME
from crowdgan_stylegan3.config import DiscriminatorConfig, GeneratorConfig
from crowdgan_stylegan3.io.official_weights import validate_state_dict
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.uninitialised import UninitialisedWeights

DISCRIMINATOR_KEY = "crowdgan-discriminator"
"""Key of the safetensors metadata that holds a discriminator's config as JSON."""

DISCRIMINATOR_PREFIX = "discriminator/"
"""Prefix of the names of a discriminator's tensors in a model file."""


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


def save_network(
    generator: Generator,
    card: ModelCard,
    dest: Path | str,
    *,
    discriminator: Discriminator | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes a generator and its model card to a model file.

    Args:
        generator: the generator.
        card: its model card.
        dest: output file.
        discriminator: stored in the same file, from which training can be initialised; None for none.
        half: whether parameters are stored as float16; those beyond its range, and buffers, remain float32.
        overwrite: whether to overwrite `dest` if it exists.

    Raises:
        CheckpointError: the card describes another generator.
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    _check_card(card, generator.config)
    if config_in(card) != generator.config:
        raise CheckpointError("the model card and the generator have different settings")
    metadata = {CARD_KEY: json.dumps(card.to_json())}
    tensors = _stored_tensors(generator, half=half)
    if discriminator is not None:
        metadata |= _discriminator_metadata(discriminator)
        stored = _stored_tensors(discriminator, half=half)
        tensors |= {f"{DISCRIMINATOR_PREFIX}{name}": tensor for name, tensor in stored.items()}
    save_safetensors(tensors, metadata, Path(dest), overwrite=overwrite)


def save_discriminator(
    discriminator: Discriminator, dest: Path | str, *, half: bool = False, overwrite: bool = False
) -> None:
    """Writes a discriminator and its config to a file; `half` and `overwrite` as in `save_network`.

    Raises:
        DatasetError: `dest` exists and `overwrite` is False, or it cannot be written.
    """
    tensors = _stored_tensors(discriminator, half=half)
    save_safetensors(tensors, _discriminator_metadata(discriminator), Path(dest), overwrite=overwrite)


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
        config = config_in(card)
        with UninitialisedWeights():
            generator = Generator(config)
        _check_card(card, config)
        generator.load_state_dict(validate_state_dict(generator, _load_tensors(path)), assign=True)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return generator.eval().requires_grad_(False), card


def load_discriminator(path: Path | str) -> Discriminator:
    """The discriminator in a model file or a file of `save_discriminator`, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: the file has no discriminator, or is damaged; the message names the file.
    """
    path = Path(path)
    metadata = _read_metadata(path)
    if DISCRIMINATOR_KEY not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but not a crowdgan discriminator")
    try:
        settings = json.loads(metadata[DISCRIMINATOR_KEY])
        config = codec.from_json(DiscriminatorConfig, settings, "settings", CheckpointError)
        with UninitialisedWeights():
            discriminator = Discriminator(config)
        tensors = _load_tensors(path, DISCRIMINATOR_PREFIX if CARD_KEY in metadata else "")
        discriminator.load_state_dict(validate_state_dict(discriminator, tensors), assign=True)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged discriminator: {error}") from error
    return discriminator.eval().requires_grad_(False)


def has_discriminator(path: Path) -> bool:
    """Whether a safetensors file has a discriminator, according to its header.

    Raises:
        CheckpointError: the file cannot be read, or is damaged.
    """
    return DISCRIMINATOR_KEY in _read_metadata(path)


def _read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file.

    Raises:
        CheckpointError: the file cannot be read, or is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: {explain_file(path) or error}") from error


def _discriminator_metadata(discriminator: Discriminator) -> dict[str, str]:
    return {DISCRIMINATOR_KEY: json.dumps(codec.to_json(discriminator.config))}


def _stored_tensors(network: nn.Module, *, half: bool) -> dict[str, Tensor]:
    """The state of a network; with `half`, parameters as float16 where its range allows it."""
    state = network.state_dict()
    return state | {name: _to_half(state[name]) for name, _ in network.named_parameters() if half}


def _to_half(tensor: Tensor) -> Tensor:
    """A tensor as float16, unchanged if it has values beyond the range of float16."""
    half = tensor.half()
    return half if bool(torch.isfinite(half).all()) else tensor


def config_in(card: ModelCard) -> GeneratorConfig:
    """The generator config in a model card.

    Raises:
        CheckpointError: it is not valid.
    """
    return codec.from_json(GeneratorConfig, card.settings, "settings", CheckpointError)


def _check_card(card: ModelCard, config: GeneratorConfig) -> None:
    if card.resolution != (config.resolution, config.resolution) or card.label_dim != config.label_dim:
        raise CheckpointError("the model card and its settings have different resolutions or label_dim")


def _load_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors with a prefix by their names without it, or those of the main network; float16 becomes float32.

    Raises:
        CheckpointError: the file cannot be read, or is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(DISCRIMINATOR_PREFIX) == bool(prefix)]  # noqa: SIM118
            tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"the weights cannot be read ({error})") from error
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}
