"""Lines of `metric-NAME.jsonl`, ours and the official trainer's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crowdgan_core.errors import DatasetError
from crowdgan_core.io.metric_records import MetricRecord, read_metric_records
from crowdgan_core.io.run_folder import RunFolder, snapshot_kimg

RECORD = MetricRecord(
    metric="kid_lite0",
    results={"kid_lite0": 0.25},
    standard_errors={"kid_lite0": 0.01},
    kimg=200.496,
    num_images=1000,
    seconds=75.5,
    num_gpus=1,
    snapshot="network-snapshot-000200_496.safetensors",
    timestamp=1.7e9,
)

OFFICIAL_LINE = (
    '{"results": {"fid50k_full": 12.5}, "metric": "fid50k_full", "total_time": 90.5, "total_time_str": "1m 30s", '
    '"num_gpus": 8, "snapshot_pkl": "network-snapshot-000200.pkl", "timestamp": 1700000000.5}'
)


def test_a_record_is_written_with_the_official_keys_and_read_again(tmp_path: Path) -> None:
    data = RECORD.to_json()
    assert data.keys() >= json.loads(OFFICIAL_LINE).keys()
    assert (data["snapshot_pkl"], data["total_time_str"]) == (RECORD.snapshot, "1m 15s")
    path = tmp_path / "metric-kid_lite0.jsonl"
    path.write_text(json.dumps(data) + "\n")
    assert read_metric_records(path) == [RECORD]


def test_lines_of_the_official_trainer_are_read(tmp_path: Path) -> None:
    path = RunFolder(tmp_path).metric_path("fid50k_full")
    path.write_text(OFFICIAL_LINE + "\n")
    (record,) = read_metric_records(path)
    assert (record.kimg, record.results, record.standard_errors) == (200, {"fid50k_full": 12.5}, {})
    assert (record.num_images, record.num_gpus) == (None, 8)


@pytest.mark.parametrize(
    "line",
    ["", OFFICIAL_LINE[:-5], "[]", "null", "{}", OFFICIAL_LINE.replace("network-snapshot-000200.pkl", "latest.pkl")],
)
def test_damaged_lines_are_skipped(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metric-kid_lite0.jsonl"
    path.write_text(f"{line}\n{json.dumps(RECORD.to_json())}\n")
    assert read_metric_records(path) == [RECORD]


def test_a_missing_file_has_no_records_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert read_metric_records(tmp_path / "metric-fid.jsonl") == []
    with pytest.raises(DatasetError, match="cannot be read"):
        read_metric_records(tmp_path)


def test_files_of_metrics_are_found_by_name(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for name in ("kid_lite0", "fd_grid-colours"):
        run.metric_path(name).write_text("")
    (tmp_path / "metric-.jsonl").write_text("")
    assert run.metric_paths() == {name: run.metric_path(name) for name in ("fd_grid-colours", "kid_lite0")}
    assert run.best_path("kid_lite0").name == "best-kid_lite0.safetensors"


@pytest.mark.parametrize("kimg", [0, 0.004, 200, 200.496, 25_000])
def test_the_length_of_training_follows_from_the_name_of_a_snapshot(kimg: float) -> None:
    assert snapshot_kimg(RunFolder(Path("run")).snapshot_path(kimg).name) == pytest.approx(kimg)
    assert snapshot_kimg(replace(RECORD, snapshot="best-kid.safetensors").snapshot) is None
