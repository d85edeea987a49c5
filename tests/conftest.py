"""Fixtures that tests of several packages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("crowdgan", deadline=None, database=None)
hypothesis.settings.load_profile("crowdgan")  # no test asserts a time, and none writes into the repository

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Reference numbers and real data, beside the repository; not part of it."""


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what is built out of the user's cache; it is built once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROWDGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real data; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: no reference numbers and no real data to compare with")
    return SHARED
