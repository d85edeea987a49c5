"""Checkpoints: exact resumption, contents, and invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import read_card
from crowdgan_stylegan3.training.checkpoints.training_state import (
    CHECKPOINT_KEY,
    is_checkpoint,
    read_checkpoint,
    restore_trainer,
    save_checkpoint,
)
from crowdgan_stylegan3.training.config.training_config import TrainingConfig
from crowdgan_stylegan3.training.reporting.model_card import training_card
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASS_LABELS, SIDE_PX, small_config


def create_trainer(config: TrainingConfig) -> Trainer:
    return Trainer(
        config,
        Networks.random(config),
        DistributedContext(),
        batch_gpu=config.batch,
        labels=CLASS_LABELS,
    )


def run_steps(trainer: Trainer, first: int, count: int) -> None:
    """Trains `count` steps on random images from seed `first`."""
    for number in range(first, first + count):
        random = torch.Generator().manual_seed(number)
        images = torch.randint(256, (trainer.config.batch, 3, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=random)
        trainer.step((images, torch.eye(3)[torch.randint(3, (trainer.config.batch,), generator=random)]))


def save(trainer: Trainer, path: Path) -> Path:
    """Saves a checkpoint; returns its path."""
    save_checkpoint(path, trainer, training_card(trainer.config, CLASS_LABELS), {"tick": 3, "seconds": 1.5})
    return path


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_training_resumes_exactly_from_a_checkpoint(variant: str, tmp_path: Path) -> None:
    config = small_config(variant=variant)
    uninterrupted = create_trainer(config)
    run_steps(uninterrupted, 0, 7)
    before = create_trainer(config)
    run_steps(before, 0, 5)  # between two updates of the augmentation probability
    after = create_trainer(config)
    restore_trainer(after, read_checkpoint(save(before, tmp_path / "checkpoint.safetensors")))
    run_steps(after, 5, 2)
    for name in ("generator", "discriminator", "generator_ema"):
        expected, actual = getattr(uninterrupted, name).state_dict(), getattr(after, name).state_dict()
        assert all(torch.equal(tensor, actual[key]) for key, tensor in expected.items())
    assert uninterrupted.ada.state() == after.ada.state()
    assert uninterrupted.ada.p > 0 or uninterrupted.ada.state()["arriving"] is not None
    assert (after.nimg, after.step_count) == (uninterrupted.nimg, uninterrupted.step_count) == (28, 7)
    assert torch.equal(uninterrupted.path_length_mean, after.path_length_mean)


def test_a_checkpoint_contains_config_card_and_clock(tmp_path: Path) -> None:
    trainer = create_trainer(small_config())
    path = save(trainer, tmp_path / "checkpoint.safetensors")
    checkpoint = read_checkpoint(path)
    assert (checkpoint.config, checkpoint.nimg, checkpoint.clock) == (trainer.config, 0, {"tick": 3, "seconds": 1.5})
    assert checkpoint.card.classes == CLASS_LABELS.classes
    assert checkpoint.weights("D").keys() == trainer.discriminator.state_dict().keys()
    assert is_checkpoint(path)
    with pytest.raises(CheckpointError, match="not a crowdgan model; the safetensors file has no model card"):
        read_card(path)


def test_a_checkpoint_overwrites_the_previous_one(tmp_path: Path) -> None:
    trainer = create_trainer(small_config())
    path = save(trainer, tmp_path / "checkpoint.safetensors")
    run_steps(trainer, 0, 1)
    save(trainer, path)
    assert read_checkpoint(path).nimg == 4
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a training checkpoint, or damaged"),
        (b"\x80\x04.", "not a training checkpoint, or damaged"),
        (safetensors.torch.save({"a": torch.zeros(1)}), "a safetensors file, but not a training checkpoint"),
        (safetensors.torch.save({"a": torch.zeros(1)}, {CHECKPOINT_KEY: "{"}), "invalid checkpoint record"),
        (
            safetensors.torch.save({"a": torch.zeros(1)}, {CHECKPOINT_KEY: json.dumps({"format": 9})}),
            "invalid checkpoint record",
        ),
    ],
)
def test_invalid_checkpoints_are_errors(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "invalid.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_checkpoint_of_different_networks_is_an_error(tmp_path: Path) -> None:
    path = save(create_trainer(small_config()), tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors: missing weights"):
        restore_trainer(create_trainer(small_config(channel_max=4)), read_checkpoint(path))


def test_a_truncated_checkpoint_is_an_error(tmp_path: Path) -> None:
    path = save(create_trainer(small_config()), tmp_path / "checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a training checkpoint, or damaged"):
        read_checkpoint(path)
