"""`crowdgan train stylegan3` from the command line: killed, stopped and resumed runs, and several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file as read_tensors

from crowdgan_stylegan3.training.checkpoints.training_state import Checkpoint, read_checkpoint
from crowdgan_stylegan3.training.runtime.torchrun import torchrun_command
from tests.support.forked_commands import Command, run_command, start_command
from tests.support.training import write_dataset

if sys.platform == "win32":
    pytest.skip("needs POSIX signals", allow_module_level=True)

SMALL_RUN = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "4", "--workers", "0", "--tick", "0.004"]

STEP_KIMG = 0.004
"""Length of a training step in kimg."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

TIMEOUT_S = 240


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP dataset of three classes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds.zip")


def train(*arguments: str | Path | float, code: int = 0) -> str:
    """Runs the command, checks its exit code, and returns stderr."""
    run = run_command("train", "stylegan3", *arguments, timeout=TIMEOUT_S)
    assert run.returncode == code, run.stderr
    return run.stderr


def start_training(*arguments: str | Path | float) -> Command:
    """Starts the command in its own process group."""
    return start_command("train", "stylegan3", *arguments, start_new_session=True)


def wait_for(process: Command, outdir: Path, pattern: str) -> Path:
    """Waits until a run below `outdir` has a file with this name, and returns its path."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (paths := list(outdir.glob(f"*/{pattern}"))):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"no {pattern} after {TIMEOUT_S} s"
        time.sleep(0.002)
    return paths[0]


def checkpoint_in(outdir: Path) -> Checkpoint:
    (path,) = outdir.glob("*/checkpoint.safetensors")
    return read_checkpoint(path)


def assert_equal_checkpoints(one: Checkpoint, other: Checkpoint) -> None:
    """Checks that progress and all tensors of two checkpoints are equal, bit for bit."""
    assert one.progress == other.progress
    first, second = one.tensors(""), other.tensors("")
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []


def read_stats_lines(outdir: Path) -> list[dict[str, Any]]:
    (path,) = outdir.glob("*/stats.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_killed_run_resumes_bit_for_bit_and_its_model_generates_images(dataset: Path, tmp_path: Path) -> None:
    options = ["--data", dataset, *SMALL_RUN, "--kimg", 16 * STEP_KIMG, "--snap", 4]
    train("--outdir", tmp_path / "uninterrupted", *options)
    process = start_training("--outdir", tmp_path / "killed", *options, "--workers", 1)
    wait_for(process, tmp_path / "killed", "checkpoint.safetensors")
    process.kill()
    process.communicate()
    assert 16 <= checkpoint_in(tmp_path / "killed").nimg < 64
    stderr = train("--outdir", tmp_path / "killed", *options)
    assert "resuming from checkpoint.safetensors at 0.0" in stderr
    assert_equal_checkpoints(checkpoint_in(tmp_path / "uninterrupted"), checkpoint_in(tmp_path / "killed"))
    kimg = [line["Progress/kimg"]["mean"] for line in read_stats_lines(tmp_path / "killed")]
    assert kimg == pytest.approx([STEP_KIMG * step for step in range(1, 17)])
    model = max((tmp_path / "killed").glob("*/network-snapshot-*.safetensors"))
    generation = ["--network", model, "--seeds", "0-3", "--density", "dense", "--outdir", tmp_path / "out"]
    assert run_command("generate", *generation, timeout=TIMEOUT_S).returncode == 0
    with Image.open(tmp_path / "out" / "seed0003.png") as image:
        assert image.size == (16, 16)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_after_the_current_step_with_a_checkpoint_and_the_resume_command(
    dataset: Path, tmp_path: Path, signal_number: signal.Signals
) -> None:
    options = ["--outdir", tmp_path, "--data", dataset, *SMALL_RUN, "--kimg", 100, "--snap", 10_000, "--workers", 1]
    process = start_training(*options)
    wait_for(process, tmp_path, "stats.jsonl")
    os.killpg(process.pid, signal_number)  # to all its processes, like a terminal or a cluster scheduler
    _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 128 + signal_number
    (run,) = tmp_path.iterdir()
    checkpoint = checkpoint_in(tmp_path)
    assert f"stopped at {checkpoint.nimg / 1000:g} kimg; resume with the same command, or --resume {run}" in stderr
    assert read_stats_lines(tmp_path)[-1]["Progress/kimg"]["mean"] == checkpoint.nimg / 1000
    stderr = train("--resume", run, "--kimg", checkpoint.nimg / 1000 + STEP_KIMG)
    assert f"resuming from checkpoint.safetensors at {checkpoint.nimg / 1000:g} kimg" in stderr


def test_a_run_of_two_processes_equals_one_of_one_process_and_is_resumed_by_one(dataset: Path, tmp_path: Path) -> None:
    options = ["train", "stylegan3", "--data", str(dataset), *SMALL_RUN, "--aug", "noaug", "--mbstd-group", "2"]
    command = torchrun_command(2, [*options, "--outdir", str(tmp_path / "two"), "--kimg", str(4 * STEP_KIMG)])
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=TIMEOUT_S)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("stylegan3-t on 2 x cpu") == 1
    assert run.stderr.count("done, 0.016 kimg") == 1
    train(*options[2:], "--outdir", tmp_path / "one", "--kimg", 4 * STEP_KIMG)
    first, second = read_stats_lines(tmp_path / "one"), read_stats_lines(tmp_path / "two")
    for name in ("Loss/scores/real", "Loss/scores/fake", "Loss/D/loss", "Loss/r1_penalty"):
        assert first[0][name]["num"] == second[0][name]["num"]
        assert first[0][name]["mean"] == pytest.approx(second[0][name]["mean"], rel=1e-3), name
    stderr = train(*options[2:], "--outdir", tmp_path / "two", "--kimg", 6 * STEP_KIMG)
    assert "resuming from checkpoint.safetensors at 0.016 kimg" in stderr
    assert checkpoint_in(tmp_path / "two").nimg == 24


def test_a_finished_run_is_plotted(dataset: Path, tmp_path: Path) -> None:
    train("--outdir", tmp_path / "runs", "--data", dataset, *SMALL_RUN, "--kimg", 4 * STEP_KIMG, "--snap", 2)
    (run,) = (tmp_path / "runs").iterdir()
    page, figure = tmp_path / "run.html", tmp_path / "loss.png"
    for command in (["run", run, "--out", page], ["loss", run, "--out", figure]):
        plot = run_command("plot", *command, timeout=TIMEOUT_S)
        assert plot.returncode == 0, plot.stderr
        assert "wrote" in plot.stderr + plot.stdout
    text = page.read_text()
    assert "Rows from top to bottom: sparse, medium, dense." in text
    assert "Collapse" not in text  # every key has a title and a unit
    assert "no chart of" not in text
    with Image.open(figure) as image:
        assert min(image.size) > 300


def test_a_dry_run_prints_the_config_and_time_estimates(dataset: Path, tmp_path: Path) -> None:
    options = ["--outdir", tmp_path / "runs", "--data", dataset, *SMALL_RUN, "--kimg", "20", "-n"]
    run = run_command("train", "stylegan3", *options, timeout=TIMEOUT_S)
    assert run.returncode == 0, run.stderr
    config = json.loads(run.stdout)
    assert config["training"]["loss"]["r1_gamma"] == pytest.approx(2 / 256 * 8)
    assert config["schedule"]["total_kimg"] == 20
    assert "conditional on 3 classes: sparse 33 %, medium 33 %, dense 33 %" in run.stderr
    assert " s per kimg, " in run.stderr
    assert " for 20 kimg" in run.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "30", "--batch-gpu", "4"], "--batch 30 is not a multiple of --batch-gpu 4; use 28 or 32"),
        (["--gpus", "4", "--device", "cpu"], "--gpus 4: training on a CPU uses one process; use --gpus 1"),
        (["--metrics", "fid50k_full"], "fid50k_full: inception needs the file inception-2015-12-05.pt"),
        (["--aug", "fixed"], "--aug fixed needs --p"),
        (["--data", "no.zip"], "no.zip: no such file or folder"),
        (["--resume", "no.pkl"], "no.pkl: no such run folder or model"),
    ],
)
def test_invalid_options_are_reported_in_one_line(
    dataset: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    stderr = train("--outdir", tmp_path, "--data", dataset, *SMALL_RUN, *arguments, code=1)
    (line,) = (line for line in stderr.splitlines() if line.startswith("crowdgan: error: "))
    assert message in line


def test_a_run_is_resumed_in_its_folder(dataset: Path, tmp_path: Path) -> None:
    stderr = train("--resume", tmp_path, "--outdir", tmp_path, code=1)
    assert f"{tmp_path}: no checkpoint.safetensors; there is nothing to resume" in stderr
    train("--outdir", tmp_path / "runs", "--data", dataset, *SMALL_RUN, "--kimg", STEP_KIMG)
    (run,) = (tmp_path / "runs").iterdir()
    stderr = train("--resume", run, "--outdir", tmp_path, code=2)
    assert "--resume RUN resumes the run in its folder; remove --outdir, --desc and --new" in stderr


def test_a_run_from_a_model_has_its_networks_unless_options_name_others(dataset: Path, tmp_path: Path) -> None:
    networks = ["--cfg", "stylegan2", "--latent-dim", "12"]
    train("--outdir", tmp_path / "first", "--data", dataset, *SMALL_RUN, *networks, "--kimg", STEP_KIMG)
    (model,) = tmp_path.glob("first/*/network-snapshot-*.safetensors")
    new = ["--outdir", tmp_path / "second", "--data", dataset, "--batch", "4", "--workers", "0", "--kimg", STEP_KIMG]
    stderr = train(*new, "--resume", model)
    generator = checkpoint_in(tmp_path / "first").config.generator
    assert checkpoint_in(tmp_path / "second").config.generator == generator
    assert f"G: {len(read_tensors(model))} of {len(read_tensors(model))} tensors copied" in stderr
    stderr = train(*new, "--resume", model, "--cfg", "stylegan3-t", "--new")
    assert "randomly initialised: synthesis.input.weight (not in the model)" in stderr


def test_a_new_run_needs_a_dataset(tmp_path: Path) -> None:
    stderr = train("--outdir", tmp_path, code=2)
    assert "a new run needs --outdir and --data; use --resume RUN to resume a run" in stderr
