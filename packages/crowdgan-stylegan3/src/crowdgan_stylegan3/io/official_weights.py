"""Networks from published settings and weights: constructor arguments and arrays under their published names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from crowdgan_core.errors import CheckpointError
from crowdgan_core.io import codec
from crowdgan_core.utils.formatting import join_limited
from crowdgan_stylegan3.config import DiscriminatorConfig, GeneratorConfig, StyleGan2Config, StyleGan3Config
from crowdgan_stylegan3.networks.discriminator import Discriminator
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.uninitialised import UninitialisedWeights

Arrays = Mapping[str, npt.NDArray[Any]]
"""Parameters and buffers by their published names."""

SHARED_NAMES = {
    "c_dim": "label_dim",
    "img_resolution": "resolution",
    "img_channels": "image_channels",
    "channel_base": "channel_base",
    "channel_max": "channel_max",
    "num_fp16_res": "num_fp16_res",
    "conv_clamp": "conv_clamp",
}
"""Published names of settings, and the corresponding config fields."""

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
"""Settings of StyleGAN3's synthesis network, which the config names alike."""

FIXED_SETTINGS: dict[str, Any] = {
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
"""Published settings that are not configurable, with their supported values; None for any value."""

STYLEGAN3_ARRAY, STYLEGAN2_ARRAY = "synthesis.input.freqs", "synthesis.b4.const"
"""Arrays that identify the family of a generator."""

MAX_LISTED_NAMES = 5
"""Maximum number of names in an error message."""


def generator_from_official(config: Mapping[str, Any], state: Arrays) -> Generator:
    """A generator with published settings and weights, in evaluation mode.

    Args:
        config: constructor arguments under their published names, including nested ones (`mapping_kwargs`,
            `synthesis_kwargs`).
        state: arrays by their published names.

    Raises:
        CheckpointError: unsupported settings, or arrays that are missing, unknown or of another shape.
    """
    with UninitialisedWeights():
        generator = Generator(generator_config_from_official(config, state))
    return load_state(generator, state)


def discriminator_from_official(config: Mapping[str, Any], state: Arrays) -> Discriminator:
    """A discriminator with published settings and weights, in evaluation mode; see `generator_from_official`.

    Raises:
        CheckpointError: unsupported settings, or arrays that are missing, unknown or of another shape.
    """
    with UninitialisedWeights():
        discriminator = Discriminator(discriminator_config_from_official(config))
    return load_state(discriminator, state)


def generator_config_from_official(config: Mapping[str, Any], state: Arrays) -> GeneratorConfig:
    """The config of a generator from published settings; its family is identified by the arrays.

    Raises:
        CheckpointError: unsupported settings, or an unknown family.
    """
    flat = _flatten(config, {"mapping_kwargs": "mapping_", "synthesis_kwargs": ""})
    names = {**SHARED_NAMES, "z_dim": "z_dim", "w_dim": "w_dim", "mapping_num_layers": "mapping_layers"}
    flat.setdefault("mapping_num_layers", _count_mapping_layers(state))  # published defaults differ between classes
    if STYLEGAN3_ARRAY in state:
        return _config_from_flat(StyleGan3Config, flat, {**names, **STYLEGAN3_NAMES})
    if STYLEGAN2_ARRAY in state:
        return _config_from_flat(StyleGan2Config, flat, names)
    raise CheckpointError(
        f"the weights are not of a known generator: they have neither {STYLEGAN3_ARRAY} nor {STYLEGAN2_ARRAY}"
    )


def discriminator_config_from_official(config: Mapping[str, Any]) -> DiscriminatorConfig:
    """The config of a discriminator from published settings.

    Raises:
        CheckpointError: unsupported settings.
    """
    flat = _flatten(config, {"mapping_kwargs": "mapping_", "epilogue_kwargs": "", "block_kwargs": ""})
    names = {
        **SHARED_NAMES,
        "mapping_num_layers": "mapping_layers",
        "cmap_dim": "label_features",
        "mbstd_group_size": "group_size",
        "freeze_layers": "num_frozen",
    }
    return _config_from_flat(DiscriminatorConfig, flat, names)


Network = TypeVar("Network", bound=nn.Module)


def load_state(network: Network, state: Arrays) -> Network:
    """The network with the arrays as its parameters and buffers, in evaluation mode.

    Raises:
        CheckpointError: arrays that are missing, unknown or of another shape; the message lists their names.
    """
    tensors = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()}
    network.load_state_dict(validate_state_dict(network, tensors), assign=True)
    return network.eval()


def validate_state_dict(network: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The given state, if it is a complete state of the network.

    Raises:
        CheckpointError: tensors that are missing, unknown, or of another shape or dtype; the message lists their names.
    """
    expected = network.state_dict()
    for problem, names in (("missing", expected.keys() - state.keys()), ("unknown", state.keys() - expected.keys())):
        if names:
            raise CheckpointError(f"{problem} weights: {join_limited(sorted(names), MAX_LISTED_NAMES)}")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            required = f"{expected[name].dtype} {list(expected[name].shape)}"
            raise CheckpointError(f"{name} is {tensor.dtype} {list(tensor.shape)}; it must be {required}")
    return state


Config = TypeVar("Config", StyleGan3Config, StyleGan2Config, DiscriminatorConfig)


def _config_from_flat(config_class: type[Config], flat: Mapping[str, Any], names: Mapping[str, str]) -> Config:
    unsupported = sorted(name for name, value in flat.items() if name not in names and not _is_supported(name, value))
    if unsupported:
        listed = ", ".join(f"{name}={flat[name]!r:.40}" for name in unsupported)
        raise CheckpointError(f"unsupported settings: {listed}")
    values = {names[name]: value for name, value in flat.items() if name in names}
    return codec.from_json(config_class, values, "settings", CheckpointError)


def _is_supported(name: str, value: Any) -> bool:
    """Whether a setting that is not configurable has a supported value."""
    name = name.removeprefix("mapping_")
    if name not in FIXED_SETTINGS:
        return False
    supported = FIXED_SETTINGS[name]
    try:
        return supported is None or (tuple(value) if isinstance(value, (list, tuple)) else value) in supported
    except TypeError:  # not hashable
        return False


def _flatten(config: Mapping[str, Any], prefixes: Mapping[str, str]) -> dict[str, Any]:
    """The settings without nesting; nested settings get the prefix of their group."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in prefixes and isinstance(value, Mapping):
            flat |= {f"{prefixes[name]}{key}": item for key, item in value.items()}
        else:
            flat[name] = value
    return flat


def _count_mapping_layers(state: Arrays) -> int:
    return sum(name.startswith("mapping.fc") and name.endswith(".weight") for name in state)
