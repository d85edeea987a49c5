"""Status, charts and sample grids of a run folder, while the run trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_plot.viewer.model.images import ModelImages
from crowdgan_plot.viewer.run.monitor import RunMonitor
from crowdgan_plot.viewer.run.view import NewestSnapshot
from crowdgan_plot.viewer.targets import is_run
from tests.support.linear_generator import LinearGenerator
from tests.support.run_folders import stats_lines, write_options, write_run, write_stats


def test_the_status_has_charts_grids_and_facts(tmp_path: Path) -> None:
    monitor = RunMonitor(RunFolder(write_run(tmp_path / "run")))
    status = monitor.poll()
    assert (status["lines"], status["has_reals"], status["snapshot"]) == (60, True, None)
    assert status["grids"] == ["before training", "0 kimg", "100 kimg", "200 kimg"]
    assert ("training progress", "236 kimg") in status["facts"]
    titles = [chart["title"] for chart in status["charts"]]
    assert {"Losses", "Scores", "Kernel distance (lower is better)"} <= set(titles)
    assert json.loads(json.dumps(status))["lines"] == 60
    assert ("random_seed", "0") in monitor.options()
    assert monitor.chart(titles.index("Losses")).startswith(b"<?xml")
    for image in (monitor.grid(3), monitor.reals()):
        assert image.startswith(b"\xff\xd8"), "a JPEG file"


def test_new_lines_snapshots_and_grids_appear(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    lines = stats_lines(5)
    write_stats(folder, lines[:3])
    monitor = RunMonitor(RunFolder(folder))
    before = monitor.poll()
    chart = monitor.chart(0)
    assert monitor.chart(0) is chart, "drawn once"
    write_stats(folder, lines)
    (folder / "network-snapshot-000012.safetensors").touch()
    write_run(folder / "other")
    (folder / "other" / "fakes000100.png").rename(folder / "fakes000012.png")
    after = monitor.poll()
    assert (before["lines"], after["lines"]) == (3, 5)
    assert (after["snapshot"], after["grids"]) == ("network-snapshot-000012.safetensors", ["12 kimg"])
    assert monitor.chart(0) != chart


def test_a_run_without_statistics_is_shown_until_they_appear(tmp_path: Path) -> None:
    write_options_of = tmp_path / "run"
    write_options_of.mkdir()
    write_options(write_options_of, resolution=32)
    assert is_run(write_options_of)
    monitor = RunMonitor(RunFolder(write_options_of))
    status = monitor.poll()
    assert (status["lines"], status["charts"], status["seconds_since_update"]) == (0, [], None)
    write_stats(write_options_of, stats_lines(2))
    assert monitor.poll()["lines"] == 2


def test_missing_charts_and_grids_are_errors(tmp_path: Path) -> None:
    monitor = RunMonitor(RunFolder(write_stats(tmp_path / "run", stats_lines(2))))
    monitor.poll()
    for call in (lambda: monitor.chart(99), lambda: monitor.grid(0), monitor.reals):
        with pytest.raises(ConfigError, match=r"the run has \d+"):
            call()


def test_the_newest_snapshot_is_loaded_when_it_appears(tmp_path: Path) -> None:
    loaded: list[Path] = []

    def load(path: Path) -> LinearGenerator:
        loaded.append(path)
        return LinearGenerator()

    newest = NewestSnapshot(RunFolder(tmp_path), load)
    with pytest.raises(ConfigError, match="no network snapshot yet"):
        newest.loaded()
    paths = [tmp_path / f"network-snapshot-{kimg:06d}.safetensors" for kimg in (100, 200)]
    paths[0].touch()
    first = newest.refresh()
    assert isinstance(first, ModelImages)
    assert newest.loaded() is newest.refresh() is first
    paths[1].touch()
    assert newest.loaded() is first, "only refresh looks for a newer one"
    assert newest.refresh().file == paths[1].name
    assert loaded == paths


def test_a_damaged_newer_snapshot_keeps_the_previous_model(tmp_path: Path) -> None:
    def load(path: Path) -> LinearGenerator:
        if "200" in path.name:
            raise CheckpointError(f"{path}: damaged")
        return LinearGenerator()

    newest = NewestSnapshot(RunFolder(tmp_path), load)
    (tmp_path / "network-snapshot-000100.safetensors").touch()
    first = newest.refresh()
    (tmp_path / "network-snapshot-000200.safetensors").touch()
    assert newest.refresh() is first
    only = NewestSnapshot(RunFolder(tmp_path), load)
    with pytest.raises(CheckpointError, match="damaged"):
        only.refresh()
    with pytest.raises(ConfigError, match="cannot be read"):
        only.refresh()


def test_other_folders_are_not_runs(tmp_path: Path) -> None:
    assert not is_run(tmp_path)
    assert not is_run(tmp_path / "missing")
