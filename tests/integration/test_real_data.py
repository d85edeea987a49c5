"""Real pictures and annotations go through `crowdgan label`; skipped where they are absent."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crowdgan_core.camera import Camera
from crowdgan_core.cli.tree import build_tree
from crowdgan_core.formats.tree import ZipFormat
from crowdgan_core.picturework import open_scene
from crowdgan_core.plugins import installed_plugins
from crowdgan_core.sources.crowdhuman import CrowdHumanSource
from crowdgan_density.calibration import calibrate
from crowdgan_density.ground import Ground


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


def distance_ratio(positions: np.ndarray, surveyed: np.ndarray) -> float:
    """Median ratio of the distances between all pairs of people."""
    pairs = np.triu_indices(len(positions), 1)
    found, true = (np.hypot(*(p[:, None] - p).transpose(2, 0, 1))[pairs] for p in (positions, surveyed))
    return float(np.median(found / true))


def test_distances_on_the_ground_agree_with_the_survey(data: Path) -> None:
    """Calibrated from people alone; a first sketch reached 0.93 to 1.00 with one camera, 0.88 to 1.14 from frames."""
    with (data / "pets2009" / "ground_positions.csv").open() as file:
        rows = list(csv.DictReader(file))
    source = CrowdHumanSource().open([data / "pets2009"], None)
    scenes = [replace(open_scene(item)[0], focal_length_px=1185.0) for item in source]
    shared_camera = Ground(shared_camera=True).fit(scenes)
    assert isinstance(shared_camera, Ground)
    ratios = []
    for scene in scenes:
        frame = int(scene.source_name.split("_")[1])
        true = np.array([[row["ground_x_m"], row["ground_y_m"]] for row in rows if int(row["frame"]) == frame], float)
        feet = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]
        height_m, pitch_deg, focal_px = shared_camera.cameras[:3]
        one = Camera(height_m=height_m, pitch_rad=math.radians(pitch_deg), focal_length_px=focal_px, size=scene.size)
        alone = calibrate(scene.full_boxes, scene.size, scene.focal_length_px).best()
        ratios.append([distance_ratio(camera.ground_from_pixels(feet), true) for camera in (one, alone)])
    low, high = np.min(ratios, axis=0), np.max(ratios, axis=0)
    assert low[0] >= 0.93
    assert high[0] <= 1.01
    assert low[1] >= 0.88
    assert high[1] <= 1.14
