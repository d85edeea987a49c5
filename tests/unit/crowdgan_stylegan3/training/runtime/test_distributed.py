"""Distributed training on a CPU: two processes have the gradients of one process with the same batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import Variant
from crowdgan_stylegan3.training.runtime.distributed import (
    DistributedContext,
    check_gpus,
    init_distributed,
    torchrun_world_size,
)
from tests.support.step_gradients import VARIANTS, save_gradients

ROOT = Path(__file__).parents[5]

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture(scope="module")
def distributed_gradients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the gradients of each variant, from a step of two processes."""
    folder = tmp_path_factory.mktemp("distributed")
    command = [sys.executable, *TORCHRUN, str(ROOT / "tests" / "support" / "step_gradients.py"), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=240)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_of_two_processes_equal_those_of_one(
    variant: Variant, distributed_gradients: Path, tmp_path: Path
) -> None:
    save_gradients(tmp_path / variant, variant, DistributedContext())
    single, distributed = load_file(tmp_path / variant), load_file(distributed_gradients / variant)
    assert single.keys() == distributed.keys()
    assert sum(name.startswith(("Generator/", "Discriminator/")) for name in single) > 50
    for name, tensor in single.items():
        scale = float(tensor.abs().max())
        assert torch.allclose(tensor, distributed[name], rtol=1e-4, atol=1e-4 * scale), name


def test_a_single_process_has_rank_0_and_world_size_1() -> None:
    assert torchrun_world_size() is None
    with init_distributed("cpu") as context:
        assert (context.rank, context.world_size, context.is_main, context.device.type) == (0, 1, True, "cpu")
    tensor = torch.tensor([1.0, 2.0])
    assert DistributedContext().all_reduce_sum(tensor) is tensor
    assert DistributedContext().all_reduce_max(3) == DistributedContext().all_reduce_min(3) == 3


def test_several_gpus_without_a_gpu_are_an_error() -> None:
    check_gpus(1, "cpu")
    with pytest.raises(ConfigError, match="--gpus 2: training on a CPU uses one process; use --gpus 1"):
        check_gpus(2, "cpu")
