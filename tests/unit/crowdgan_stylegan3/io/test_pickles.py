"""Networks of official snapshots are read without torch and without executing anything.

The snapshots are synthetic; for their format see `tests.support.official_snapshots`.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from argparse import Namespace
from collections import OrderedDict, defaultdict
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader import read_networks
from tests.support.foreign_files import FOREIGN_FILES
from tests.support.official_snapshots import (
    Discriminator,
    Generator,
    Network,
    build_network,
    pickle_bytes,
    small_generator,
    snapshot,
    write_snapshot,
)
from tests.support.recorded_values import load_arrays, network_config, network_state

PROTOCOLS = (2, 3, 4, 5)


def assert_same_state(state: Any, network: torch.nn.Module) -> None:
    expected = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    assert list(state) == list(expected)
    for name, array in expected.items():
        assert state[name].dtype == array.dtype
        assert state[name].flags.c_contiguous
        assert state[name].flags.writeable
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parameters_and_buffers_equal_the_state_dict_of_torch(tmp_path: Path, protocol: int) -> None:
    generator = small_generator()
    records = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G_ema=generator), protocol))
    assert list(records) == ["G_ema"]
    assert records["G_ema"].class_name == "Generator"
    assert_same_state(records["G_ema"].state, generator)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_settings_of_a_network_are_plain_data(tmp_path: Path, protocol: int) -> None:
    record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()), protocol))["G"]
    kwargs = dict(record.init_kwargs)
    synthesis = kwargs.pop("synthesis_kwargs")
    assert kwargs == {"z_dim": 8, "c_dim": 0, "img_resolution": 16, "dtype": "torch.float32"}
    np.testing.assert_array_equal(synthesis.pop("gains"), np.arange(3.0), strict=True)
    assert synthesis == {"num_layers": 2, "cutoff": 2.5, "shape": (4, 4)}
    assert type(synthesis["cutoff"]) is float
    assert record.init_args == ()
    assert record.attributes == {"w_dim": 8, "num_ws": 16}
    assert record.settings == {**record.attributes, **record.init_kwargs}


def test_positional_arguments_of_a_constructor_are_read(tmp_path: Path) -> None:
    generator = Generator(8, [None, (1, 2.5)], True, z_dim=4)
    generator.z_dim = 9  # type: ignore[assignment]
    record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=generator)))["G"]
    assert record.init_args == (8, [None, (1, 2.5)], True)
    assert record.settings == {"z_dim": 4}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_networks_of_a_snapshot_are_read(tmp_path: Path, protocol: int) -> None:
    state = {"b16.fromrgb.weight": np.ones((2, 3, 1, 1), np.float32), "b4.mbstd.count": np.array(4)}
    networks = {
        "G": build_network(Generator, {"synthesis.input.freqs": np.eye(2, dtype=np.float32)}, c_dim=3),
        "D": build_network(Discriminator, state, c_dim=3),
        "G_ema": build_network(Generator, {"synthesis.b4.const": np.zeros((4, 2, 2), np.float32)}, c_dim=3),
    }
    records = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(**networks), protocol))
    assert {key: network.class_name for key, network in records.items()} == {
        "G": "Generator",
        "D": "Discriminator",
        "G_ema": "Generator",
    }
    for key, network in networks.items():
        assert_same_state(records[key].state, network)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_published_parameter_names_are_read(tmp_path: Path, name: str, protocol: int) -> None:
    data = load_arrays(f"networks/{name}")
    config = network_config(data)
    generator = build_network(Generator, network_state(data), **config)
    record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G_ema=generator), protocol))["G_ema"]
    assert record.init_kwargs == config
    assert_same_state(record.state, generator)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_dtypes_are_preserved(tmp_path: Path, dtype: torch.dtype) -> None:
    network = Network()
    network.register_buffer("numbers", torch.tensor([[0, 1], [1, 0]]).to(dtype))
    record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network)))["G"]
    assert_same_state(record.state, network)


@pytest.mark.parametrize("is_zip", [False, True])
def test_storages_are_read_from_both_formats_of_torch_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_zip: bool
) -> None:
    save = torch.save

    def save_in_format(value: Any, file: io.BytesIO, **_: Any) -> None:
        save(value, file, _use_new_zipfile_serialization=is_zip)

    monkeypatch.setattr(torch, "save", save_in_format)
    generator = small_generator()
    data = pickle_bytes(snapshot(G=generator), 4)
    assert (b"PK\x03\x04" in data) == is_zip
    (tmp_path / "s.pkl").write_bytes(data)
    assert_same_state(read_networks(tmp_path / "s.pkl")["G"].state, generator)


def test_shared_layers_and_parameters_are_read_under_each_name(tmp_path: Path) -> None:
    network = Network()
    network.first = Network()
    network.first.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    network.second = network.first
    network.again = network.first.weight
    record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network)))["G"]
    assert_same_state(record.state, network)
    assert not np.shares_memory(record.state["again"], record.state["first.weight"])


def test_module_lists_and_dicts_are_read_as_layers(tmp_path: Path) -> None:
    network = Network()
    network.layers = torch.nn.ModuleList([torch.nn.Linear(1, 2), torch.nn.ModuleDict({"a": torch.nn.PReLU()})])
    network.names = OrderedDict(a=1)  # type: ignore[assignment]
    network.seen = frozenset({"a", 3})  # type: ignore[assignment]
    for protocol in PROTOCOLS:
        record = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network), protocol))["G"]
        assert_same_state(record.state, network)


def test_reading_loads_no_torch(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()))
    program = (
        "import sys, pathlib\nfrom crowdgan_stylegan3.io.pickle_reader import read_networks\n"
        "records = read_networks(pathlib.Path(sys.argv[1]))\nprint(list(records), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['G'] False"


class Counter(dict[str, int]):
    """A dict with attributes and keyword arguments of its constructor."""

    def __getnewargs_ex__(self) -> tuple[tuple[int, ...], dict[str, int]]:
        return (), {"start": 3}


def inert_values() -> dict[str, Any]:
    """Values that training scripts add to snapshots, and that no network needs."""
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    counter = Counter(a=1)
    counter.step = 3  # type: ignore[attr-defined]
    return {
        "path": Path("runs/00000"),
        "optimizer": optimizer,
        "optimizer_state": optimizer.state_dict(),
        "model_state": model.state_dict(),
        "date": datetime(2024, 5, 1),
        "namespace": Namespace(lr=0.1, sizes=(1, 2), outdir=Path("a")),
        "defaults": defaultdict(list, a=[1]),
        "random": (np.random.default_rng(0), np.random.RandomState(0)),
        "keys": {(1, 2): 3, None: 4, 2.5: 5, Path("a"): 6},
        "numbers": {1j, Fraction(1, 3)},
        "names": np.array(["a", None], dtype=object),
        "dates": np.array(["2024-05-01"], dtype="M8[D]"),
        "counter": counter,
        "dtype": torch.complex64,
        "function": json.dumps,
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_values_outside_the_wanted_network_are_ignored(tmp_path: Path, protocol: int) -> None:
    generator = small_generator()
    values = {name: value for name, value in inert_values().items() if protocol >= 4 or name != "counter"}
    value = {**values, **snapshot(G_ema=generator, D=Discriminator(path=Path("a"))), "last": values}
    records = read_networks(write_snapshot(tmp_path / "s.pkl", value, protocol), ["G_ema"])
    assert list(records) == ["G_ema"]
    assert_same_state(records["G_ema"].state, generator)


@pytest.mark.parametrize("name", [name for name in inert_values() if name != "model_state"])
def test_each_ignored_value_is_refused_within_the_network(tmp_path: Path, name: str) -> None:
    generator = small_generator()
    generator.mapping.extra = inert_values()[name]
    path = write_snapshot(tmp_path / "s.pkl", snapshot(G_ema=generator))
    if name == "optimizer_state":
        assert_same_state(read_networks(path)["G_ema"].state, generator)
        return
    with pytest.raises(CheckpointError, match="refused: the pickle "):
        read_networks(path)


def test_a_pickle_of_a_generator_alone_has_the_key_of_the_ema_generator(tmp_path: Path) -> None:
    generator = small_generator()
    assert_same_state(read_networks(write_snapshot(tmp_path / "s.pkl", generator))["G_ema"].state, generator)


def test_a_state_dict_is_identified(tmp_path: Path) -> None:
    state = small_generator().state_dict()
    for value in (state, dict(state), {"step": 3, "g_ema": state}):
        with pytest.raises(CheckpointError) as caught:
            read_networks(write_snapshot(tmp_path / "s.pkl", value))
        assert ": a state dict (" in str(caught.value)
        assert "weights without the settings of their network, which cannot be imported" in str(caught.value)


@pytest.mark.parametrize("name", [name for name in FOREIGN_FILES if name != "pickle"])
def test_a_file_that_is_no_pickle_is_explained(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.pkl"
    data, explanation = FOREIGN_FILES[name]
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_networks(path)
    assert str(caught.value).startswith(f"{path}: {explanation}")


def test_files_of_torch_save_are_explained(tmp_path: Path) -> None:
    for is_zip in (False, True):
        torch.save(small_generator().state_dict(), tmp_path / "g.pt", _use_new_zipfile_serialization=is_zip)
        with pytest.raises(CheckpointError, match=r"g\.pt: a file of torch\.save"):
            read_networks(tmp_path / "g.pt")


def test_a_snapshot_without_networks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "s.pkl"
    for value, problem in [
        (snapshot(), "a pickle of a dict without networks; a snapshot has G, D, G_ema"),
        ([1], "a pickle of a list without networks; a snapshot has G, D, G_ema"),
        ({"G": 3}, "refused: 3 in place of a network"),
    ]:
        with pytest.raises(CheckpointError) as caught:
            read_networks(write_snapshot(path, value))
        assert str(caught.value) == f"{path}: {problem}"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pkl: cannot be read \(No such file"):
        read_networks(tmp_path / "none.pkl")
    with pytest.raises(CheckpointError, match=f"{tmp_path}: not a file"):
        read_networks(tmp_path)
