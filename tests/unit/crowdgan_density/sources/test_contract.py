"""The sources of head points fulfil the contract of scene sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crowdgan_core.testing import check_scene_source
from crowdgan_density.plugin import crowdgan_register_scene_sources
from tests.support.sources import HEAD_POINTS, add_shanghaitech, image_bytes, mat_bytes, write_files
from tests.unit.crowdgan_density.sources.test_head_points import add_ucf
from tests.unit.crowdgan_density.sources.test_text_heads import jhu_files, nwpu_files

SOURCES = {source.name: source for source in crowdgan_register_scene_sources()}


def add_qnrf(folder: Path, *numbers: int) -> None:
    points = mat_bytes({"annPoints": HEAD_POINTS})
    for number in numbers:
        name = f"Train/img_{number:04d}"
        write_files(folder, {f"{name}.jpg": image_bytes(number), f"{name}_ann.mat": points})


EXAMPLES: dict[str, Callable[[Path], object]] = {
    "shanghaitech": lambda folder: add_shanghaitech(folder, 1, 2),
    "ucf-cc-50": lambda folder: add_ucf(folder, 1, 2),
    "ucf-qnrf": lambda folder: add_qnrf(folder, 1, 2),
    "jhu-crowd": lambda folder: write_files(folder, jhu_files("train", 1, 2)),
    "nwpu-crowd": lambda folder: write_files(folder, nwpu_files(1, 2)),
}
"""Writers of example data by source."""


@pytest.mark.parametrize("name", SOURCES)
def test_sources_fulfil_the_contract(tmp_path: Path, name: str) -> None:
    EXAMPLES[name](tmp_path)
    check_scene_source(SOURCES[name], [tmp_path])
