"""Checkpoints: all of the state comes back, and what is no checkpoint is refused."""

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
from crowdgan_stylegan3.training.reporting.snapshots import training_card
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from crowdgan_stylegan3.training.trainer import Networks, Trainer
from tests.support.training import CLASS_LABELS, CLASSES, SIDE_PX, small_config


def learner(settings: TrainingConfig) -> Trainer:
    return Trainer(
        settings,
        Networks.random(settings),
        DistributedContext(),
        batch_gpu=settings.batch,
        labels=CLASS_LABELS.vectors,
        classes=CLASSES,
    )


def steps(own: Trainer, first: int, count: int) -> None:
    for number in range(first, first + count):
        random = torch.Generator().manual_seed(number)
        images = torch.randint(256, (own.config.batch, 3, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=random)
        own.step((images, torch.eye(3)[torch.randint(3, (own.config.batch,), generator=random)]))


def saved(own: Trainer, path: Path) -> Path:
    save_checkpoint(path, own, training_card(own.config, CLASS_LABELS), {"tick": 3, "seconds": 1.5})
    return path


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_a_learner_goes_on_from_a_checkpoint_as_if_nothing_had_happened(variant: str, tmp_path: Path) -> None:
    settings = small_config(variant=variant)
    straight = learner(settings)
    steps(straight, 0, 7)
    before = learner(settings)
    steps(before, 0, 5)  # between two changes of the augmentation
    after = learner(settings)
    restore_trainer(after, read_checkpoint(saved(before, tmp_path / "checkpoint.safetensors")))
    steps(after, 5, 2)
    for name in ("generator", "discriminator", "generator_ema"):
        one, other = getattr(straight, name).state_dict(), getattr(after, name).state_dict()
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert straight.ada.state() == after.ada.state()
    assert straight.ada.p > 0 or straight.ada.state()["arriving"] is not None
    assert (after.nimg, after.step_count) == (straight.nimg, straight.step_count) == (28, 7)
    assert torch.equal(straight.path_length_mean, after.path_length_mean)


def test_a_checkpoint_says_what_it_is(tmp_path: Path) -> None:
    own = learner(small_config())
    path = saved(own, tmp_path / "checkpoint.safetensors")
    checkpoint = read_checkpoint(path)
    assert (checkpoint.config, checkpoint.nimg, checkpoint.clock) == (own.config, 0, {"tick": 3, "seconds": 1.5})
    assert checkpoint.card.classes == CLASSES
    assert checkpoint.weights("D").keys() == own.discriminator.state_dict().keys()
    assert is_checkpoint(path)
    with pytest.raises(CheckpointError, match="not a crowdgan model; the safetensors file has no model card"):
        read_card(path)


def test_a_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    own = learner(small_config())
    path = saved(own, tmp_path / "checkpoint.safetensors")
    steps(own, 0, 1)
    saved(own, path)
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
def test_what_is_no_checkpoint_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    path = saved(learner(small_config()), tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors: missing weights"):
        restore_trainer(learner(small_config(channel_max=4)), read_checkpoint(path))


def test_a_checkpoint_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = saved(learner(small_config()), tmp_path / "checkpoint.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a training checkpoint, or damaged"):
        read_checkpoint(path)
