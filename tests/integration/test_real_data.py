"""Real pictures and annotations go through `crowdgan label`; skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from crowdgan_core.cli.tree import build_tree
from crowdgan_core.formats.tree import ZipFormat
from crowdgan_core.plugins import installed_plugins


@pytest.fixture
def data(shared: Path) -> Path:
    return shared / "data"


def label(source: Path, dest: Path, *options: str) -> None:
    arguments = ["label", "--source", str(source), "--dest", str(dest), "--resolution", "64x64", *options]
    result = CliRunner().invoke(build_tree(installed_plugins()), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("name", "count"), [("pets2009", 21), ("mot17", 6)])
@pytest.mark.parametrize("density", ["threshold", "euclidean", "grid", "grid-metres", "kde"])
def test_boxes_of_real_streets_are_labelled(data: Path, tmp_path: Path, name: str, count: int, density: str) -> None:
    label(data / name, tmp_path / "a.zip", "--density", density, "--region", "full")
    metadata = ZipFormat().open(tmp_path / "a.zip").metadata
    assert len(metadata.pictures) == count
    assert all(record.density is not None and record.density > 0 for record in metadata.pictures)


@pytest.mark.parametrize(
    ("name", "count"), [("shanghaitech/part_A_final", 30), ("shanghaitech/part_B_final", 30), ("ucf_cc_50", 8)]
)
def test_head_points_of_real_crowds_are_counted(data: Path, tmp_path: Path, name: str, count: int) -> None:
    label(data / name, tmp_path / "a.zip", "--density", "threshold", "--region", "full", "--transform", "none")
    records = ZipFormat().open(tmp_path / "a.zip").metadata.pictures
    assert len(records) == count
    least = {"part_A_final": 40, "part_B_final": 9, "ucf_cc_50": 90}[Path(name).name]
    assert min(record.person_count or 0 for record in records) >= least


def test_the_frames_of_a_street_with_more_people_are_denser(data: Path, tmp_path: Path) -> None:
    label(data / "mot17", tmp_path / "a.zip", "--density", "threshold", "--region", "full")
    records = ZipFormat().open(tmp_path / "a.zip").metadata.pictures
    assert [record.person_count for record in records] == [22] * 3 + [42] * 3
    assert [record.label for record in records] == [1] * 3 + [2] * 3
