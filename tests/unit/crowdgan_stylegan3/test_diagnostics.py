"""`crowdgan stylegan3 doctor` and `build`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from crowdgan_core.errors import BuildError
from crowdgan_core.utils.cache import CACHE_ENV_VAR
from crowdgan_stylegan3.cli import build, doctor
from crowdgan_stylegan3.ops.native.build import LIBRARY_NAME, plan_build


def test_build_prints_the_path_of_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_ENV_VAR, str(tmp_path / "a folder: with $igns"))
    result = CliRunner().invoke(build.command, catch_exceptions=False)
    assert Path(result.output.strip()).name == LIBRARY_NAME
    assert Path(result.output.strip()).is_relative_to(tmp_path)


def test_doctor_reports_the_implementation_of_each_op(ops_implementation: str) -> None:
    result = CliRunner().invoke(doctor.command, ["--json"], catch_exceptions=False)
    report = json.loads(result.output)
    expected = {"native": "native C++", "reference": "plain PyTorch"}[ops_implementation]
    assert {op: implementation["name"] for op, implementation in report["devices"]["cpu"].items()} == dict.fromkeys(
        ("upfirdn2d", "bias_act", "filtered_lrelu", "conv2d"), expected
    )
    assert report["versions"].keys() == {"python", "torch", "compiler", "ninja", "triton", "GPU", "CUDA", "driver"}
    text = CliRunner().invoke(doctor.command, catch_exceptions=False).output
    assert f"  filtered_lrelu  {expected}" in text


def test_doctor_shows_the_log_of_a_failed_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_ENV_VAR, str(tmp_path))
    with pytest.raises(BuildError, match="no such log; no build of the native ops has failed"):
        CliRunner().invoke(doctor.command, ["--build-log"], catch_exceptions=False)
    log = plan_build().log
    log.parent.mkdir(parents=True)
    log.write_text("compiler error")
    assert CliRunner().invoke(doctor.command, ["--build-log"]).output == "compiler error\n"
