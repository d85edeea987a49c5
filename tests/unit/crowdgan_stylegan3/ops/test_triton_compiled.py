"""Compiled Triton kernels, in separate processes; for the reason see `tests.support.triton_interpreter`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[4] / "bench" / "gpu.py"


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `bench/gpu.py` in a new process without Triton's interpreter."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    variables = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment = {**variables, "TRITON_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_kernels_compile_for_hopper_without_a_gpu_and_without_spills(tmp_path: Path) -> None:
    process = run_script(tmp_path, "--compile-only")
    assert process.returncode == 0, process.stdout + process.stderr
    half_precision_lines = [
        line for line in process.stdout.splitlines() if line.startswith("filtered_lrelu torch.float16")
    ]
    assert len(half_precision_lines) == 8
    assert all("    0 B stack" in line for line in half_precision_lines)


@pytest.mark.gpu
def test_kernels_equal_the_reference_on_a_gpu(tmp_path: Path) -> None:
    process = run_script(tmp_path, "--checks-only")
    assert process.returncode == 0, process.stdout + process.stderr
