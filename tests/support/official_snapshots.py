"""Synthetic snapshots in the format of the official ones, for tests of their reader.

The format is reproduced from facts about it, without official code: the function that each network's record names, the
contents of the record, and tensors as pickled by torch.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

SOURCE_TEXT = "raise SystemExit('the source text in a record must never be executed')"
"""Placeholder for the source text of a network's class."""


def rebuild_network(*_: Any) -> Any:
    """Replacement for the official function that rebuilds a network; reading a snapshot must not call it."""
    raise AssertionError("the reader called a function that the snapshot names")


class EasyDict(dict[str, Any]):
    """Replacement for the official dict with attribute access."""


class Network(torch.nn.Module):
    """A network or layer with the attributes of official ones, including its constructor arguments."""

    def __init__(self, *init_args: Any, **init_kwargs: Any) -> None:
        super().__init__()
        self._init_args = init_args
        self._init_kwargs = EasyDict(init_kwargs)


class Generator(Network):
    """A network with the class name of official generators."""


class Discriminator(Network):
    """A network with the class name of official discriminators."""


@contextmanager
def official_modules() -> Iterator[None]:
    """Makes the official names that pickling needs importable."""
    persistence, util = types.ModuleType("torch_utils.persistence"), types.ModuleType("dnnlib.util")
    _add_to_module(persistence, rebuild_network, "_reconstruct_persistent_obj")
    _add_to_module(util, EasyDict, "EasyDict")
    network = types.ModuleType("dnnlib.tflib.network")
    modules = [types.ModuleType(name) for name in ("torch_utils", "dnnlib", "dnnlib.tflib")]
    modules += [persistence, util, network]
    sys.modules.update({module.__name__: module for module in modules})
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module.__name__]


def _add_to_module(module: types.ModuleType, value: Any, name: str) -> None:
    value.__module__, value.__name__, value.__qualname__ = module.__name__, name, name
    setattr(module, name, value)


class SnapshotPickler(pickle.Pickler):
    """Pickles networks as records, and other values as Python and torch do."""

    def reducer_override(self, value: Any) -> Any:
        """The record of a network."""
        if isinstance(value, Network):
            return rebuild_network, (EasyDict(network_record(value)),)
        return NotImplemented


def network_record(network: Network) -> dict[str, Any]:
    """The record of a network in a pickle."""
    return {
        "type": "class",
        "version": 6,
        "module_src": SOURCE_TEXT,
        "class_name": type(network).__name__,
        "state": dict(network.__dict__),
    }


def pickle_bytes(value: Any, protocol: int) -> bytes:
    """The bytes of a pickle with official names."""
    file = io.BytesIO()
    with official_modules():
        SnapshotPickler(file, protocol).dump(value)
    return file.getvalue()


def snapshot(**networks: Any) -> dict[str, Any]:
    """The top-level dict of a snapshot with these networks."""
    return {**networks, "training_set_kwargs": EasyDict(path="data.zip", resolution=32), "augment_pipe": None}


def build_network(
    network_class: Callable[..., Network], state: Mapping[str, np.ndarray], **init_kwargs: Any
) -> Network:
    """A network with these parameters (`weight`, `bias`) and buffers (all others), by dotted names."""
    network = network_class(**init_kwargs)
    for dotted_name, array in state.items():
        *path, name = dotted_name.split(".")
        layer: torch.nn.Module = network
        for part in path:
            if part not in layer._modules:
                layer.add_module(part, Network())
            layer = layer._modules[part]  # type: ignore[assignment]
        tensor = torch.from_numpy(np.array(array))
        if name in ("weight", "bias"):
            layer.register_parameter(name, torch.nn.Parameter(tensor))
        else:
            layer.register_buffer(name, tensor)
    return network


def small_generator() -> Generator:
    """A generator with all types of layers, arguments and attributes of the official ones."""
    random = torch.Generator().manual_seed(3)
    synthesis_kwargs = {
        "num_layers": 2,
        "gains": np.arange(3.0),
        "cutoff": np.float64(2.5),
        "shape": torch.Size([4, 4]),
    }
    generator = Generator(
        z_dim=8, c_dim=0, img_resolution=16, synthesis_kwargs=EasyDict(synthesis_kwargs), dtype=torch.float32
    )
    generator.w_dim, generator.num_ws = 8, 16  # type: ignore[assignment]
    generator.mapping = Network(num_layers=2)
    generator.mapping.fc0 = Network()
    generator.mapping.fc0.weight = torch.nn.Parameter(torch.randn([3, 5], generator=random))
    generator.mapping.fc0.register_parameter("bias", None)
    generator.mapping.register_buffer("w_avg", torch.randn([5, 3], generator=random).T)
    generator.mapping.register_buffer("scratch", torch.zeros([2]), persistent=False)
    generator.mapping.register_buffer("unused", None)
    generator.synthesis = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    generator.synthesis.register_buffer("filter", torch.randn([7], generator=random).half()[2:6:2])
    generator.synthesis.in_size = np.broadcast_to(np.asarray(36), [2])  # type: ignore[assignment]
    generator.empty = torch.nn.Parameter(torch.zeros([0, 3]))
    return generator


def write_snapshot(path: Path, value: Any, protocol: int = 4) -> Path:
    """Writes a snapshot and returns its path."""
    path.write_bytes(pickle_bytes(value, protocol))
    return path


def write_official(path: Path, generator: Any, **changes: Any) -> Path:
    """Writes a snapshot of a crowdgan generator, with constructor arguments as in the official training script.

    Args:
        path: output file.
        generator: a `crowdgan_stylegan3.networks.generator.Generator`.
        changes: constructor arguments that replace those of the generator.
    """
    config = generator.config
    common = {"c_dim": config.label_dim, "img_resolution": config.resolution, "img_channels": 3}
    common |= {
        "z_dim": config.z_dim,
        "w_dim": config.w_dim,
        "mapping_kwargs": {"num_layers": config.mapping_layers},
    }
    capacity = {"channel_base": config.channel_base, "channel_max": config.channel_max}
    if hasattr(config, "conv_kernel"):
        arguments = {"conv_kernel": config.conv_kernel, "use_radial_filters": config.use_radial_filters}
        kwargs = {**common, **capacity, **arguments, "magnitude_ema_beta": 0.999}
    else:
        kwargs = {**common, "synthesis_kwargs": {**capacity, "num_fp16_res": 4, "conv_clamp": 256}}
    state = {name: tensor.numpy() for name, tensor in generator.state_dict().items()}
    return write_snapshot(path, snapshot(G_ema=build_network(Generator, state, **{**kwargs, **changes})))
