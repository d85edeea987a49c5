"""`crowdgan train stylegan3 --metrics`: one and several processes, and the plots of the values."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crowdgan_core.io.metric_records import read_metric_records
from crowdgan_core.io.run_folder import RunFolder, runs_in
from crowdgan_stylegan3.training.runtime.torchrun import torchrun_command
from tests.support.forked_commands import run_command
from tests.support.training import write_dataset

if sys.platform == "win32":
    pytest.skip("needs POSIX processes", allow_module_level=True)

Run = Callable[..., subprocess.CompletedProcess[str]]

METRIC = "kid_grid-colours"
"""Metric with the feature extractor of the example plugin."""

SMALL_RUN = ["--cbase", "64", "--cmax", "8", "--map-depth", "1", "--batch", "4", "--workers", "0"]
SNAPSHOTS = ["--tick", "0.004", "--snap", "1", "--kimg", "0.012", "--device", "cpu"]

TIMEOUT_S = 240


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP dataset of three classes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds.zip")


def train_options(outdir: Path, dataset: Path, *arguments: str) -> list[str]:
    run = ["train", "stylegan3", "--outdir", str(outdir), "--data", str(dataset), *SMALL_RUN, *SNAPSHOTS]
    return [*run, "--metrics", METRIC, "--num-images", "8", *arguments]


def check_values(outdir: Path) -> RunFolder:
    """Checks that the only run has one value per snapshot; returns it."""
    (run,) = runs_in(outdir)
    records = read_metric_records(run.metric_path(METRIC))
    assert [record.snapshot for record in records] == [run.snapshot_path(kimg).name for kimg in (0.008, 0.012)]
    assert run.best_path(METRIC).is_file()
    return run


def test_metrics_are_logged_recorded_and_plotted(dataset: Path, blobs: Run, tmp_path: Path) -> None:
    training = blobs(*train_options(tmp_path / "runs", dataset))
    assert f"metrics at each snapshot: {METRIC} (8 images) (--metrics, --num-images)" in training.stderr
    assert training.stderr.count(f"computing {METRIC} with 8 images") == 2
    assert f"the best so far: best-{METRIC}.safetensors" in training.stderr
    run = check_values(tmp_path / "runs")
    page, figure = tmp_path / "run.html", tmp_path / "kid.svg"
    blobs("plot", "run", run.path, "--out", page)
    assert "Kernel distance (lower is better)" in page.read_text()
    blobs("plot", "loss", run.path, "--keys", f"Metrics/{METRIC}", "--out", figure)
    assert "kernel distance" in figure.read_text()


def test_the_main_process_computes_the_metrics_of_two(dataset: Path, blobs_site: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(blobs_site), "OMP_NUM_THREADS": "1"}
    command = torchrun_command(2, train_options(tmp_path / "runs", dataset, "--mbstd-group", "2"))
    training = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S)
    assert training.returncode == 0, training.stderr
    assert training.stderr.count(f"computing {METRIC} with 8 images") == 2
    check_values(tmp_path / "runs")


def test_unknown_metrics_are_refused_in_one_line(dataset: Path, tmp_path: Path) -> None:
    arguments = train_options(tmp_path / "runs", dataset, "--metrics", "fid50k", "--dry-run")
    training = run_command(*arguments, timeout=TIMEOUT_S)
    assert (training.returncode, training.stdout) == (1, "")
    assert training.stderr.startswith("crowdgan: error: no such metric fid50k; choose from kid_lite0, ")
    assert training.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
