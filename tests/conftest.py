"""Fixtures shared by the tests of several packages."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("crowdgan", deadline=None, database=None)
hypothesis.settings.load_profile("crowdgan")  # no test asserts a duration or writes to the repository

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Real images and annotations next to the repository; not part of it."""


@pytest.fixture(scope="session", autouse=True)
def _separate_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Uses a temporary cache instead of the user's; native ops are built once for all processes of a test run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # shared by the worker processes of pytest-xdist
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROWDGAN_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _default_stop_signals() -> None:
    """Restores the handling of stop signals, which child processes inherit; background jobs of a shell ignore them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real images and annotations; without it, tests that need them are skipped."""
    if not SHARED.is_dir():
        pytest.skip("../shared does not exist: no real images and annotations")
    return SHARED
