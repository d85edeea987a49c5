"""Official snapshots: networks read from them without torch, and without running anything.

The snapshots are made up here, in a form written from facts about the official one;
see `tests.support.official_snapshots`.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.pickle_reader import read_networks
from tests.support.official_snapshots import (
    Discriminator,
    Generator,
    Network,
    dumps,
    network_of,
    small_generator,
    snapshot,
    write_snapshot,
)

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
def test_a_network_is_read_as_torch_holds_it(tmp_path: Path, protocol: int) -> None:
    generator = small_generator()
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G_ema=generator), protocol))
    assert list(found) == ["G_ema"]
    assert found["G_ema"].class_name == "Generator"
    assert_same_state(found["G_ema"].state, generator)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_settings_of_a_network_are_plain_data(tmp_path: Path, protocol: int) -> None:
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()), protocol))["G"]
    kwargs = dict(found.init_kwargs)
    synthesis = kwargs.pop("synthesis_kwargs")
    assert kwargs == {"z_dim": 8, "c_dim": 0, "img_resolution": 16, "dtype": "torch.float32"}
    np.testing.assert_array_equal(synthesis.pop("gains"), np.arange(3.0), strict=True)
    assert synthesis == {"num_layers": 2, "cutoff": 2.5, "shape": (4, 4)}
    assert type(synthesis["cutoff"]) is float
    assert found.init_args == ()
    assert found.attributes == {"w_dim": 8, "num_ws": 16}
    assert found.settings == {**found.attributes, **found.init_kwargs}


def test_what_a_constructor_was_given_by_position_is_kept(tmp_path: Path) -> None:
    generator = Generator(8, [None, (1, 2.5)], True, z_dim=4)
    generator.z_dim = 9  # type: ignore[assignment]
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=generator)))["G"]
    assert found.init_args == (8, [None, (1, 2.5)], True)
    assert found.settings == {"z_dim": 4}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_networks_of_a_snapshot_are_read(tmp_path: Path, protocol: int) -> None:
    state = {"b16.fromrgb.weight": np.ones((2, 3, 1, 1), np.float32), "b4.mbstd.count": np.array(4)}
    networks = {
        "G": network_of(Generator, {"synthesis.input.freqs": np.eye(2, dtype=np.float32)}, c_dim=3),
        "D": network_of(Discriminator, state, c_dim=3),
        "G_ema": network_of(Generator, {"synthesis.b4.const": np.zeros((4, 2, 2), np.float32)}, c_dim=3),
    }
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(**networks), protocol))
    assert {key: network.class_name for key, network in found.items()} == {
        "G": "Generator",
        "D": "Discriminator",
        "G_ema": "Generator",
    }
    for key, network in networks.items():
        assert_same_state(found[key].state, network)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_published_parameter_names_are_read(shared: Path, tmp_path: Path, name: str, protocol: int) -> None:
    with np.load(shared / "reference" / "networks" / f"{name}.npz") as file:
        state = {key.removeprefix("state/"): file[key] for key in file.files if key.startswith("state/")}
        config = json.loads(str(file["config"]))
    generator = network_of(Generator, state, **config)
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G_ema=generator), protocol))["G_ema"]
    assert found.init_kwargs == config
    assert_same_state(found.state, generator)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_numbers_of_all_kinds_keep_theirs(tmp_path: Path, dtype: torch.dtype) -> None:
    network = Network()
    network.register_buffer("numbers", torch.tensor([[0, 1], [1, 0]]).to(dtype))
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network)))["G"]
    assert_same_state(found.state, network)


@pytest.mark.parametrize("is_zip", [False, True])
def test_storages_are_read_from_both_forms_of_torch_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_zip: bool
) -> None:
    save = torch.save

    def save_in_form(value: Any, file: io.BytesIO, **_: Any) -> None:
        save(value, file, _use_new_zipfile_serialization=is_zip)

    monkeypatch.setattr(torch, "save", save_in_form)
    generator = small_generator()
    data = dumps(snapshot(G=generator), 4)
    assert (b"PK\x03\x04" in data) == is_zip
    (tmp_path / "s.pkl").write_bytes(data)
    assert_same_state(read_networks(tmp_path / "s.pkl")["G"].state, generator)


def test_shared_layers_and_parameters_are_read_under_each_name(tmp_path: Path) -> None:
    network = Network()
    network.first = Network()
    network.first.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    network.second = network.first
    network.again = network.first.weight
    found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network)))["G"]
    assert_same_state(found.state, network)
    assert not np.shares_memory(found.state["again"], found.state["first.weight"])


def test_module_lists_and_hooks_are_read_as_torch_layers(tmp_path: Path) -> None:
    network = Network()
    network.layers = torch.nn.ModuleList([torch.nn.Linear(1, 2), torch.nn.ModuleDict({"a": torch.nn.PReLU()})])
    network.names = OrderedDict(a=1)  # type: ignore[assignment]
    network.seen = frozenset({"a", 3})  # type: ignore[assignment]
    for protocol in PROTOCOLS:
        found = read_networks(write_snapshot(tmp_path / "s.pkl", snapshot(G=network), protocol))["G"]
        assert_same_state(found.state, network)


def test_reading_loads_no_torch(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path / "s.pkl", snapshot(G=small_generator()))
    program = (
        "import sys, pathlib\nfrom crowdgan_stylegan3.io.pickle_reader import read_networks\n"
        "found = read_networks(pathlib.Path(sys.argv[1]))\nprint(list(found), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['G'] False"


def test_a_snapshot_without_networks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "s.pkl"
    for value, problem in [
        (snapshot(), "a pickle of a dict without networks; a snapshot has G, D, G_ema"),
        ([1], "a pickle of a list without networks; a snapshot has G, D, G_ema"),
        ({"G": 3}, "refused: 3 where a network belongs"),
    ]:
        with pytest.raises(CheckpointError) as caught:
            read_networks(write_snapshot(path, value))
        assert str(caught.value) == f"{path}: {problem}"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pkl: cannot be read \(No such file"):
        read_networks(tmp_path / "none.pkl")
    with pytest.raises(CheckpointError, match=f"{tmp_path}: no file"):
        read_networks(tmp_path)
