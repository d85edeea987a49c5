"""The commands `calibrate` and `density evaluate`."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.api import open_dataset
from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_core.utils.formatting import format_duration
from tests.support.crowds import crowd_positions, crowd_scene
from tests.support.sources import image_bytes, odgt, person, write_files
from tests.support.video import write_video, write_zones, zone_density


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of synthetic crowds with ground truth."""
    folder = tmp_path_factory.mktemp("synthetic") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=10, size=(240, 320), max_people=60, seed=5), folder)
    return folder


def run(*arguments: str | Path) -> Result:
    command = [*map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(build_tree(installed_plugins()), command, catch_exceptions=False)


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def evaluate(crowds: Path, *options: str) -> Any:
    return run_json("density", "evaluate", "--source", crowds, "--truth", crowds / "truth.json", *options)


def test_all_estimators_are_evaluated(crowds: Path) -> None:
    result = evaluate(crowds)
    assert result["scale"] == "fruin-walkway"
    by_name = {item["name"]: item for item in result["estimators"]}
    assert list(by_name) == list(installed_plugins().density_estimators)
    assert by_name["ground"]["spearman"] > 0.9
    assert by_name["ground"]["median_error"] < 0.2
    assert by_name["ground"]["coverage"] > 0.7
    assert by_name["threshold"]["median_error"] is None
    assert all(item["images"] == 10 for item in by_name.values())


def test_the_table_lists_the_compared_estimators(crowds: Path) -> None:
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
    assert "classes: 0.5,1 (below 0.5, 0.5 to 1, above 1); errors are relative to the ground truth" in lines
    assert "in persons/m² of the image plane: kde" in lines
    assert "in persons/m²: ground" in lines


def test_options_reach_the_estimators_that_have_them(crowds: Path) -> None:
    correct = evaluate(crowds, "--density", "ground", "--density", "grid")
    incorrect = evaluate(crowds, "--density", "ground", "--density", "grid", "--set", "focal_mm35=120")
    assert correct["estimators"][1] == incorrect["estimators"][1]
    assert incorrect["estimators"][0]["median_error"] > 2 * correct["estimators"][0]["median_error"]
    with pytest.raises(CrowdganError, match="--set focal: no evaluated estimator has such an option; choose from"):
        evaluate(crowds, "--density", "ground", "--density", "grid", "--set", "focal=120")


def test_images_without_ground_truth_are_skipped_and_named(crowds: Path, tmp_path: Path) -> None:
    images = json.loads((crowds / "truth.json").read_text())["pictures"]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({name: entry["density_per_m2"] for name, entry in list(images.items())[:7]}))
    result = run("density", "evaluate", "--source", crowds, "--truth", path, "--density", "threshold", "--json")
    assert json.loads(result.stdout)["estimators"][0]["images"] == 7
    assert "skipped: images without ground truth: 3 (900000," in result.stderr
    path.write_text('{"other": 1}')
    with pytest.raises(
        CrowdganError,
        match="truth.json: it contains no image of the source; its first name is other, that of the source 900000,",
    ):
        run("density", "evaluate", "--source", crowds, "--truth", path)


def test_the_density_command_lists_evaluate_and_series() -> None:
    output = CliRunner().invoke(build_tree(installed_plugins()), ["density", "--help"]).stdout
    assert "series    Estimate density over time with a fixed camera" in output
    assert "evaluate  Compare estimates with ground truth" in output


def test_each_image_has_a_camera_a_density_and_a_level_of_service(crowds: Path) -> None:
    result = run_json("calibrate", "--source", crowds)
    ground_truth = json.loads((crowds / "truth.json").read_text())["pictures"]
    assert (result["scale"], result["classes"], result["shared_camera"]) == ("fruin-walkway", [*"ABCDEF"], None)
    assert [item["image"] for item in result["pictures"]] == list(ground_truth)
    estimated = [item for item in result["pictures"] if item["reason"] is None]
    assert len(estimated) >= 8
    for item in estimated:
        expected = ground_truth[item["image"]]
        assert item["camera"]["focal_length_px"] == pytest.approx(expected["camera"]["focal_length_px"], rel=0.01)
        assert item["camera"]["pitch_deg"] == pytest.approx(expected["camera"]["pitch_deg"], abs=5)
        assert item["camera"]["focal_length_known"]
        assert 0.02 < item["camera"]["residual"] < 0.09
        assert item["interval_per_m2"][0] < item["density_per_m2"] < item["interval_per_m2"][1]
        assert item["peak_per_m2"] >= item["density_per_m2"]
        assert item["level"] in "ABCDEF"


def test_a_table_has_the_values_of_the_report(crowds: Path, tmp_path: Path) -> None:
    table = tmp_path / "densities.csv"
    result = run("calibrate", "--source", crowds, "--out", table)
    assert f"wrote {table}" in result.stderr
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    pictures = run_json("calibrate", "--source", crowds)["pictures"]
    assert [row["image"] for row in rows] == [item["image"] for item in pictures]
    for row, item in zip(rows, pictures, strict=True):
        assert row["peak_level"] == (item["peak_level"] or "")
        assert row["density_per_m2"] == ("" if item["density_per_m2"] is None else repr(item["density_per_m2"]))
    with pytest.raises(CrowdganError, match="already exists"):
        run("calibrate", "--source", crowds, "--out", table)
    with pytest.raises(CrowdganError, match=r"must end in \.csv"):
        run("calibrate", "--source", crowds, "--out", tmp_path / "densities.txt")


def write_halves(path: Path) -> Path:
    """Writes two zones over the lower half of the images of `crowds`."""
    features = []
    for name, left in (("left", 0), ("right", 160)):
        ring = [[left, 150], [left + 160, 150], [left + 160, 240], [left, 240], [left, 150]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"name": name}, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_zones_of_a_file_have_one_row_per_image_and_zone(crowds: Path, tmp_path: Path) -> None:
    zones, table = write_halves(tmp_path / "zones.geojson"), tmp_path / "zones.csv"
    result = run("calibrate", "--source", crowds, "--zones", zones, "--out", table)
    assert re.search(r"^ image +zone +people", result.stdout, re.MULTILINE)
    report = run_json("calibrate", "--source", crowds, "--zones", zones)
    rows = read_csv(table)
    assert [(row["image"], row["zone"]) for row in rows] == [(item["image"], item["zone"]) for item in report["zones"]]
    assert [row["zone"] for row in rows] == ["left", "right"] * 10
    for row, item in zip(rows, report["zones"], strict=True):
        assert row["density_per_m2"] == ("" if item["density_per_m2"] is None else repr(item["density_per_m2"]))
        assert row["reason"] == (item["reason"] or "")
    assert sum(item["reason"] is None for item in report["zones"]) >= 10


def test_groups_and_squares_are_zones(crowds: Path) -> None:
    groups = run_json("calibrate", "--source", crowds, "--zones", "groups")["zones"]
    assert {item["zone"] for item in groups} >= {"group 1"}
    output = run("calibrate", "--source", crowds, "--zones", "grid:10").stdout
    assert "squares without people are not shown; --out writes all" in output
    assert " x 0 to 10 m, y 0 to 10 m " in output
    with pytest.raises(CrowdganError, match="not a number; zones are groups, grid:METRES such as grid:5, or the path"):
        run("calibrate", "--source", crowds, "--zones", "grid:large")


def test_images_with_unknown_density_have_a_numbered_reason(tmp_path: Path) -> None:
    records = {"a": [person(9, 9)], "b": [person(10 * n, 20, 8, 24) for n in range(7)], "c": [person(9, 9)]}
    entries = {f"{name}.jpg": image_bytes(1) for name in records}
    source = write_files(tmp_path / "few", {**entries, "a.odgt": odgt(records).encode()})
    lines = run("calibrate", "--source", source).stdout.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith((" a ", " b ", " c "))] == ["(1)", "(2)", "(1)"]
    assert lines[-3].startswith("estimated: 0 of 3; class boundaries: A <= 0.3086 < B")
    assert lines[-2] == "(1) unknown: fewer than 5 people with a full-body box"
    assert lines[-1].startswith("(2) unknown: the boxes do not constrain the camera")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four frames of a fixed camera, in names whose alphabetical order is not that of time."""
    return write_video(tmp_path_factory.mktemp("video") / "video")


SERIES = ("--set", "focal_mm35=31.5", "--set", "scale=0.6,1")


def test_a_series_has_one_row_per_frame_in_the_order_of_time(video: Path, tmp_path: Path) -> None:
    table = tmp_path / "series.csv"
    result = run("density", "series", "--source", video, "--fps", "0.5", *SERIES, "--out", table)
    rows = read_csv(table)
    assert [(row["image"], float(row["time_s"])) for row in rows] == [(f"frame_{n}", 2.0 * n) for n in range(24)]
    assert {row["scale"] for row in rows} == {"0.6,1"}
    assert "occupied ground   24/24" in result.stdout
    assert "warning" not in result.stderr
    report = run_json("density", "series", "--source", video, "--interval-s", "2", *SERIES)
    densities = [item["density_per_m2"] for item in report["series"]]
    assert [row["density_per_m2"] for row in rows] == [repr(density) for density in densities]
    assert report["summary"][0]["seconds_above"][0] == 2.0 * sum(density > 0.6 for density in densities)
    with pytest.raises(CrowdganError, match="already exists"):
        run("density", "series", "--source", video, "--fps", "1", "--out", table)


def test_a_series_of_zones_has_their_ground_truth_densities_and_is_plotted(video: Path, tmp_path: Path) -> None:
    zones, table, figure = write_zones(tmp_path / "zones.geojson"), tmp_path / "series.json", tmp_path / "series.png"
    run("density", "series", "--source", video, "--fps", "1", *SERIES, "--zones", zones, "--out", table)
    rows = json.loads(table.read_text())
    assert [row["zone"] for row in rows] == ["entrance", "stage"] * 24
    expected = [zone_density(row["zone"], int(row["time_s"]), 24) for row in rows]
    assert [row["density_per_m2"] for row in rows] == pytest.approx(expected, rel=0.15)
    inside = [
        row["interval_low_per_m2"] <= density <= row["interval_high_per_m2"]
        for row, density in zip(rows, expected, strict=True)
    ]
    assert sum(inside) >= 0.85 * len(inside)
    tree = build_tree(installed_plugins())
    result = CliRunner().invoke(tree, ["plot", "series", str(table), "--out", str(figure)], catch_exceptions=False)
    assert f"wrote {figure}" in result.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_summary_of_a_series_has_the_times_above_boundaries_and_fits_in_100_columns(
    video: Path, tmp_path: Path
) -> None:
    zones = write_zones(tmp_path / "zones.geojson")
    bounds = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,9"
    options = ("--source", video, "--interval-s", "3601", "--zones", zones, *SERIES[:2], "--set", f"scale={bounds}")
    lines = run("density", "series", *options).stdout.splitlines()
    rows = [[cell for cell in re.split(r" {2,}", line.strip()) if cell] for line in lines]
    (summary,) = (item for item in run_json("density", "series", *options)["summary"] if item["zone"] == "entrance")
    maximum = [f"{summary['max_per_m2']:.2f}", format_duration(summary["max_time_s"]), summary["max_image"]]
    (shown,) = (row for row in rows if row[:2] == ["entrance", "24/24"])
    assert [shown[3], *shown[5:]] == maximum
    totals = next(row for row in rows if row[:2] == ["entrance", "total"])[2:]
    longest = rows[next(index for index, row in enumerate(rows) if row[:2] == ["entrance", "total"]) + 1]
    for cells, key in ((totals, "seconds_above"), (longest[1:], "longest_above_s")):
        assert cells == [format_duration(value) if value else "–" for value in summary[key][:8]]
    assert "never above 9 persons/m²" in lines
    assert max(len(line) for line in lines if not line.startswith("class boundaries")) <= 100


def test_the_time_between_frames_is_required_once(video: Path) -> None:
    for options, message in {
        (): "is required: add --fps or --interval-s",
        ("--fps", "1", "--interval-s", "1"): "--fps and --interval-s both give the time between two frames; remove",
    }.items():
        with pytest.raises(CrowdganError, match=message):
            run("density", "series", "--source", video, *options)


def test_a_shared_camera_is_printed_once(tmp_path: Path) -> None:
    records = {}
    for seed in range(4):
        boxes = crowd_scene(crowd_positions(30, seed), seed=seed).full_boxes.tolist()
        records[f"frame{seed}"] = [person(*box) for box in boxes]
    entries = {f"{name}.jpg": image_bytes(1, EXAMPLE_CAMERA.size) for name in records}
    source = write_files(tmp_path / "station", {**entries, "a.odgt": odgt(records).encode()})
    options = ("calibrate", "--source", source, "--set", "shared_camera=true")
    result = run_json(*options, "--set", f"focal_mm35={560 / 640 * 36}")
    assert result["shared_camera"]["height_m"] == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert result["shared_camera"]["focal_length_known"]
    assert len({item["camera"]["pitch_deg"] for item in result["pictures"]}) == 1
    output = run(*options).stdout
    assert "height" not in output
    assert re.search(r"shared camera: \d\.\d m high, \d+\.\d° down, ~\d+ px, residual \d\.\d%", output)
    assert "~ focal length unknown" in output


def test_labelled_datasets_have_the_interval_and_peak_of_each_image(crowds: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "crowds.zip"
    run("label", "--source", crowds, "--dest", dataset, "--density", "ground", "--region", "full")
    reports = {item["image"]: item for item in run_json("calibrate", "--source", crowds)["pictures"]}
    with open_dataset(dataset) as reader:
        records = reader.metadata.images
    assert len(records) >= 8
    for record in records:
        expected = reports[record.source or ""]
        assert record.interval == tuple(expected["interval_per_m2"])
        assert record.peak == expected["peak_per_m2"]
    output = CliRunner().invoke(build_tree(installed_plugins()), ["inspect", str(dataset)]).stdout
    assert re.search(r"^  peak         \d.* persons/m², median ", output, re.MULTILINE)
    assert re.search(r"^  uncertain    \d+ images: their 95 % interval includes a class boundary", output, re.MULTILINE)


def test_calibrate_has_the_options_of_ground(crowds: Path) -> None:
    result = run("calibrate", "--source", crowds, "--set", "scale=crowd-safety", "--max-images", "3")
    assert "of 3; class boundaries: free <= 2 < " in result.stdout
    with pytest.raises(CrowdganError, match="--set focal: ground has no such option; choose from scale, focal_mm"):
        run("calibrate", "--source", crowds, "--set", "focal=28")
