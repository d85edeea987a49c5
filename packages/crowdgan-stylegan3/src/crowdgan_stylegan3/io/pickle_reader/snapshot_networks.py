"""Networks of an official snapshot: their settings, parameters and buffers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.file_kind import EXPLANATIONS, check_local, identify_file
from crowdgan_stylegan3.io.pickle_reader.allowlist import snapshot_name_lookup
from crowdgan_stylegan3.io.pickle_reader.interpreter import Stateful, read_pickle
from crowdgan_stylegan3.io.pickle_reader.limits import (
    Budget,
    Placeholder,
    RefusalError,
    Stream,
    describe_value,
    refusal,
)
from crowdgan_stylegan3.io.pickle_reader.module_records import ModuleRecord, NamedConstant
from crowdgan_stylegan3.io.pickle_reader.tensors import ArrayRecord, PickledTensor

NETWORK_KEYS = ("G", "D", "G_ema")
"""Keys of a snapshot's networks: generator, discriminator, EMA generator."""

MAX_DEPTH = 32
"""Maximum nesting of layers and of settings; official networks have 4 and 3."""

MAX_MODULES = 10_000
"""Maximum number of layers of a network; the largest official ones have about 100."""

MAX_SETTINGS = 10_000
"""Maximum number of values in a network's settings, including nested ones."""

MAX_NAME_CHARACTERS = 256
"""Maximum length of a layer's or parameter's name, without those of its parents."""

Plain = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkRecord:
    """A network of a snapshot, as plain data."""

    class_name: str
    """Name of its class, for example `Generator`, the same in StyleGAN2 and StyleGAN3."""

    init_kwargs: Mapping[str, Any]
    """Keyword arguments of its constructor (`c_dim`, `img_resolution`, `channel_base`, …): strings, numbers, None,
    numpy arrays, and dicts, lists and tuples of them."""

    init_args: tuple[Any, ...] = ()
    """Positional arguments of its constructor; empty in snapshots of the official training scripts."""

    attributes: Mapping[str, Plain] = field(default_factory=dict)
    """Public attributes that are a string, a number or None (`z_dim`, `num_ws`, …)."""

    state: Mapping[str, npt.NDArray[Any]]
    """Copies of parameters and persistent buffers by their published dotted names, in the order of a state dict."""

    @property
    def settings(self) -> dict[str, Any]:
        """`init_kwargs`, completed by the attributes."""
        return {**self.attributes, **self.init_kwargs}


def read_networks(path: Path, keys: Collection[str] = NETWORK_KEYS) -> dict[str, NetworkRecord]:
    """The networks in an official snapshot (`network-snapshot-*.pkl`), by those of the given keys that it has.

    Nothing in the file is executed. Whatever lies outside these networks, such as an optimizer, is ignored. A pickle of
    a generator alone has the key G_ema.

    Args:
        path: the snapshot.
        keys: keys of the wanted networks: G, D, G_ema.

    Raises:
        CheckpointError: the file cannot be read, is damaged, is not a snapshot of a PyTorch version of StyleGAN3 or
            StyleGAN2-ADA, has none of the networks, or a network asks for a name that it does not need.
    """
    check_local(path)
    try:
        return _read(path, keys)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or describe_value(str(error))})") from error
    except Exception as error:  # a damaged pickle can raise any exception
        reason = describe_value(str(error)) or type(error).__name__
        raise CheckpointError(f"{path}: not a snapshot of networks, or damaged ({reason})") from error


def _read(path: Path, keys: Collection[str]) -> dict[str, NetworkRecord]:
    size = path.stat().st_size
    if not path.is_file():
        raise CheckpointError("not a file")
    kind = identify_file(path)
    if kind is not None and kind != "pickle":
        raise CheckpointError(EXPLANATIONS[kind])
    budget, refusals = Budget(size), list[RefusalError]()
    with path.open("rb") as file:
        try:
            snapshot = read_pickle(Stream(file, size), snapshot_name_lookup(budget), budget, refusals=refusals)
        except RefusalError as error:
            raise (refusals or [error])[0] from error  # the first problem can cause the others
    modules = _find_modules(snapshot, refusals)
    records = {key: _network_record(module, budget) for key, module in modules.items() if key in keys}
    if not records:
        raise CheckpointError(f"no network {' or '.join(keys)}; choose from {', '.join(modules)}")
    return records


def _find_modules(snapshot: object, refusals: Sequence[RefusalError]) -> dict[str, object]:
    """The networks of a snapshot by key, not yet checked.

    Raises:
        CheckpointError: there are none: the first refusal, or what the pickle contains instead.
    """
    if isinstance(snapshot, ModuleRecord):
        return {"G_ema": snapshot}
    items = snapshot if isinstance(snapshot, dict) else {}
    modules = {key: items[key] for key in NETWORK_KEYS if items.get(key) is not None}
    if modules:
        return modules
    nested = [item for value in items.values() if isinstance(value, dict) for item in value.items()]
    name = next((key for key, value in [*items.items(), *nested] if isinstance(value, PickledTensor)), None)
    if name is not None:
        raise CheckpointError(
            f"a state dict ({describe_value(name)}, …): weights without the settings of their network, "
            "which cannot be imported; import the snapshot from which it comes"
        )
    if refusals:
        raise refusals[0]
    networks = ", ".join(NETWORK_KEYS)
    raise CheckpointError(f"a pickle of {describe_value(snapshot)} without networks; a snapshot has {networks}")


def _check_placeholders(network: object) -> None:
    """Raises the problem of the first refused value that a network contains, at any depth."""
    pending, visited = [network], set[int]()
    while pending:
        value = pending.pop()
        if isinstance(value, Placeholder | Stateful) and value.problem is not None:
            raise value.problem
        if id(value) in visited:
            continue
        visited.add(id(value))
        match value:
            case ModuleRecord():
                pending.append(value.attributes)
            case dict():
                pending += [*value, *value.values()]
            case list() | tuple() | set() | frozenset():
                pending += value


def _network_record(module: object, budget: Budget) -> NetworkRecord:
    _check_placeholders(module)
    if not isinstance(module, ModuleRecord):
        raise refusal(f"{describe_value(module)} in place of a network")
    attributes = module.attributes
    settings = _SettingsConverter(budget)
    return NetworkRecord(
        class_name=module.class_name[:MAX_NAME_CHARACTERS],
        init_args=tuple(settings.to_plain(value) for value in _sequence(attributes.get("_init_args"))),
        init_kwargs={
            _check_name(key): settings.to_plain(value) for key, value in _mapping_items(attributes, "_init_kwargs")
        },
        attributes=_public_attributes(attributes),
        state=_state_dict(module, budget),
    )


def _public_attributes(attributes: Mapping[object, object]) -> dict[str, Plain]:
    """The plain public attributes of a network, without torch's `training`."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(name, str) and not name.startswith("_") and name != "training" and isinstance(value, Plain)
    }


class _SettingsConverter:
    """Converts settings to plain data; counts the values, since they may be shared or contain themselves."""

    def __init__(self, budget: Budget) -> None:
        self._remaining = MAX_SETTINGS
        self._budget = budget

    def to_plain(self, value: object, depth: int = 0) -> Any:
        """A copy of the value as plain data.

        Raises:
            CheckpointError: it is nested too deeply, too large, or contains a value that is not allowed in settings.
        """
        self._remaining -= 1
        if depth > MAX_DEPTH or self._remaining < 0:
            raise refusal(f"settings nested more than {MAX_DEPTH} deep, or of more than {MAX_SETTINGS} values")
        match value:
            case bool() | int() | float() | str() | None:
                return value
            case dict():
                return {key: self.to_plain(item, depth + 1) for key, item in value.items()}
            case list():
                return [self.to_plain(item, depth + 1) for item in value]
            case tuple():
                return tuple(self.to_plain(item, depth + 1) for item in value)
            case ArrayRecord():
                self._budget.spend_bytes(value.array.nbytes)
                return value.array.copy()
            case NamedConstant():
                return value.name
        raise refusal(f"{describe_value(value)} in the settings of a network")


def _state_dict(module: ModuleRecord, budget: Budget) -> dict[str, npt.NDArray[Any]]:
    """Copies of the parameters and persistent buffers of a network, by dotted names.

    Raises:
        CheckpointError: a layer, parameter or buffer is invalid or has an invalid name.
    """
    state: dict[str, npt.NDArray[Any]] = {}
    for number, (prefix, layer) in enumerate(_walk_layers(module, "", 0)):
        if number >= MAX_MODULES:
            raise refusal(f"a network of more than {MAX_MODULES} layers")
        for name, value in _layer_tensors(layer):
            budget.spend_bytes(value.array.nbytes)
            native = value.array.dtype.newbyteorder("=")
            state[f"{prefix}{name}"] = np.array(value.array, native, order="C")
    return state


def _walk_layers(module: ModuleRecord, prefix: str, depth: int) -> Iterator[tuple[str, ModuleRecord]]:
    """The network and its nested layers in torch's order, each with the prefix of its parameters' names."""
    if depth > MAX_DEPTH:
        raise refusal(f"layers nested more than {MAX_DEPTH} deep")
    yield prefix, module
    for key, child in _mapping_items(module.attributes, "_modules"):
        name = _check_name(key)
        if isinstance(child, ModuleRecord):
            yield from _walk_layers(child, f"{prefix}{name}.", depth + 1)
        elif child is not None:
            raise refusal(f"{describe_value(child)} in place of the layer {describe_value(name)}")


def _layer_tensors(layer: ModuleRecord) -> Iterator[tuple[str, PickledTensor]]:
    """The parameters of a layer, then its persistent buffers, without those of nested layers."""
    non_persistent = layer.attributes.get("_non_persistent_buffers_set")
    non_persistent = non_persistent if isinstance(non_persistent, set) else set()
    buffers = [item for item in _mapping_items(layer.attributes, "_buffers") if item[0] not in non_persistent]
    for key, value in [*_mapping_items(layer.attributes, "_parameters"), *buffers]:
        name = _check_name(key)
        if isinstance(value, PickledTensor):
            yield name, value
        elif value is not None:
            raise refusal(f"{describe_value(value)} in place of the parameter or buffer {describe_value(name)}")


def _mapping_items(attributes: Mapping[object, object], name: str) -> list[tuple[object, object]]:
    """The items of an attribute that is a mapping; an empty list if there is no such attribute."""
    value = attributes.get(name, {})
    if not isinstance(value, dict):
        raise refusal(f"{describe_value(value)} as the {name} of a network; it must be a dict")
    return list(value.items())


def _sequence(value: object) -> list[object] | tuple[object, ...]:
    return value if isinstance(value, list | tuple) else ()


def _check_name(key: object) -> str:
    """The given name of a setting, layer, parameter or buffer, if torch allows it.

    Raises:
        CheckpointError: it is not a string, empty, too long, or has a dot.
    """
    if not isinstance(key, str) or not 0 < len(key) <= MAX_NAME_CHARACTERS or "." in key:
        raise refusal(f"a layer, parameter or setting with the invalid name {describe_value(key)!r}")
    return key
