"""`crowdgan stylegan3 import` converts official snapshots to models that generate the same images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.models.card import read_card
from crowdgan_stylegan3.cli import import_
from crowdgan_stylegan3.config import VARIANTS, Variant, generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from crowdgan_stylegan3.io.official_snapshot import read_official_snapshot
from crowdgan_stylegan3.io.safetensors_files import load_network
from crowdgan_stylegan3.networks.generator import Generator as OurGenerator
from tests.support.official_snapshots import Generator, build_network, snapshot, write_official, write_snapshot
from tests.support.recorded_values import load_arrays, network_config, network_state


def small(variant: Variant) -> OurGenerator:
    settings = generator_config(variant, resolution=16, label_dim=3, channel_base=256, channel_max=8)
    return random_generator(replace(settings, z_dim=6, w_dim=10), seed=2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_imported_model_generates_the_same_images(tmp_path: Path, variant: Variant) -> None:
    generator = small(variant)
    path = write_official(tmp_path / "network-snapshot-000100.pkl", generator)
    result = CliRunner().invoke(
        import_.command, [str(path), "--classes", "sparse,medium,dense"], catch_exceptions=False
    )
    assert result.exit_code == 0
    model = tmp_path / "network-snapshot-000100.safetensors"
    imported, card = load_network(model)
    assert (card.classes, card.resolution, card.label_kind) == (("sparse", "medium", "dense"), (16, 16), "class")
    assert card.provenance == {"imported from": "network-snapshot-000100.pkl", "network": "G_ema"}
    z, c = torch.randn(2, 6), torch.eye(3)[:2]
    with torch.no_grad():
        assert torch.equal(imported(z, c), generator(z, c))


@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_imported_networks_equal_recorded_numbers(tmp_path: Path, name: str) -> None:
    data = load_arrays(f"networks/{name}")
    config = network_config(data)
    del config["cfg"]
    network = build_network(Generator, network_state(data), **config)
    path = write_snapshot(tmp_path / "n.pkl", snapshot(G_ema=network))
    generator, _ = read_official_snapshot(path)
    with torch.no_grad():
        images = generator(torch.from_numpy(data["z"]), torch.from_numpy(data["c"])).numpy()
    assert np.abs(images - data["img"]).max() <= 1e-4 * np.abs(data["img"]).max()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"channel_max": 4}, "missing weights: synthesis.L0_36_4.affine.bias"),
        ({"w_dim": 12}, "synthesis.input.affine.weight is torch.float32 [4, 10]; it must be torch.float32 [4, 12]"),
        ({"architecture": "orig", "c_dim": 3}, "unsupported settings: architecture='orig'"),
        ({"architecture": {}}, "unsupported settings: architecture={}"),
        ({"img_resolution": 17}, "settings: resolution is 17; it must be a power of two"),
        ({"c_dim": 0}, "unknown weights: mapping.embed.bias"),
    ],
)
def test_unsupported_settings_are_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    path = write_official(tmp_path / "n.pkl", small("stylegan3-t"), **changes)
    with pytest.raises(CheckpointError) as caught:
        read_official_snapshot(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_a_missing_network_and_wrong_class_names_are_errors(tmp_path: Path) -> None:
    path = write_official(tmp_path / "n.pkl", small("stylegan3-t"))
    with pytest.raises(CheckpointError, match=r"n\.pkl: no network G; choose from G_ema"):
        read_official_snapshot(path, which="G")
    with pytest.raises(ConfigError, match="2 class names for a model with label_dim 3"):
        read_official_snapshot(path, classes=("sparse", "dense"))


def test_the_snapshot_is_not_overwritten(tmp_path: Path) -> None:
    path = write_official(tmp_path / "n.pkl", small("stylegan2"))
    before = path.read_bytes()
    result = CliRunner().invoke(import_.command, [str(path), "--dest", str(path), "--overwrite"])
    assert isinstance(result.exception, ConfigError)
    assert path.read_bytes() == before


def test_a_malicious_snapshot_leaves_no_files(tmp_path: Path) -> None:
    path = tmp_path / "n.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    result = CliRunner().invoke(import_.command, [str(path)])
    assert isinstance(result.exception, CheckpointError)
    assert [item.name for item in tmp_path.iterdir()] == ["n.pkl"]


def test_class_names_are_optional(tmp_path: Path) -> None:
    path = write_official(tmp_path / "n.pkl", small("stylegan2"))
    dest = tmp_path / "model.safetensors"
    CliRunner().invoke(import_.command, [str(path), "--dest", str(dest)], catch_exceptions=False)
    assert read_card(dest).classes == ()
    assert read_card(dest).label_dim == 3
