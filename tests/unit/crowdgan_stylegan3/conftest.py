"""Fixtures for the tests of the StyleGAN3 package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(params=["reference", "native"])
def ops_implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test once with each CPU implementation of the ops."""
    monkeypatch.setenv("CROWDGAN_OPS", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _seed_torch() -> Iterator[None]:
    """Seeds torch for each test and restores its random state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
