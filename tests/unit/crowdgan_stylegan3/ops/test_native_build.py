"""Building the native ops: once, by several processes at once, and what happens where it cannot be done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_core.errors import BuildError, ConfigError
from crowdgan_stylegan3.ops.dispatch import implementation_for, ops_preference
from crowdgan_stylegan3.ops.native import build

USE = """
import torch
from crowdgan_stylegan3.ops import filtered_lrelu
print(filtered_lrelu(torch.ones(1, 1, 4, 4), torch.ones(12), torch.ones(12), up=2, down=2, padding=10).sum().item())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(build.CACHE_ENV_VAR, str(tmp_path))
    return tmp_path / "native"


def failing_compiler(folder: Path) -> Path:
    """A compiler that tells its version and then fails."""
    path = folder / "broken-c++"
    path.write_text("#!/bin/sh\ncase $1 in --version) echo broken 1.0;; *) echo out of ideas; exit 1;; esac\n")
    path.chmod(0o755)
    return path


def use_ops(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_processes_that_start_together_build_once_and_agree(cache: Path) -> None:
    command = [sys.executable, "-c", USE]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {run.communicate(timeout=240) for run in runs}
    assert len(outputs) == 1
    assert [name.name for folder in cache.iterdir() for name in folder.iterdir() if name.name != "lock"] == [
        build.LIBRARY_NAME
    ]
    before = next(cache.glob(f"*/{build.LIBRARY_NAME}")).stat().st_mtime_ns
    assert build.build_library().stat().st_mtime_ns == before


def test_a_failed_build_is_reported_once_and_plain_pytorch_is_used(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = failing_compiler(tmp_path)
    run = use_ops(CXX=str(compiler))
    assert run.stdout == use_ops(CROWDGAN_OPS="reference").stdout
    warnings = [line for line in run.stderr.splitlines() if "RuntimeWarning" in line]
    assert len(warnings) == 1
    assert (
        f"building the native ops failed ({compiler}); `{build.SHOW_LOG_COMMAND}` shows why; plain PyTorch is used"
        in warnings[0]
    )
    monkeypatch.setenv("CXX", str(compiler))
    assert "out of ideas" in build.plan_build().log.read_text()
    with pytest.raises(BuildError, match="failed earlier; `crowdgan stylegan3 doctor --build-log` shows why"):
        build.build_library()
    compiler.write_text(compiler.read_text().replace("echo out of ideas; exit 1", 'exec c++ "$@"'))
    assert build.build_library(retry=True).exists()
    assert not build.plan_build().log.exists()


def test_plain_pytorch_is_used_without_a_compiler(cache: Path) -> None:
    run = use_ops(CXX="no-such-compiler")
    assert run.stdout == use_ops(CROWDGAN_OPS="reference").stdout
    assert (
        "no C++ compiler was found for the native ops (tried no-such-compiler); install g++, or set CXX to one"
        in run.stderr
    )


def test_native_ops_asked_for_by_name_that_cannot_be_had_are_an_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BuildError, match="no C\\+\\+ compiler"):
        build.plan_build()
    script = USE.split("print")[0] + (
        "from crowdgan_core.errors import BuildError\n"
        "try:\n    filtered_lrelu(torch.ones(1, 1, 4, 4))\n"
        "except BuildError as error:\n    print('refused:', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CROWDGAN_OPS": "native"},
    )
    assert run.stdout.startswith("refused: no C++ compiler was found")


def test_the_choice_of_form_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", "fast")
    with pytest.raises(ConfigError, match="CROWDGAN_OPS is fast; it must be native or reference, or unset"):
        ops_preference()
    assert implementation_for("meta", "auto").name == "plain PyTorch"
