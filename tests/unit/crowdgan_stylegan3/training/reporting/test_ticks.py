"""Statistics, status lines, lines of `stats.jsonl`, and run folders."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.run_folder import RunFolder, runs_in
from crowdgan_core.utils.formatting import format_duration
from crowdgan_stylegan3.training.reporting.stats import Statistic, Statistics
from crowdgan_stylegan3.training.reporting.ticks import Tick
from crowdgan_stylegan3.training.run_writer import (
    append_stats,
    create_run_folder,
    read_options,
    run_lock,
    truncate_stats,
)
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from tests.support.training import small_config

OFFICIAL_KEYS = {
    "Progress/tick",
    "Progress/kimg",
    "Progress/augment",
    "Timing/total_sec",
    "Timing/sec_per_tick",
    "Timing/sec_per_kimg",
    "Timing/maintenance_sec",
    "Timing/total_hours",
    "Timing/total_days",
    "Timing/Gmain",
    "Resources/cpu_mem_gb",
    "Loss/scores/real",
}

STATISTICS = {
    "Loss/G/loss": Statistic(8, 0.7, 0.1),
    "Loss/D/loss": Statistic(8, 1.4, 0.2),
    "Loss/scores/real": Statistic(8, 0.25, 1.0),
    "Loss/scores/real/sparse": Statistic(5, -0.5, 1.0),
    "Loss/scores/real/dense": Statistic(0, math.nan, math.nan),
    "Progress/skipped": Statistic(10, 0.2, 0.4),
}

TICK = Tick(
    number=3,
    nimg=12_000,
    remaining_img=8_000,
    seconds=40.0,
    maintenance_s=5.0,
    data_wait_s=4.0,
    num_images=4000,
    total_s=7300.0,
    recent_sec_per_kimg=11.0,
    statistics=STATISTICS,
    times_ms={"Gmain": [10.0, 14.0]},
    memory={"cpu_mem_gb": 1.5},
    augment_p=0.125,
    classes=("sparse", "dense"),
)


def test_statistics_cover_all_values_since_the_last_collection() -> None:
    statistics, values = Statistics(), torch.tensor([1.0, 2.0, 6.0])
    statistics.report("a", values[:1])
    statistics.report("a", values[1:])
    result = statistics.collect(DistributedContext())["a"]
    assert (result.num, result.nonfinite) == (3, 0)
    assert result.mean == pytest.approx(3)
    assert result.std == pytest.approx(values.std(unbiased=False).item())
    assert statistics.collect(DistributedContext()) == {}


def test_non_finite_values_are_counted_separately() -> None:
    statistics = Statistics()
    statistics.report("a", torch.tensor([1.0, float("nan"), 3.0, float("inf")]))
    assert statistics.collect(DistributedContext())["a"] == Statistic(2, 2.0, 1.0, 2)


def test_statistics_are_reported_per_class() -> None:
    statistics = Statistics()
    labels = torch.eye(3)[[0, 2, 0]]
    statistics.report_per_class("s", ("a", "b", "c"), torch.tensor([[1.0], [5.0], [3.0]]), labels)
    result = statistics.collect(DistributedContext())
    assert result["s/a"] == Statistic(2, 2.0, 1.0)
    assert result["s/c"] == Statistic(1, 5.0, 0.0)
    assert result["s/b"].num == 0


def test_the_stats_line_has_the_official_keys() -> None:
    line = TICK.stats_line()
    assert line.keys() >= OFFICIAL_KEYS
    assert line["Progress/kimg"] == {"num": 1, "mean": 12.0, "std": 0.0}
    assert line["Timing/sec_per_kimg"]["mean"] == 10
    assert line["Timing/Gmain"] == {"num": 2, "mean": 12.0, "std": 2.0}
    assert line["Progress/skipped"]["mean"] == 2
    assert isinstance(line["timestamp"], float)
    assert "Loss/scores/real/dense" not in line  # no images of this class
    json.dumps(line, allow_nan=False)


def test_the_status_line_has_all_fields() -> None:
    assert TICK.status_line() == (
        "tick 3     kimg 12        time 2h 01m       sec/kimg 10       data wait 10%   mem 1.5 GiB  augment 0.125  "
        "G 0.700  D 1.400  real +0.25 (sparse -0.50)  SKIPPED 2 non-finite updates  ETA 1m 28s"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (61, "1m 01s"), (3600, "1h 00m"), (7325, "2h 02m"), (90_000, "1d 01h")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_run_folders_are_numbered_and_named_by_their_config(tmp_path: Path) -> None:
    config = small_config(data=Path("a folder/crowds a.zip"), r1_gamma=2.5)
    first, second = create_run_folder(tmp_path, config, None), create_run_folder(tmp_path, config, "test")
    assert first.path.name == "00000-stylegan3-t-crowds_a-batch4-gamma2.5"
    assert second.path.name == "00001-stylegan3-t-crowds_a-batch4-gamma2.5-test"
    (tmp_path / "notes").mkdir()
    assert [run.path for run in runs_in(tmp_path)] == [second.path, first.path]
    assert runs_in(tmp_path / "no") == []


def test_stats_after_a_checkpoint_are_removed(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for kimg in (0.004, 0.008, 0.012):
        append_stats(run, {"Progress/kimg": {"num": 1, "mean": kimg, "std": 0.0}})
    with run.stats_path.open("a") as file:
        file.write('{"Progress/kimg": {"num": 1, "me')
    truncate_stats(run, 8)
    kept = [json.loads(line)["Progress/kimg"]["mean"] for line in run.stats_path.read_text().splitlines()]
    assert kept == [0.004, 0.008]


def test_a_run_folder_is_locked_by_one_process(tmp_path: Path) -> None:
    with (
        run_lock(RunFolder(tmp_path)),
        pytest.raises(ConfigError, match="another process trains in this folder"),
        run_lock(RunFolder(tmp_path)),
    ):
        pass
    with run_lock(RunFolder(tmp_path)):
        pass


def test_a_process_waits_for_the_lock_of_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO),
        run_lock(RunFolder(tmp_path)),
        pytest.raises(ConfigError, match="another process trains in this folder"),
        run_lock(RunFolder(tmp_path), timeout_s=0.1),
    ):
        pass
    assert f"waiting at most 0.1 s for the process that trains in {tmp_path} to end" in caplog.text


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_options_of_a_folder_that_is_not_a_run_are_an_error(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "training_options.json").write_text(text)
    with pytest.raises(ConfigError, match="training_options.json"):
        read_options(RunFolder(tmp_path))


def test_file_names_equal_those_of_the_official_trainer(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert [
        run.fakes_path(None).name,
        run.fakes_path(100.0).name,
        run.snapshot_path(25_000.0).name,
        run.reals_path.name,
    ] == [
        "fakes_init.png",
        "fakes000100.png",
        "network-snapshot-025000.safetensors",
        "reals.png",
    ]
