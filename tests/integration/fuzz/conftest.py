"""Fixtures of the fuzz tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.fuzz.tools import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline that writes to a new folder."""
    return Pipeline(tmp_path / "out")
