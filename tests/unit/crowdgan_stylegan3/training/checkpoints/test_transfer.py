"""Initialisation from a model: matching tensors are copied, others are reported; added labels keep the images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.training.checkpoints.training_state import save_checkpoint
from crowdgan_stylegan3.training.checkpoints.transfer import (
    network_options,
    read_generator_config,
    read_weights,
    transfer_weights,
)
from crowdgan_stylegan3.training.reporting.model_card import training_card
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.official_snapshots import Discriminator, Generator, build_network, snapshot, write_snapshot
from tests.support.training import CLASS_LABELS, small_config


def create_networks(label_dim: int, seed: int, **changes: object) -> Networks:
    result = Networks.random(small_config(label_dim, seed=seed, **changes))
    result.generator_ema.mapping.w_avg.fill_(seed)
    return result


def states_of(source: Networks) -> Mapping[str, Mapping[str, Tensor]]:
    parts = {"G": source.generator, "D": source.discriminator, "G_ema": source.generator_ema}
    return {name: network.state_dict() for name, network in parts.items()}


def test_equal_networks_are_copied_completely() -> None:
    source, target = create_networks(3, 1), create_networks(3, 2)
    reports = transfer_weights(states_of(source), target)
    assert [(report.network, report.skipped) for report in reports] == [("G", ()), ("D", ()), ("G_ema", ())]
    for name, state in states_of(target).items():
        assert all(torch.equal(tensor, states_of(source)[name][key]) for key, tensor in state.items())
    assert reports[0].describe() == f"G: {reports[0].num_copied} of {reports[0].num_copied} tensors copied"


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_a_model_without_labels_keeps_its_images_when_labels_are_added(variant: str) -> None:
    source, target = create_networks(0, 1, variant=variant), create_networks(3, 2, variant=variant)
    transfer_weights(states_of(source), target)
    z = torch.randn(3, target.generator.config.z_dim)
    for before, after in (
        (source.generator, target.generator.eval()),
        (source.generator_ema, target.generator_ema),
    ):
        with torch.no_grad():
            assert torch.allclose(before(z), after(z, torch.eye(3)), atol=1e-5)


def test_added_label_weights_are_trained() -> None:
    target = create_networks(3, 2)
    transfer_weights(states_of(create_networks(0, 1)), target)
    ws = target.generator.requires_grad_(True).mapping(torch.randn(2, target.generator.config.z_dim), torch.eye(3)[:2])
    ws.square().sum().backward()
    gradient = target.generator.mapping.get_submodule("fc0").weight.grad
    assert isinstance(gradient, Tensor)
    assert gradient[:, -target.generator.config.w_dim :].abs().sum() > 0


def test_tensors_of_other_shapes_are_reported() -> None:
    reports = transfer_weights(states_of(create_networks(0, 1)), create_networks(3, 2))
    assert reports[0].skipped == ("mapping.embed.weight (not in the model)", "mapping.embed.bias (not in the model)")
    assert any(item.startswith("b4.out.weight (shape [8, 8], in the model [1, 8])") for item in reports[1].skipped)
    assert "randomly initialised: mapping.embed.weight (not in the model)" in reports[0].describe()


def test_a_model_initialises_both_generators_but_no_discriminator(tmp_path: Path) -> None:
    source, target = create_networks(3, 1), create_networks(3, 2)
    path = tmp_path / "model.safetensors"
    save_network(source.generator_ema, generator_card(source.generator_ema.config, (), {}), path)
    before = target.discriminator.state_dict()["b4.fc.weight"].clone()
    reports = transfer_weights(read_weights(path), target)
    assert reports[1].describe() == "D: no tensors copied; randomly initialised"
    assert torch.equal(before, target.discriminator.state_dict()["b4.fc.weight"])
    for network in (target.generator, target.generator_ema):
        assert torch.equal(network.mapping.w_avg, source.generator_ema.mapping.w_avg)


def test_a_checkpoint_initialises_all_networks(tmp_path: Path) -> None:
    config = small_config(3, seed=1)
    trainer = Trainer(config, create_networks(3, 1), DistributedContext(), batch_gpu=4, labels=CLASS_LABELS)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, trainer, training_card(config, CLASS_LABELS), {})
    reports = transfer_weights(read_weights(path), create_networks(3, 2))
    assert [report.skipped for report in reports] == [(), (), ()]


def test_an_official_snapshot_initialises_all_networks(tmp_path: Path) -> None:
    source, target = create_networks(0, 1), create_networks(3, 2)
    states = {name: {key: tensor.numpy() for key, tensor in state.items()} for name, state in states_of(source).items()}
    classes_by_name = {"G": Generator, "D": Discriminator, "G_ema": Generator}
    official = {name: build_network(classes_by_name[name], state, c_dim=0) for name, state in states.items()}
    path = write_snapshot(tmp_path / "network-snapshot-000100.pkl", snapshot(**official))
    reports = transfer_weights(read_weights(path), target)
    assert reports[0].skipped == reports[2].skipped
    assert [name.split(" ")[0] for name in reports[0].skipped] == ["mapping.embed.weight", "mapping.embed.bias"]
    weight = "b16.conv0.weight"
    assert torch.equal(target.discriminator.state_dict()[weight], source.discriminator.state_dict()[weight])


@pytest.mark.parametrize("name", ["no.safetensors", "no.pkl"])
def test_a_missing_source_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pkl"])
def test_a_damaged_source_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=name):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_the_options_of_a_model_define_the_same_networks(tmp_path: Path, variant: str) -> None:
    config = small_config(3, variant=variant, latent_dim=12, channel_max=6)
    path = tmp_path / "model.safetensors"
    save_network(Networks.random(config).generator_ema, training_card(config, CLASS_LABELS), path)
    generator_config = read_generator_config(path)
    assert generator_config == config.generator
    other = small_config(3, **network_options(generator_config))
    assert (other.generator, other.discriminator) == (config.generator, config.discriminator)
