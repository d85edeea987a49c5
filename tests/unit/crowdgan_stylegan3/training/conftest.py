"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from crowdgan_stylegan3.training.reporting import sample_grid
from tests.support.training import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP dataset with 24 images of three classes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "crowds.zip")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Runs each test on one thread, which is faster for small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def full_grids() -> None:
    """Sample grids of the published width, instead of the small ones of the other tests."""


@pytest.fixture(autouse=True)
def _small_grids(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduces sample grids to two columns, since images of a grid take longer than the steps of these tests."""
    if "full_grids" not in request.fixturenames:
        monkeypatch.setattr(sample_grid, "MIN_COLUMNS", 2)
        monkeypatch.setattr(sample_grid, "MAX_COLUMNS", 2)
