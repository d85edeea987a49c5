"""Estimates of memory and time before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.reporting import resources as estimate
from crowdgan_stylegan3.training.reporting.resources import (
    activation_bytes,
    choose_micro_batch,
    estimate_resources,
    free_bytes,
    state_bytes,
)
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from tests.support.training import CLASS_LABELS, small_config, small_options


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_larger_networks_take_more(variant: str) -> None:
    small, large = small_config(variant=variant), small_config(variant=variant, channel_base=1024, channel_max=64)
    assert activation_bytes(large) > 2 * activation_bytes(small) > 0
    assert state_bytes(large) > 2 * state_bytes(small) > 0


def test_the_largest_micro_batch_that_fits_in_memory_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = small_config(batch=32)
    each, state = activation_bytes(settings), state_bytes(settings)
    possible = small_options(batch=32).micro_batch_candidates
    assert possible == [32, 16, 8, 4]
    for count in possible:
        room = (state + 1.01 * count * each) / estimate.USABLE_MEMORY_FRACTION
        monkeypatch.setattr(estimate, "free_bytes", lambda _device, room=room: room)
        assert choose_micro_batch(settings, possible, DistributedContext()) == count
    monkeypatch.setattr(estimate, "free_bytes", lambda _device: state)
    with pytest.raises(ConfigError, match=r"a micro-batch of 4 images needs about .* are free; reduce --cbase"):
        choose_micro_batch(settings, possible, DistributedContext())
    assert choose_micro_batch(settings, [4], DistributedContext()) == 4  # an explicit choice is tried


def test_the_free_memory_is_that_of_the_machine() -> None:
    assert 2**24 < free_bytes(torch.device("cpu")) < 2**46


def test_a_container_has_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "CGROUP_PATH", tmp_path)
    (tmp_path / "memory.max").write_text("9000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    assert free_bytes(torch.device("cpu")) == 5_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(torch.device("cpu")) > 2**24


def test_the_time_is_that_of_a_step() -> None:
    settings, choices = small_config(), small_options(total_kimg=20)
    found = estimate_resources(settings, choices.schedule(batch_gpu=4), CLASS_LABELS, DistributedContext(), gpus=1)
    assert found.sec_per_kimg > 0
    assert found.describe().endswith(" for 20 kimg")
    halved = estimate_resources(settings, choices.schedule(batch_gpu=4), CLASS_LABELS, DistributedContext(), gpus=1000)
    assert halved.sec_per_kimg < found.sec_per_kimg
