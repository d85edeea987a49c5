"""Made-up snapshots in the form of the official ones, for tests of their reader.

The form is written here from facts about it, without any of the official code: which function each network's record
names, what the record holds, and that tensors are pickled as torch does it itself.
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

SOURCE = "raise SystemExit('the source in a record must never run')"
"""What stands for the source text of a network's class."""


def never(*_: Any) -> Any:
    """Stands for the official function that rebuilds a network: reading a snapshot must not call it."""
    raise AssertionError("the reader called a function that the snapshot names")


class EasyDict(dict[str, Any]):
    """Stands for the official dict whose items are attributes too."""


class Network(torch.nn.Module):
    """A network or layer as the official ones are seen from outside: attributes, and what its constructor was given."""

    def __init__(self, *init_args: Any, **init_kwargs: Any) -> None:
        super().__init__()
        self._init_args = init_args
        self._init_kwargs = EasyDict(init_kwargs)


class Generator(Network):
    """A generator's name."""


class Discriminator(Network):
    """A discriminator's name."""


@contextmanager
def official_modules() -> Iterator[None]:
    """Makes the official names importable, as far as pickling needs them."""
    persistence, util = types.ModuleType("torch_utils.persistence"), types.ModuleType("dnnlib.util")
    _place(persistence, never, "_reconstruct_persistent_obj")
    _place(util, EasyDict, "EasyDict")
    network = types.ModuleType("dnnlib.tflib.network")
    modules = [types.ModuleType(name) for name in ("torch_utils", "dnnlib", "dnnlib.tflib")]
    modules += [persistence, util, network]
    sys.modules.update({module.__name__: module for module in modules})
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module.__name__]


def _place(module: types.ModuleType, thing: Any, name: str) -> None:
    thing.__module__, thing.__name__, thing.__qualname__ = module.__name__, name, name
    setattr(module, name, thing)


class SnapshotPickler(pickle.Pickler):
    """Pickles networks as records, and the rest as Python and torch do."""

    def reducer_override(self, value: Any) -> Any:
        """The record of a network."""
        if isinstance(value, Network):
            return never, (EasyDict(record(value)),)
        return NotImplemented


def record(network: Network) -> dict[str, Any]:
    """What the pickle holds of a network."""
    return {
        "type": "class",
        "version": 6,
        "module_src": SOURCE,
        "class_name": type(network).__name__,
        "state": dict(network.__dict__),
    }


def dumps(value: Any, protocol: int) -> bytes:
    """The bytes of a snapshot."""
    file = io.BytesIO()
    with official_modules():
        SnapshotPickler(file, protocol).dump(value)
    return file.getvalue()


def snapshot(**networks: Any) -> dict[str, Any]:
    """A snapshot's outer mapping."""
    return {**networks, "training_set_kwargs": EasyDict(path="data.zip", resolution=32), "augment_pipe": None}


def network_of(kind: Callable[..., Network], state: Mapping[str, np.ndarray], **init_kwargs: Any) -> Network:
    """A network with these parameters (`weight`, `bias`) and buffers (all others), by dotted names."""
    network = kind(**init_kwargs)
    for dotted, array in state.items():
        *path, name = dotted.split(".")
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
    """A generator with layers, settings and attributes of all kinds that official ones have."""
    random = torch.Generator().manual_seed(3)
    settings = {"num_layers": 2, "gains": np.arange(3.0), "cutoff": np.float64(2.5), "shape": torch.Size([4, 4])}
    generator = Generator(z_dim=8, c_dim=0, img_resolution=16, synthesis_kwargs=EasyDict(settings), dtype=torch.float32)
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
    """A snapshot's file."""
    path.write_bytes(dumps(value, protocol))
    return path


def write_official(path: Path, generator: Any, **changes: Any) -> Path:
    """A snapshot of one of our generators, with settings as the official training script writes them.

    Args:
        path: the file.
        generator: a `crowdgan_stylegan3.networks.generator.Generator`.
        changes: settings that differ.
    """
    settings = generator.settings
    common = {"c_dim": settings.label_dim, "img_resolution": settings.resolution, "img_channels": 3}
    common |= {
        "z_dim": settings.z_dim,
        "w_dim": settings.w_dim,
        "mapping_kwargs": {"num_layers": settings.mapping_layers},
    }
    capacity = {"channel_base": settings.channel_base, "channel_max": settings.channel_max}
    if hasattr(settings, "conv_kernel"):
        own = {"conv_kernel": settings.conv_kernel, "use_radial_filters": settings.use_radial_filters}
        kwargs = {**common, **capacity, **own, "magnitude_ema_beta": 0.999}
    else:
        kwargs = {**common, "synthesis_kwargs": {**capacity, "num_fp16_res": 4, "conv_clamp": 256}}
    state = {name: tensor.numpy() for name, tensor in generator.state_dict().items()}
    return write_snapshot(path, snapshot(G_ema=network_of(Generator, state, **{**kwargs, **changes})))
