"""Building the native ops: concurrent processes, failed builds, and a missing compiler."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crowdgan_core.errors import BuildError, ConfigError
from crowdgan_core.utils.cache import CACHE_ENV_VAR
from crowdgan_stylegan3.ops.dispatch import implementation_for, ops_preference
from crowdgan_stylegan3.ops.native import build

PROGRAM = """
import torch
from crowdgan_stylegan3.ops import filtered_lrelu
print(filtered_lrelu(torch.ones(1, 1, 4, 4), torch.ones(12), torch.ones(12), up=2, down=2, padding=10).sum().item())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for builds."""
    monkeypatch.setenv(CACHE_ENV_VAR, str(tmp_path))
    return tmp_path / "native"


def write_failing_compiler(folder: Path) -> Path:
    """Writes a compiler that prints its version, but fails to compile; returns its path."""
    path = folder / "broken-c++"
    path.write_text("#!/bin/sh\ncase $1 in --version) echo broken 1.0;; *) echo compiler error; exit 1;; esac\n")
    path.chmod(0o755)
    return path


def run_ops(**environment: str) -> subprocess.CompletedProcess[str]:
    """Runs an op in a new process."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_concurrent_processes_build_once_with_equal_results(cache: Path) -> None:
    command = [sys.executable, "-c", PROGRAM]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {run.communicate(timeout=240) for run in runs}
    assert len(outputs) == 1
    assert [path.name for folder in cache.iterdir() for path in folder.iterdir() if path.name != "lock"] == [
        build.LIBRARY_NAME
    ]
    before = next(cache.glob(f"*/{build.LIBRARY_NAME}")).stat().st_mtime_ns
    assert build.build_library().stat().st_mtime_ns == before


def test_a_failed_build_is_reported_once_and_falls_back_to_plain_pytorch(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = write_failing_compiler(tmp_path)
    run = run_ops(CXX=str(compiler))
    assert run.stdout == run_ops(CROWDGAN_OPS="reference").stdout
    warnings = [line for line in run.stderr.splitlines() if "RuntimeWarning" in line]
    assert len(warnings) == 1
    assert (
        f"building the native ops failed ({compiler}); `{build.SHOW_LOG_COMMAND}` shows why; plain PyTorch is used"
        in warnings[0]
    )
    monkeypatch.setenv("CXX", str(compiler))
    assert "compiler error" in build.plan_build().log.read_text()
    with pytest.raises(BuildError, match="failed earlier; `crowdgan stylegan3 doctor --build-log` shows why"):
        build.build_library()
    compiler.write_text(compiler.read_text().replace("echo compiler error; exit 1", 'exec c++ "$@"'))
    assert build.build_library(retry=True).exists()
    assert not build.plan_build().log.exists()


def test_without_a_compiler_plain_pytorch_is_used(cache: Path) -> None:
    run = run_ops(CXX="no-such-compiler")
    assert run.stdout == run_ops(CROWDGAN_OPS="reference").stdout
    assert (
        "no C++ compiler was found for the native ops (tried no-such-compiler); install g++, or set CXX to one"
        in run.stderr
    )


@pytest.mark.parametrize("arguments", ["", " --launcher-option"])
def test_the_compiler_may_have_a_launcher_and_arguments(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    launcher = tmp_path / "my cache"
    launcher.write_text('#!/bin/sh\n[ "$1" = --launcher-option ] && shift\nexec "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("CXX", f"{shlex.quote(str(launcher))}{arguments} g++")
    assert build.plan_build().compiler == (str(launcher), *arguments.split(), "g++")
    assert build.build_library().exists()


def test_a_file_system_without_locks_can_be_built_on(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="only POSIX systems have flock")
    monkeypatch.setattr(fcntl, "flock", fail_to_lock)
    assert build.build_library().exists()
    assert "the file system has no locks" in caplog.text


def fail_to_lock(*_arguments: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_required_native_ops_that_cannot_be_built_are_an_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BuildError, match="no C\\+\\+ compiler"):
        build.plan_build()
    script = PROGRAM.split("print")[0] + (
        "from crowdgan_core.errors import BuildError\n"
        "try:\n    filtered_lrelu(torch.ones(1, 1, 4, 4))\n"
        "except BuildError as error:\n    print('error:', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CROWDGAN_OPS": "native"},
    )
    assert run.stdout.startswith("error: no C++ compiler was found")


def test_an_unknown_ops_preference_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDGAN_OPS", "fast")
    with pytest.raises(ConfigError, match="CROWDGAN_OPS is fast; it must be native or reference, or unset"):
        ops_preference()
    assert implementation_for("meta", "auto").name == "plain PyTorch"
