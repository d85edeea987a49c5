"""Two processes on a CPU do what one does with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.runtime.distributed import (
    DistributedContext,
    check_gpus,
    init_distributed,
    torchrun_world_size,
)

ROOT = Path(__file__).parents[5]

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r"])
def test_two_processes_give_the_gradients_of_one_with_the_whole_batch(variant: str, tmp_path: Path) -> None:
    for name, start in (("one", []), ("two", TORCHRUN)):
        command = [
            sys.executable,
            *start,
            str(ROOT / "tests" / "support" / "step_gradients.py"),
            str(tmp_path / name),
            variant,
        ]
        run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=240)
        assert run.returncode == 0, run.stderr
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    assert sum(name.startswith(("Generator/", "Discriminator/")) for name in one) > 50
    for name, tensor in one.items():
        scale = float(tensor.abs().max())
        assert torch.allclose(tensor, two[name], rtol=1e-4, atol=1e-4 * scale), name


def test_a_process_alone_is_a_world_of_its_own() -> None:
    assert torchrun_world_size() is None
    with init_distributed("cpu") as world:
        assert (world.rank, world.world_size, world.is_main, world.device.type) == (0, 1, True, "cpu")
    tensor = torch.tensor([1.0, 2.0])
    assert DistributedContext().all_reduce_sum(tensor) is tensor
    assert DistributedContext().all_reduce_max(3) == DistributedContext().all_reduce_min(3) == 3


def test_gpus_that_are_missing_are_refused() -> None:
    check_gpus(1, "cpu")
    with pytest.raises(ConfigError, match="--gpus 2: training on a CPU uses one process; use --gpus 1"):
        check_gpus(2, "cpu")
