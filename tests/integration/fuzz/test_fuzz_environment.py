"""Random values of environment variables, each of which is used, ignored, or a `CrowdganError`."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from crowdgan_core.errors import CrowdganError
from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins.discovery import load_plugins
from crowdgan_core.utils.cache import CACHE_ENV_VAR
from crowdgan_core.utils.openmp import WAIT_VARIABLES, set_openmp_defaults
from crowdgan_stylegan3.ops.dispatch import OPS_ENV_VAR, ops_preference
from crowdgan_stylegan3.ops.native.build import build_library, plan_build
from crowdgan_stylegan3.training.runtime.torchrun import WORLD_SIZE_ENV_VAR, torchrun_world_size

CASES_PER_VARIABLE = 60

FRAGMENTS = ("g++", "ccache", "-O2", "density", "plot", "agg", "native", "/", "..", "~", "$HOME", "%s", "{}", "'", '"')
FRAGMENTS += (" ", "\\", ",", ";", ":", "=", "\n", "\t", "0", "-1", "1e9", "²", "é", "群", "\udcff", "x" * 300)
"""Parts of random values: valid ones, separators, and characters that need care."""


def random_value(rng: random.Random) -> str:
    return "".join(rng.choice(FRAGMENTS) for _ in range(rng.randint(0, 6)))


def select_plugins() -> None:
    plugins = load_plugins(entry_points(group=PROJECT), os.environ["CROWDGAN_PLUGINS"])
    assert plugins.loaded[0].name == "core"


def set_waiting() -> None:
    before = {name: os.environ[name] for name in WAIT_VARIABLES if name in os.environ}
    set_openmp_defaults()
    assert {name: os.environ[name] for name in before} == before


USES: dict[str, Callable[[], object]] = {
    "CROWDGAN_PLUGINS": select_plugins,
    "CXX": plan_build,
    CACHE_ENV_VAR: build_library,
    OPS_ENV_VAR: ops_preference,
    WORLD_SIZE_ENV_VAR: torchrun_world_size,
    "OMP_WAIT_POLICY": set_waiting,
}
"""Code that reads each variable."""


@pytest.mark.parametrize("name", USES)
def test_random_values_of_environment_variables_raise_no_other_errors(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(name)
    if name == CACHE_ENV_VAR:
        monkeypatch.setenv("CXX", "no-such-compiler")  # the folder is created, nothing is compiled
    for _ in range(CASES_PER_VARIABLE):
        monkeypatch.setenv(name, random_value(rng))
        with suppress(CrowdganError):
            USES[name]()
