"""Distributed training on a CPU: two processes have the gradients of one process with the same batch."""

from __future__ import annotations

import json
import os
import re
import socket
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
    RankFailure,
    check_gpus,
    describe_failures,
    init_distributed,
)
from crowdgan_stylegan3.training.runtime.torchrun import check_restartable, torchrun_world_size
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


@pytest.fixture(scope="module")
def scenario_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the results of both ranks of each scenario."""
    if sys.platform == "win32":
        pytest.skip("forks processes")
    folder = tmp_path_factory.mktemp("scenarios")
    command = [sys.executable, str(ROOT / "tests" / "support" / "rank_scenarios.py"), str(folder)]
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert run.returncode == 0, run.stderr
    return folder


HOST = socket.gethostname()

MISSING, DIFFERENT = "data.zip: no such file", f"rank 1 on {HOST}: the number of images is 23; on rank 0 it is 24"


@pytest.mark.parametrize(
    ("scenario", "results"),
    [
        ("run_long_task", ["done", "done"]),
        ("send_tensors", [{"a": [0, 1, 2], "b": 7}] * 2),
        ("fail_alike", [["ConfigError", MISSING], ["SharedError", MISSING]]),
        ("fail_on_main", [["ConfigError", "the run has finished"], ["SharedError", "the run has finished"]]),
        ("fail_on_rank_1", [[kind, f"rank 1 on {HOST}: {MISSING}"] for kind in ("ConfigError", "SharedError")]),
        ("differ", [["ConfigError", DIFFERENT], ["SharedError", DIFFERENT]]),
    ],
)
def test_results_and_errors_of_common_tasks_are_those_of_all_ranks(
    scenario: str, results: list[object], scenario_results: Path
) -> None:
    assert [json.loads((scenario_results / f"{scenario}{rank}").read_text()) for rank in (0, 1)] == results


@pytest.mark.parametrize(
    ("scenario", "problem"),
    [("fail_alone", r"has ended \(.+\)"), ("hang", r"has not answered for 2s \(Timed out .+\)")],
)
def test_a_rank_that_ends_or_hangs_ends_the_others(scenario: str, problem: str, scenario_results: Path) -> None:
    kind, text = json.loads((scenario_results / f"{scenario}0").read_text())
    assert kind == "LostRankError"
    assert re.fullmatch(
        rf"rank 0 on {HOST}: another rank {problem}; the same command resumes from the last checkpoint",
        text,
    )


def test_the_error_of_one_rank_names_it(scenario_results: Path) -> None:
    error = json.loads((scenario_results / "fail_alone1").read_text())
    assert error == ["ConfigError", f"rank 1 on {HOST}: img7.png: damaged"]


def test_failures_are_listed_by_machine() -> None:
    failures = [RankFailure(rank, f"node{rank // 8}", ConfigError, "no GPU") for rank in range(5, 16)]
    failures.append(RankFailure(16, "node2", ConfigError, "no data"))
    assert describe_failures(failures, 24) == (
        "ranks 5, 6, 7 on node0: no GPU; ranks 8, 9, 10, 11 and 4 more on node1: no GPU; rank 16 on node2: no data"
    )


def test_new_runs_are_not_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    check_restartable(new=True)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    check_restartable(new=False)
    with pytest.raises(ConfigError, match="--new with --max-restarts 3: each restart would start another run"):
        check_restartable(new=True)


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
