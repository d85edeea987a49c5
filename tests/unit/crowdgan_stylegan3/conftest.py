"""Fixtures for the tests of the StyleGAN3 package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(params=["reference", "native"])
def ops_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test once per form that the ops have on a CPU."""
    monkeypatch.setenv("CROWDGAN_OPS", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Gives every test the same random numbers, and leaves the state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
