"""Training from a model: what fits is taken, what does not is told, and labels may be added without losing images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.training.checkpoints.training_state import save_checkpoint
from crowdgan_stylegan3.training.checkpoints.transfer import read_weights, transfer
from crowdgan_stylegan3.training.reporting.snapshots import training_card
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.official_snapshots import Discriminator, Generator, network_of, snapshot, write_snapshot
from tests.support.training import CLASS_LABELS, small_settings


def networks(label_dim: int, seed: int, **changes: object) -> Networks:
    made = Networks.random(small_settings(label_dim, seed=seed, **changes))
    made.generator_ema.mapping.w_avg.fill_(seed)
    return made


def all_of(source: Networks) -> Mapping[str, Mapping[str, Tensor]]:
    parts = {"G": source.generator, "D": source.discriminator, "G_ema": source.generator_ema}
    return {name: network.state_dict() for name, network in parts.items()}


def test_the_same_networks_are_taken_whole() -> None:
    source, into = networks(3, 1), networks(3, 2)
    found = transfer(all_of(source), into)
    assert [(part.network, part.left) for part in found] == [("G", ()), ("D", ()), ("G_ema", ())]
    for name, state in all_of(into).items():
        assert all(torch.equal(tensor, all_of(source)[name][key]) for key, tensor in state.items())
    assert found[0].describe() == f"G: {found[0].taken} of {found[0].taken} tensors were taken"


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_a_model_without_labels_keeps_its_images_when_labels_are_added(variant: str) -> None:
    source, into = networks(0, 1, variant=variant), networks(3, 2, variant=variant)
    transfer(all_of(source), into)
    z = torch.randn(3, into.generator.settings.z_dim)
    for before, after in (
        (source.generator, into.generator.eval()),
        (source.generator_ema, into.generator_ema),
    ):
        with torch.no_grad():
            assert torch.allclose(before(z), after(z, torch.eye(3)), atol=1e-5)


def test_the_label_learns_from_there() -> None:
    into = networks(3, 2)
    transfer(all_of(networks(0, 1)), into)
    ws = into.generator.requires_grad_(True).mapping(torch.randn(2, into.generator.settings.z_dim), torch.eye(3)[:2])
    ws.square().sum().backward()
    gradient = into.generator.mapping.get_submodule("fc0").weight.grad
    assert isinstance(gradient, Tensor)
    assert gradient[:, -into.generator.settings.w_dim :].abs().sum() > 0


def test_what_does_not_fit_is_told() -> None:
    found = transfer(all_of(networks(0, 1)), networks(3, 2))
    assert found[0].left == ("mapping.embed.weight (not in the model)", "mapping.embed.bias (not in the model)")
    assert any(item.startswith("b4.out.weight ([8, 8], in the model [1, 8])") for item in found[1].left)
    assert "starting anew: mapping.embed.weight (not in the model)" in found[0].describe()


def test_a_model_gives_both_generators_and_no_discriminator(tmp_path: Path) -> None:
    source, into = networks(3, 1), networks(3, 2)
    path = tmp_path / "model.safetensors"
    save_network(source.generator_ema, generator_card(source.generator_ema.settings, (), {}), path)
    before = into.discriminator.state_dict()["b4.fc.weight"].clone()
    found = transfer(read_weights(path), into)
    assert found[1].describe() == "D: nothing was taken; it starts anew"
    assert torch.equal(before, into.discriminator.state_dict()["b4.fc.weight"])
    for network in (into.generator, into.generator_ema):
        assert torch.equal(network.mapping.w_avg, source.generator_ema.mapping.w_avg)


def test_a_checkpoint_gives_all_networks(tmp_path: Path) -> None:
    settings = small_settings(3, seed=1)
    made = networks(3, 1)
    own = Trainer(settings, made, DistributedContext(), batch_gpu=4, labels=np.eye(3, dtype=np.float32), classes=())
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, own, training_card(settings, CLASS_LABELS), {})
    found = transfer(read_weights(path), networks(3, 2))
    assert [part.left for part in found] == [(), (), ()]


def test_an_official_snapshot_gives_all_networks(tmp_path: Path) -> None:
    source, into = networks(0, 1), networks(3, 2)
    states = {name: {key: tensor.numpy() for key, tensor in state.items()} for name, state in all_of(source).items()}
    kinds = {"G": Generator, "D": Discriminator, "G_ema": Generator}
    official = {name: network_of(kinds[name], state, c_dim=0) for name, state in states.items()}
    path = write_snapshot(tmp_path / "network-snapshot-000100.pkl", snapshot(**official))
    found = transfer(read_weights(path), into)
    assert found[0].left == found[2].left
    assert [name.split(" ")[0] for name in found[0].left] == ["mapping.embed.weight", "mapping.embed.bias"]
    weight = "b16.conv0.weight"
    assert torch.equal(into.discriminator.state_dict()[weight], source.discriminator.state_dict()[weight])


@pytest.mark.parametrize("name", ["no.safetensors", "no.pkl"])
def test_a_source_that_is_missing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pkl"])
def test_a_source_that_is_damaged_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=name):
        read_weights(tmp_path / name)
