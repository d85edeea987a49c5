"""`crowdgan train stylegan3` as a user runs it: killed, stopped, gone on with, by several processes."""

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

from crowdgan_stylegan3.training.checkpoints.training_state import Checkpoint, read_checkpoint
from crowdgan_stylegan3.training.runtime.distributed import torchrun_command
from tests.support.training import write_dataset

if sys.platform == "win32":
    pytest.skip("signals as POSIX has them", allow_module_level=True)

TINY = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "4", "--workers", "0", "--tick", "0.004"]

STEP = 0.004
"""Thousands of images of a step."""

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

TIMEOUT_S = 240


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of images of three classes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds.zip")


def train(*arguments: str | Path | float, code: int = 0) -> str:
    """Runs the command to its end; returns what it says."""
    command = [sys.executable, "-m", "crowdgan_core", "train", "stylegan3", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=TIMEOUT_S)
    assert run.returncode == code, run.stderr
    return run.stderr


def started(*arguments: str | Path | float) -> subprocess.Popen[str]:
    """The command while it runs."""
    command = [sys.executable, "-m", "crowdgan_core", "train", "stylegan3", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    )


def wait_for(process: subprocess.Popen[str], outdir: Path, pattern: str) -> Path:
    """Waits until a file of a run appears."""
    end = time.monotonic() + TIMEOUT_S
    while not (found := list(outdir.glob(f"*/{pattern}"))):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "the run writes nothing"
        time.sleep(0.002)
    return found[0]


def checkpoint_in(outdir: Path) -> Checkpoint:
    (path,) = outdir.glob("*/checkpoint.safetensors")
    return read_checkpoint(path)


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """Checks that two runs are in the same state, bit for bit."""
    assert one.progress == other.progress
    first, second = one.tensors(""), other.tensors("")
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []


def stats(outdir: Path) -> list[dict[str, Any]]:
    (path,) = outdir.glob("*/stats.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_is_killed_goes_on_bit_for_bit_and_makes_images(dataset: Path, tmp_path: Path) -> None:
    options = ["--data", dataset, *TINY, "--kimg", 30 * STEP, "--snap", 2]
    train("--outdir", tmp_path / "straight", *options)
    process = started("--outdir", tmp_path / "killed", *options)
    wait_for(process, tmp_path / "killed", "checkpoint.safetensors")
    process.kill()
    process.communicate()
    assert 12 <= checkpoint_in(tmp_path / "killed").nimg < 120
    said = train("--outdir", tmp_path / "killed", *options)
    assert "going on from checkpoint.safetensors, at 0.0" in said
    assert_same(checkpoint_in(tmp_path / "straight"), checkpoint_in(tmp_path / "killed"))
    kimg = [line["Progress/kimg"]["mean"] for line in stats(tmp_path / "killed")]
    assert kimg == pytest.approx([STEP * step for step in range(1, 31)])
    (model,) = (tmp_path / "killed").glob("*/network-snapshot-*.safetensors")
    crowdgan = [sys.executable, "-m", "crowdgan_core", "generate", "--network", str(model), "--seeds", "0-3"]
    subprocess.run([*crowdgan, "--density", "dense", "--outdir", str(tmp_path / "out")], check=True, timeout=TIMEOUT_S)
    with Image.open(tmp_path / "out" / "seed0003.png") as image:
        assert image.size == (16, 16)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_writes_a_checkpoint_and_says_how_to_go_on(
    dataset: Path, tmp_path: Path, number: signal.Signals
) -> None:
    options = ["--outdir", tmp_path, "--data", dataset, *TINY, "--kimg", 100, "--snap", 10_000, "--workers", 1]
    process = started(*options)
    wait_for(process, tmp_path, "stats.jsonl")
    os.killpg(process.pid, number)  # as a terminal or a cluster does: its worker too
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 128 + number
    (run,) = tmp_path.iterdir()
    checkpoint = checkpoint_in(tmp_path)
    assert f"stopped at {checkpoint.nimg / 1000:g} kimg; the same command goes on, or --resume {run}" in said
    assert stats(tmp_path)[-1]["Progress/kimg"]["mean"] == checkpoint.nimg / 1000
    said = train("--resume", run, "--kimg", checkpoint.nimg / 1000 + STEP)
    assert f"going on from checkpoint.safetensors, at {checkpoint.nimg / 1000:g} kimg" in said


def test_two_processes_train_together_and_one_goes_on(dataset: Path, tmp_path: Path) -> None:
    options = ["train", "stylegan3", "--data", str(dataset), *TINY, "--aug", "noaug", "--mbstd-group", "2"]
    command = torchrun_command(2, [*options, "--outdir", str(tmp_path / "two"), "--kimg", str(4 * STEP)])
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=TIMEOUT_S)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("stylegan3-t on 2 x cpu") == 1
    assert run.stderr.count("done, 0.016 kimg") == 1
    train(*options[2:], "--outdir", tmp_path / "one", "--kimg", 4 * STEP)
    first, second = stats(tmp_path / "one"), stats(tmp_path / "two")
    for name in ("Loss/scores/real", "Loss/scores/fake", "Loss/D/loss", "Loss/r1_penalty"):
        assert first[0][name]["num"] == second[0][name]["num"]
        assert first[0][name]["mean"] == pytest.approx(second[0][name]["mean"], rel=1e-3), name
    said = train(*options[2:], "--outdir", tmp_path / "two", "--kimg", 6 * STEP)
    assert "going on from checkpoint.safetensors, at 0.016 kimg" in said
    assert checkpoint_in(tmp_path / "two").nimg == 24


def test_what_a_run_leaves_is_drawn(dataset: Path, tmp_path: Path) -> None:
    train("--outdir", tmp_path / "runs", "--data", dataset, *TINY, "--kimg", 4 * STEP, "--snap", 2)
    (run,) = (tmp_path / "runs").iterdir()
    page, figure = tmp_path / "run.html", tmp_path / "loss.png"
    crowdgan = [sys.executable, "-m", "crowdgan_core", "plot"]
    for command in (["run", str(run), "--out", str(page)], ["loss", str(run), "--out", str(figure)]):
        said = subprocess.run([*crowdgan, *command], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        assert "written" in said.stderr + said.stdout
    text = page.read_text()
    assert "Rows from above: sparse, medium, dense." in text
    assert "Collapse" not in text  # every key has words and a unit
    assert "no chart of" not in text
    with Image.open(figure) as image:
        assert min(image.size) > 300


def test_a_dry_run_prints_all_settings_and_what_training_takes(dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crowdgan_core", "train", "stylegan3", "--outdir", str(tmp_path / "runs")]
    run = subprocess.run(
        [*command, "--data", str(dataset), *TINY, "--kimg", "20", "-n"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=TIMEOUT_S,
        check=True,
    )
    settings = json.loads(run.stdout)
    assert settings["training"]["loss"]["r1_gamma"] == pytest.approx(2 / 256 * 8)
    assert settings["schedule"]["total_kimg"] == 20
    assert "conditional on 3 classes: sparse 33 %, medium 33 %, dense 33 %" in run.stderr
    assert " s per kimg, " in run.stderr
    assert " for 20 kimg" in run.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "30", "--batch-gpu", "4"], "--batch 30 is no multiple of --batch-gpu 4; 28 or 32 would work"),
        (["--gpus", "4", "--device", "cpu"], "--gpus 4: on a CPU there is one process; use --gpus 1"),
        (["--metrics", "fid50k_full"], "--metrics fid50k_full: there is no such metric; there are none"),
        (["--aug", "fixed"], "--aug fixed needs --p"),
        (["--data", "no.zip"], "no.zip: there is no such file or folder"),
        (["--resume", "no.pkl"], "no.pkl: there is no such run folder or model"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    dataset: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    said = train("--outdir", tmp_path, "--data", dataset, *TINY, *arguments, code=1)
    (line,) = (line for line in said.splitlines() if line.startswith("crowdgan: error: "))
    assert message in line


def test_a_run_that_goes_on_stays_in_its_folder(dataset: Path, tmp_path: Path) -> None:
    said = train("--resume", tmp_path, "--outdir", tmp_path, code=1)
    assert f"{tmp_path}: it holds no checkpoint.safetensors" in said
    train("--outdir", tmp_path / "runs", "--data", dataset, *TINY, "--kimg", STEP)
    (run,) = (tmp_path / "runs").iterdir()
    said = train("--resume", run, "--outdir", tmp_path, code=2)
    assert "--resume RUN goes on in that folder; leave out --outdir, --desc and --new" in said


def test_a_new_run_needs_to_know_its_data(tmp_path: Path) -> None:
    said = train("--outdir", tmp_path, code=2)
    assert "a new run needs --outdir and --data; --resume RUN goes on with one" in said
