"""The commands that measure without making a dataset."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.testing import EXAMPLE_CAMERA
from tests.support.sources import image_bytes, odgt, person, write_tree
from tests.unit.crowdgan_density.ground_plane.test_ground import places, scene_of


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of made-up crowds with their truth."""
    folder = tmp_path_factory.mktemp("made") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=10, size=(240, 320), max_people=60, seed=5), folder)
    return folder


def run(*arguments: str | Path) -> Result:
    texts = [*map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(build_tree(installed_plugins()), texts, catch_exceptions=False)


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def evaluated(crowds: Path, *more: str) -> Any:
    return run_json("density", "evaluate", "--source", crowds, "--truth", crowds / "truth.json", *more)


def test_all_estimators_are_evaluated(crowds: Path) -> None:
    found = evaluated(crowds)
    assert found["scale"] == "fruin-walkway"
    by_name = {item["name"]: item for item in found["estimators"]}
    assert list(by_name) == list(installed_plugins().density_estimators)
    assert by_name["ground"]["rank_correlation"] > 0.9
    assert by_name["ground"]["median_error"] < 0.2
    assert by_name["ground"]["coverage"] > 0.7
    assert by_name["threshold"]["median_error"] is None
    assert all(item["images"] == 10 for item in by_name.values())


def test_the_table_names_what_was_compared(crowds: Path) -> None:
    result = run(
        *("density", "evaluate", "--source", crowds, "--truth", crowds / "truth.json"),
        *("--density", "grid", "--density", "kde", "--density", "ground", "--scale", "0.5,1"),
    )
    lines = result.stdout.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if "/10 " in line}
    assert list(rows) == ["grid", "kde", "ground"]
    assert rows["grid"][0] == "10/10"
    assert rows["grid"][2:] == ["–"] * 5
    assert rows["kde"][-1] == "–"
    assert "–" not in rows["ground"]
    assert "classes: 0.5,1 (below 0.5, 0.5 to 1, above 1); errors are relative to the truth" in lines
    assert "in persons/m² of the image plane: kde" in lines
    assert "in persons/m²: ground" in lines


def test_options_reach_the_estimators_that_have_them(crowds: Path) -> None:
    right = evaluated(crowds, "--density", "ground", "--density", "grid")
    wrong = evaluated(crowds, "--density", "ground", "--density", "grid", "--set", "focal_mm35=120")
    assert right["estimators"][1] == wrong["estimators"][1]
    assert wrong["estimators"][0]["median_error"] > 2 * right["estimators"][0]["median_error"]
    with pytest.raises(CrowdganError, match="--set focal: no estimator that is evaluated has such an option; there"):
        evaluated(crowds, "--density", "ground", "--density", "grid", "--set", "focal=120")


def test_images_without_a_truth_are_left_out_and_named(crowds: Path, tmp_path: Path) -> None:
    images = json.loads((crowds / "truth.json").read_text())["pictures"]
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({name: entry["density_per_m2"] for name, entry in list(images.items())[:7]}))
    result = run("density", "evaluate", "--source", crowds, "--truth", truth, "--density", "threshold", "--json")
    assert json.loads(result.stdout)["estimators"][0]["images"] == 7
    assert "left out: images whose true density is not known: 3 (900000," in result.stderr
    truth.write_text('{"other": 1}')
    with pytest.raises(CrowdganError, match="truth.json: it names no image of the source: other, not 900000,"):
        run("density", "evaluate", "--source", crowds, "--truth", truth)


def test_the_group_density_lists_its_command() -> None:
    shown = CliRunner().invoke(build_tree(installed_plugins()), ["density", "--help"]).stdout
    assert "evaluate  Show how well estimators agree" in shown


def test_each_image_shows_its_camera_density_and_level(crowds: Path) -> None:
    found = run_json("calibrate", "--source", crowds)
    truth = json.loads((crowds / "truth.json").read_text())["pictures"]
    assert (found["scale"], found["classes"], found["shared_camera"]) == ("fruin-walkway", [*"ABCDEF"], None)
    assert [item["image"] for item in found["pictures"]] == list(truth)
    told = [item for item in found["pictures"] if item["reason"] is None]
    assert len(told) >= 8
    for item in told:
        true = truth[item["image"]]
        assert item["camera"]["focal_length_px"] == pytest.approx(true["camera"]["focal_length_px"], rel=0.01)
        assert item["camera"]["pitch_deg"] == pytest.approx(true["camera"]["pitch_deg"], abs=5)
        assert item["camera"]["focal_length_known"]
        assert 0.02 < item["camera"]["residual"] < 0.09
        assert item["interval_per_m2"][0] < item["density_per_m2"] < item["interval_per_m2"][1]
        assert item["peak_per_m2"] >= item["density_per_m2"]
        assert item["level"] in "ABCDEF"


def test_images_that_cannot_be_told_have_a_numbered_reason(tmp_path: Path) -> None:
    records = {"a": [person(9, 9)], "b": [person(10 * n, 20, 8, 24) for n in range(7)], "c": [person(9, 9)]}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    source = write_tree(tmp_path / "few", {**entries, "a.odgt": odgt(records).encode()})
    lines = run("calibrate", "--source", source).stdout.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith((" a ", " b ", " c "))] == ["(1)", "(2)", "(1)"]
    assert lines[-3].startswith("told: 0 of 3; levels: fruin-walkway (A, B, C, D, E, F)")
    assert lines[-2] == "(1) cannot tell: fewer than 5 people with a full-body box"
    assert lines[-1].startswith("(2) cannot tell: the people tell too little of the camera")


def test_one_camera_is_shown_for_all(tmp_path: Path) -> None:
    records = {}
    for seed in range(4):
        boxes = scene_of(places(30, seed), seed=seed).full_boxes.tolist()
        records[f"frame{seed}"] = [person(*box) for box in boxes]
    entries = {f"{name}.jpg": image_bytes(1, EXAMPLE_CAMERA.size) for name in records}
    source = write_tree(tmp_path / "station", {**entries, "a.odgt": odgt(records).encode()})
    options = ("calibrate", "--source", source, "--set", "shared_camera=true")
    found = run_json(*options, "--set", f"focal_mm35={560 / 640 * 36}")
    assert found["shared_camera"]["height_m"] == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert found["shared_camera"]["focal_length_known"]
    assert len({item["camera"]["pitch_deg"] for item in found["pictures"]}) == 1
    shown = run(*options).stdout
    assert "height" not in shown
    assert re.search(r"one camera: \d\.\d m high, pitched \d+\.\d° down, ~\d+ px, residual \d\.\d%", shown)
    assert "~ nothing tells the focal length" in shown


def test_options_are_those_of_ground(crowds: Path) -> None:
    result = run("calibrate", "--source", crowds, "--set", "scale=crowd-safety", "--max-images", "3")
    assert "of 3; levels: crowd-safety (free, busy, dense, limit, crush)" in result.stdout
    with pytest.raises(CrowdganError, match="--set focal: ground has no such option; its options are scale, focal_mm"):
        run("calibrate", "--source", crowds, "--set", "focal=28")
