"""The Triton kernels compiled, in processes of their own: see `tests.support.triton_interpreter`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[4] / "bench" / "gpu.py"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    kept = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment = {**kept, "TRITON_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_kernels_compile_for_hopper_without_a_gpu_and_fit_a_consumer_gpu(tmp_path: Path) -> None:
    done = run(tmp_path, "--compile-only")
    assert done.returncode == 0, done.stdout + done.stderr
    half_filtered = [line for line in done.stdout.splitlines() if line.startswith("filtered_lrelu torch.float16")]
    assert len(half_filtered) == 8
    assert all("    0 B stack" in line for line in half_filtered)


@pytest.mark.gpu
def test_kernels_agree_with_the_reference_on_a_gpu(tmp_path: Path) -> None:
    done = run(tmp_path, "--checks-only")
    assert done.returncode == 0, done.stdout + done.stderr
