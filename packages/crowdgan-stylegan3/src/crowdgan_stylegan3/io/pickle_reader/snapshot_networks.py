"""The networks of an official snapshot: their settings, parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader.allowlist import names_of_snapshots
from crowdgan_stylegan3.io.pickle_reader.interpreter import read_pickle
from crowdgan_stylegan3.io.pickle_reader.limits import Budget, Stream, refused, shown
from crowdgan_stylegan3.io.pickle_reader.module_records import ModuleRecord, NamedConstant
from crowdgan_stylegan3.io.pickle_reader.tensors import ArrayRecord, PickledTensor

NETWORKS = ("G", "D", "G_ema")
"""Keys of a snapshot that hold networks: generator, discriminator, averaged generator."""

MAX_DEPTH = 32
"""Deepest layer inside layers, and deepest setting inside settings; official networks have 4 and 3."""

MAX_MODULES = 10_000
"""Most layers of a network; the largest official ones have about 100."""

MAX_SETTINGS = 10_000
"""Most values in a network's settings, counting those inside others."""

LONGEST_NAME = 256
"""Most characters of a layer's or parameter's own name."""

Plain = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkRecord:
    """A network of a snapshot, as plain data."""

    class_name: str
    """Name of its class, for example `Generator`; StyleGAN2 and StyleGAN3 share it, their states differ."""

    init_kwargs: Mapping[str, Any]
    """What its constructor was given by name (`c_dim`, `img_resolution`, `channel_base`, …): texts, numbers, None,
    numpy arrays, and dicts, lists and tuples of them."""

    init_args: tuple[Any, ...] = ()
    """What its constructor was given by position; the official training scripts give nothing."""

    attributes: Mapping[str, Plain] = field(default_factory=dict)
    """Public attributes that are a text, a number or None (`z_dim`, `num_ws`, …)."""

    state: Mapping[str, npt.NDArray[Any]]
    """Parameters and persistent buffers by their published dotted names, in the order of a state dict; own copies."""

    @property
    def settings(self) -> dict[str, Any]:
        """`init_kwargs`, and the attributes where those lack them."""
        return {**self.attributes, **self.init_kwargs}


def read_networks(path: Path) -> dict[str, NetworkRecord]:
    """The networks in an official snapshot (`network-snapshot-*.pkl`), by `G`, `D` and `G_ema` as far as it has them.

    Nothing in the file is executed.

    Raises:
        CheckpointError: the file cannot be read, is damaged, is no snapshot of the PyTorch versions of StyleGAN3 or
            StyleGAN2-ADA, or asks for anything that one does not need.
    """
    try:
        return _read(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or shown(str(error))})") from error
    except Exception as error:  # damaged pickles raise everything there is
        reason = shown(str(error)) or type(error).__name__
        raise CheckpointError(f"{path}: no snapshot of a network, or a damaged one ({reason})") from error


def _read(path: Path) -> dict[str, NetworkRecord]:
    size = path.stat().st_size
    if not path.is_file():
        raise CheckpointError("no file")
    budget = Budget(size)
    with path.open("rb") as file:
        snapshot = read_pickle(Stream(file, size), names_of_snapshots(budget), budget)
    found = {key: snapshot.get(key) for key in NETWORKS} if isinstance(snapshot, dict) else {}
    records = {key: _record(module, budget) for key, module in found.items() if module is not None}
    if not records:
        raise CheckpointError(f"a pickle of {shown(snapshot)} without networks; a snapshot has {', '.join(NETWORKS)}")
    return records


def _record(module: object, budget: Budget) -> NetworkRecord:
    if not isinstance(module, ModuleRecord):
        raise refused(f"{shown(module)} where a network belongs")
    attributes = module.attributes
    settings = _Settings(budget)
    return NetworkRecord(
        class_name=module.class_name[:LONGEST_NAME],
        init_args=tuple(settings.plain(value) for value in _sequence(attributes.get("_init_args"))),
        init_kwargs={_name(key): settings.plain(value) for key, value in _mapping(attributes, "_init_kwargs")},
        attributes=_public(attributes),
        state=_state(module, budget),
    )


def _public(attributes: Mapping[object, object]) -> dict[str, Plain]:
    """The attributes of a network that are plain and its own, not torch's."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(name, str) and not name.startswith("_") and name != "training" and isinstance(value, Plain)
    }


class _Settings:
    """Turns what a pickle holds of settings into plain data; counts, since parts may be shared or hold themselves."""

    def __init__(self, budget: Budget) -> None:
        self._left = MAX_SETTINGS
        self._budget = budget

    def plain(self, value: object, depth: int = 0) -> Any:
        """A copy of the value as plain data.

        Raises:
            CheckpointError: it is nested too deep, too large, or holds what is no setting.
        """
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise refused(f"settings nested more than {MAX_DEPTH} deep, or of more than {MAX_SETTINGS} values")
        match value:
            case bool() | int() | float() | str() | None:
                return value
            case dict():
                return {key: self.plain(item, depth + 1) for key, item in value.items()}
            case list():
                return [self.plain(item, depth + 1) for item in value]
            case tuple():
                return tuple(self.plain(item, depth + 1) for item in value)
            case ArrayRecord():
                self._budget.spend_bytes(value.array.nbytes)
                return value.array.copy()
            case NamedConstant():
                return value.name
        raise refused(f"{shown(value)} among the settings of a network")


def _state(module: ModuleRecord, budget: Budget) -> dict[str, npt.NDArray[Any]]:
    """Copies of the parameters and persistent buffers of a network, by dotted names.

    Raises:
        CheckpointError: a layer, parameter or buffer is none, or has a name that none can have.
    """
    state: dict[str, npt.NDArray[Any]] = {}
    for number, (prefix, layer) in enumerate(_layers(module, "", 0)):
        if number >= MAX_MODULES:
            raise refused(f"a network of more than {MAX_MODULES} layers")
        for name, value in _tensors(layer):
            budget.spend_bytes(value.array.nbytes)
            native = value.array.dtype.newbyteorder("=")
            state[f"{prefix}{name}"] = np.array(value.array, native, order="C")
    return state


def _layers(module: ModuleRecord, prefix: str, depth: int) -> Iterator[tuple[str, ModuleRecord]]:
    """The network and the layers inside, in torch's order, each with what its parameters' names begin with."""
    if depth > MAX_DEPTH:
        raise refused(f"layers nested more than {MAX_DEPTH} deep")
    yield prefix, module
    for key, child in _mapping(module.attributes, "_modules"):
        name = _name(key)
        if isinstance(child, ModuleRecord):
            yield from _layers(child, f"{prefix}{name}.", depth + 1)
        elif child is not None:
            raise refused(f"{shown(child)} where the layer {shown(name)} belongs")


def _tensors(layer: ModuleRecord) -> Iterator[tuple[str, PickledTensor]]:
    """A layer's own parameters, then its own buffers but for those that its state dict leaves out."""
    left_out = layer.attributes.get("_non_persistent_buffers_set")
    left_out = left_out if isinstance(left_out, set) else set()
    buffers = [item for item in _mapping(layer.attributes, "_buffers") if item[0] not in left_out]
    for key, value in [*_mapping(layer.attributes, "_parameters"), *buffers]:
        name = _name(key)
        if isinstance(value, PickledTensor):
            yield name, value
        elif value is not None:
            raise refused(f"{shown(value)} where the parameter or buffer {shown(name)} belongs")


def _mapping(attributes: Mapping[object, object], name: str) -> list[tuple[object, object]]:
    """The items of an attribute that is a mapping; none where there is no such attribute."""
    value = attributes.get(name, {})
    if not isinstance(value, dict):
        raise refused(f"{shown(value)} as the {name} of a network")
    return list(value.items())


def _sequence(value: object) -> list[object] | tuple[object, ...]:
    return value if isinstance(value, list | tuple) else ()


def _name(key: object) -> str:
    """The name of a setting, layer, parameter or buffer.

    Raises:
        CheckpointError: it is none that torch allows.
    """
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_NAME or "." in key:
        raise refused(f"a layer, parameter or setting is called {shown(key)!r}")
    return key
