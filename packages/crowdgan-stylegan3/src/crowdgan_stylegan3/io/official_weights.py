"""Networks from published settings and weights: the constructor's settings and the arrays by their published names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_stylegan3.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    StyleGan2Config,
    StyleGan3Config,
    from_json,
)
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator

Arrays = Mapping[str, npt.NDArray[Any]]

SHARED_NAMES = {
    "c_dim": "label_dim",
    "img_resolution": "resolution",
    "img_channels": "image_channels",
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "num_fp16_res": "num_fp16_res",
    "conv_clamp": "conv_clamp",
}
"""Published names of settings, and ours."""

STYLEGAN3_NAMES = {
    name: name
    for name in (
        "conv_kernel",
        "use_radial_filters",
        "num_layers",
        "num_critical",
        "first_cutoff",
        "first_stopband",
        "last_stopband_rel",
        "margin_size",
        "filter_size",
        "lrelu_upsampling",
        "output_scale",
        "magnitude_ema_beta",
    )
}

FIXED: dict[str, Any] = {
    "cfg": None,
    "class_name": None,
    "architecture": {"skip", "resnet"},
    "resample_filter": {(1, 3, 3, 1)},
    "activation": {"lrelu"},
    "use_noise": {True},
    "w_avg_beta": {None, 0.998, 0.995},
    "embed_features": {None},
    "layer_features": {None},
    "lr_multiplier": {0.01},
    "mbstd_num_channels": {1},
    "fp16_channels_last": None,
    "force_float32": None,
    "fused_modconv_default": None,
}
"""Published settings that only have one value here: the values that mean the same, None for any."""

FIRST_FREQUENCIES, FIRST_CONSTANT = "synthesis.input.freqs", "synthesis.b4.const"
"""Arrays that tell the families of generators apart."""


def generator_from_official(config: Mapping[str, Any], state: Arrays) -> Generator:
    """A generator with published settings and weights, ready to use.

    Args:
        config: the constructor's settings under their published names; those that are nested (`mapping_kwargs`,
            `synthesis_kwargs`) too.
        state: arrays by their published names.

    Raises:
        CheckpointError: unknown settings, or arrays that are missing, unknown or of another shape.
    """
    with torch.device("meta"):  # no random weights are drawn only to be replaced
        generator = Generator(published_generator_settings(config, state))
    return load_state(generator, state)


def discriminator_from_official(config: Mapping[str, Any], state: Arrays) -> Discriminator:
    """A discriminator with published settings and weights, ready to use; as `generator_from_official`.

    Raises:
        CheckpointError: unknown settings, or arrays that are missing, unknown or of another shape.
    """
    with torch.device("meta"):
        discriminator = Discriminator(published_discriminator_settings(config))
    return load_state(discriminator, state)


def published_generator_settings(config: Mapping[str, Any], state: Arrays) -> GeneratorConfig:
    """The settings of a generator whose family its arrays tell.

    Raises:
        CheckpointError: unknown settings, or a family that is not known.
    """
    flat = _flattened(config, {"mapping_kwargs": "mapping_", "synthesis_kwargs": ""})
    names = {**SHARED_NAMES, "z_dim": "z_dim", "w_dim": "w_dim", "mapping_num_layers": "mapping_layers"}
    flat.setdefault("mapping_num_layers", _mapping_layers(state))  # classes have other defaults than ours
    if FIRST_FREQUENCIES in state:
        return _settings(StyleGan3Config, flat, {**names, **STYLEGAN3_NAMES})
    if FIRST_CONSTANT in state:
        return _settings(StyleGan2Config, flat, names)
    raise CheckpointError(
        f"the weights are of no generator that is known: they have neither {FIRST_FREQUENCIES} nor {FIRST_CONSTANT}"
    )


def published_discriminator_settings(config: Mapping[str, Any]) -> DiscriminatorConfig:
    """The settings of a discriminator.

    Raises:
        CheckpointError: unknown settings.
    """
    flat = _flattened(config, {"mapping_kwargs": "mapping_", "epilogue_kwargs": "", "block_kwargs": ""})
    names = {
        **SHARED_NAMES,
        "mapping_num_layers": "mapping_layers",
        "cmap_dim": "label_features",
        "mbstd_group_size": "group_size",
        "freeze_layers": "num_frozen",
    }
    return _settings(DiscriminatorConfig, flat, names)


Network = TypeVar("Network", bound=nn.Module)


def load_state(network: Network, state: Arrays) -> Network:
    """The network with the arrays as its parameters and buffers, in evaluation mode.

    Raises:
        CheckpointError: arrays that are missing, unknown or of another shape, by name.
    """
    tensors = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()}
    network.load_state_dict(validate_state_dict(network, tensors), assign=True)
    return network.eval()


def validate_state_dict(network: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The state, once it is one of the network's.

    Raises:
        CheckpointError: tensors that are missing, unknown, or of another shape or kind, by name.
    """
    own = network.state_dict()
    for problem, names in (("missing", own.keys() - state.keys()), ("unknown", state.keys() - own.keys())):
        if names:
            raise CheckpointError(f"weights that are {problem}: {_some(names)}")
    for name, tensor in state.items():
        if tensor.shape != own[name].shape or tensor.dtype != own[name].dtype:
            wanted = f"{own[name].dtype} {list(own[name].shape)}"
            raise CheckpointError(f"{name} is {tensor.dtype} {list(tensor.shape)}; it must be {wanted}")
    return state


Kind = TypeVar("Kind", GeneratorConfig, StyleGan3Config, StyleGan2Config, DiscriminatorConfig)


def _settings(kind: type[Kind], flat: Mapping[str, Any], names: Mapping[str, str]) -> Kind:
    unknown = sorted(name for name, value in flat.items() if name not in names and not _is_the_same(name, value))
    if unknown:
        found = ", ".join(f"{name}={flat[name]!r:.40}" for name in unknown)
        raise CheckpointError(f"settings that this version does not know: {found}")
    try:
        return from_json(kind, {names[name]: value for name, value in flat.items() if name in names})
    except ConfigError as error:
        raise CheckpointError(f"the network's settings: {error}") from error


def _is_the_same(name: str, value: Any) -> bool:
    """Whether a setting that cannot be chosen here has the value that is built in."""
    name = name.removeprefix("mapping_")
    if name not in FIXED:
        return False
    return FIXED[name] is None or (tuple(value) if isinstance(value, (list, tuple)) else value) in FIXED[name]


def _flattened(config: Mapping[str, Any], nested: Mapping[str, str]) -> dict[str, Any]:
    """The settings with nested ones lifted up, under a prefix each."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in nested and isinstance(value, Mapping):
            flat |= {f"{nested[name]}{key}": item for key, item in value.items()}
        else:
            flat[name] = value
    return flat


def _mapping_layers(state: Arrays) -> int:
    return sum(name.startswith("mapping.fc") and name.endswith(".weight") for name in state)


def _some(names: set[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(sorted(names)[:most])}{more}"
