"""Estimates of memory and time before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils import cgroup
from crowdgan_stylegan3.training.reporting import resources
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
def test_larger_networks_need_more_memory(variant: str) -> None:
    small, large = small_config(variant=variant), small_config(variant=variant, channel_base=1024, channel_max=64)
    assert activation_bytes(large) > 2 * activation_bytes(small) > 0
    assert state_bytes(large) > 2 * state_bytes(small) > 0


def test_the_largest_micro_batch_that_fits_in_memory_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_config(batch=32)
    image_bytes, network_bytes = activation_bytes(config), state_bytes(config)
    candidates = small_options(batch=32).micro_batch_candidates
    assert candidates == [32, 16, 8, 4]
    for count in candidates:
        available_bytes = (network_bytes + 1.01 * count * image_bytes) / resources.USABLE_MEMORY_FRACTION
        monkeypatch.setattr(resources, "free_bytes", lambda _device, available_bytes=available_bytes: available_bytes)
        assert choose_micro_batch(config, candidates, DistributedContext()) == count
    monkeypatch.setattr(resources, "free_bytes", lambda _device: network_bytes)
    with pytest.raises(ConfigError, match=r"a micro-batch of 4 images needs about .* are free; reduce --cbase"):
        choose_micro_batch(config, candidates, DistributedContext())
    assert choose_micro_batch(config, [4], DistributedContext()) == 4  # a size set by the user is not checked


def test_the_free_memory_is_plausible() -> None:
    assert 2**24 < free_bytes(torch.device("cpu")) < 2**46


def test_the_memory_limit_of_a_container_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "CGROUP_PATH", tmp_path)
    (tmp_path / "memory.max").write_text("9000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    assert free_bytes(torch.device("cpu")) == 5_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(torch.device("cpu")) > 2**24


def test_the_time_is_measured_and_divided_by_the_number_of_gpus() -> None:
    config, options = small_config(), small_options(total_kimg=20)
    one_gpu = estimate_resources(config, options.schedule(batch_gpu=4), CLASS_LABELS, DistributedContext(), gpus=1)
    assert one_gpu.sec_per_kimg > 0
    assert one_gpu.describe().endswith(" for 20 kimg")
    many_gpus = estimate_resources(config, options.schedule(batch_gpu=4), CLASS_LABELS, DistributedContext(), gpus=1000)
    assert many_gpus.sec_per_kimg < one_gpu.sec_per_kimg
