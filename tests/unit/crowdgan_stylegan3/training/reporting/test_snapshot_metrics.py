"""Quality metrics of snapshots: selection, files, best models and resumption, with extractors of the example plugin."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from crowdgan_core.api import evaluate_metrics
from crowdgan_core.errors import ConfigError
from crowdgan_core.io.metric_records import read_metric_records
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.metrics import feature_cache
from crowdgan_core.metrics.metric import MetricInputs, MetricValue
from crowdgan_core.models.card import read_card
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.utils.progress import Progress
from crowdgan_stylegan3.training.api import resume, run_training
from crowdgan_stylegan3.training.checkpoints.training_state import read_checkpoint
from crowdgan_stylegan3.training.config.recipe import resolve_config
from crowdgan_stylegan3.training.data.dataset import open_training_data
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.reporting.snapshot_metrics import SnapshotMetrics, absolute_weights
from tests.support.blob_plugins import installed_blobs
from tests.support.feature_extractors import WEIGHTS, CountedColours, WeightedColours
from tests.support.training import small_options

STEP_KIMG = 0.004
"""Thousands of images in a step with batch size 4."""

NUM_REAL = 24
"""Number of images of the dataset."""


class ListedValues:
    """A metric with given values, one per snapshot; an exception is raised."""

    name, description = "listed", "values of a list"
    higher_is_better = True
    values: ClassVar[list[float | Exception]] = []

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        return None

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        value = self.values.pop(0)
        if isinstance(value, Exception):
            raise value
        return {self.name: MetricValue(value, 0.5)}


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Installs the metrics of `grid-colours`, `weighted-colours` and `ListedValues`."""
    all_extractors, all_metrics = (vars(PluginRegistry)[name].fget for name in ("feature_extractors", "metrics"))
    colours = {"grid-colours": CountedColours, "weighted-colours": WeightedColours}

    def with_listed(registry: PluginRegistry) -> dict[str, Any]:
        return {**all_metrics(registry), ListedValues.name: ListedValues()}

    with installed_blobs():
        with_colours = property(lambda registry: {**all_extractors(registry), **colours})
        monkeypatch.setattr(PluginRegistry, "feature_extractors", with_colours)
        monkeypatch.setattr(PluginRegistry, "metrics", property(with_listed))
        monkeypatch.setattr(CountedColours, "num_images", 0)
        yield


def train(outdir: Path, data: Path, metrics: str | None, *, steps: int = 4, **changes: Any) -> RunFolder:
    """Trains a run with a snapshot after each step but the first."""
    values = {"tick_kimg": STEP_KIMG, "snapshot_ticks": 1, "total_kimg": steps * STEP_KIMG, **changes}
    options = small_options(data=data, metrics=metrics, **values)
    folder, signal_number = run_training(lambda: (options, None), outdir=outdir, device="cpu")
    assert signal_number == 0
    return folder


def select(data: Path, device: str = "cpu", **changes: Any) -> SnapshotMetrics:
    options = small_options(data=data, **changes)
    with open_training_data(data, conditional=None) as opened:
        config = resolve_config(
            options, resolution=16, label_dim=opened.labels.dim, label_encoding=opened.labels.encoding()
        )
        return SnapshotMetrics.select(options, opened, config, torch.device(device))


def best_kimg(run: RunFolder, name: str) -> float:
    return float(read_card(run.best_path(name)).provenance["kimg"])


def test_values_are_those_of_the_metrics_command_and_are_written_to_all_files(dataset: Path, tmp_path: Path) -> None:
    run = train(tmp_path, dataset, "kid_grid-colours,pr_grid-colours", num_images=20)
    assert sorted(run.metric_paths()) == ["kid_grid-colours", "pr_grid-colours"]
    records = read_metric_records(run.metric_path("kid_grid-colours"))
    assert [record.kimg for record in records] == pytest.approx([2 * STEP_KIMG, 3 * STEP_KIMG, 4 * STEP_KIMG])
    last = records[-1]
    assert (last.metric, last.num_images, last.num_gpus) == ("kid_grid-colours", 20, 1)
    assert last.snapshot == run.snapshot_path(4 * STEP_KIMG).name
    report = evaluate_metrics(
        run.path / last.snapshot, dataset, metrics=["kid_grid-colours"], num_images=20, device="cpu"
    )
    (result,) = report.results
    assert result.values["kid_grid-colours"].value == last.results["kid_grid-colours"]
    assert result.values["kid_grid-colours"].standard_error == last.standard_errors["kid_grid-colours"]
    lowest = min(records, key=lambda record: record.results["kid_grid-colours"])
    assert best_kimg(run, "kid_grid-colours") == pytest.approx(lowest.kimg)
    lines = [json.loads(line) for line in run.stats_path.read_text().splitlines()]
    keys = {"Metrics/kid_grid-colours", "Metrics/pr_grid-colours_precision", "Metrics/pr_grid-colours_recall"}
    assert [keys <= line.keys() for line in lines] == [False, True, True, True]
    assert lines[-1]["Metrics/kid_grid-colours"]["mean"] == last.results["kid_grid-colours"]


def test_real_features_are_computed_once_and_generated_ones_at_each_snapshot(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "cache_folder", lambda: tmp_path / "cache")
    train(tmp_path / "runs", dataset, "kid_grid-colours,fd_grid-colours", num_images=20, steps=3)
    assert CountedColours.num_images == NUM_REAL + 2 * 20


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan2"])
def test_metrics_do_not_change_training(dataset: Path, tmp_path: Path, variant: str) -> None:
    metrics = "kid_grid-colours,eqt50k_int"
    with_metrics = train(tmp_path / "with", dataset, metrics, num_images=8, variant=variant)
    without = train(tmp_path / "without", dataset, "none", variant=variant)
    one, other = (read_checkpoint(run.checkpoint_path) for run in (with_metrics, without))
    first, second = one.tensors(""), other.tensors("")
    assert first.keys() == second.keys()
    assert [name for name, tensor in first.items() if not torch.equal(tensor, second[name])] == []
    assert (one.nimg, list(with_metrics.metric_paths())) == (other.nimg, ["eqt50k_int", "kid_grid-colours"])


def test_the_best_model_is_kept(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ListedValues, "values", [1.0, 3.0, 2.0])
    run = train(tmp_path, dataset, "listed")
    assert run.best_path("listed").read_bytes() == run.snapshot_path(3 * STEP_KIMG).read_bytes()
    log = run.log_path.read_text()
    assert "listed 3 ± 0.5 in 0s; the best so far: best-listed.safetensors" in log
    assert "listed 2 ± 0.5 in 0s; the best is 3 at 0.012 kimg" in log


def test_models_are_not_ranked_by_precision_and_recall(dataset: Path, tmp_path: Path) -> None:
    run = train(tmp_path, dataset, "pr_grid-colours", num_images=8, steps=2)
    assert not run.best_path("pr_grid-colours").exists()


def test_a_resumed_run_computes_no_value_again_and_keeps_the_best_model(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListedValues, "values", [1.0, 3.0])
    run = train(tmp_path, dataset, "listed", steps=3)
    monkeypatch.setattr(ListedValues, "values", [2.0, 4.0])
    resume(run, total_kimg=4 * STEP_KIMG, device="cpu")
    assert best_kimg(run, "listed") == pytest.approx(3 * STEP_KIMG)
    resume(run, total_kimg=5 * STEP_KIMG, device="cpu")
    assert best_kimg(run, "listed") == pytest.approx(5 * STEP_KIMG)
    records = read_metric_records(run.metric_path("listed"))
    assert [record.results["listed"] for record in records] == [1, 3, 2, 4]
    assert [record.kimg for record in records] == pytest.approx([kimg * STEP_KIMG for kimg in (2, 3, 4, 5)])


def test_values_after_the_checkpoint_are_removed_and_the_best_model_is_restored(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListedValues, "values", [2.0, 1.0, 9.0])
    save = Loop._save

    def save_early(loop: Loop) -> None:
        if loop.trainer.nimg < 16:  # as if the run had been killed after its last snapshot
            save(loop)

    monkeypatch.setattr(Loop, "_save", save_early)
    run = train(tmp_path, dataset, "listed")
    monkeypatch.setattr(Loop, "_save", save)
    assert best_kimg(run, "listed") == pytest.approx(4 * STEP_KIMG)
    with run.metric_path("listed").open("a") as file:
        file.write('{"results": {"lis')
    monkeypatch.setattr(ListedValues, "values", [1.5])
    resume(run, device="cpu")
    assert best_kimg(run, "listed") == pytest.approx(2 * STEP_KIMG)
    lines = run.metric_path("listed").read_text().splitlines()
    assert [json.loads(line)["results"]["listed"] for line in lines] == [2, 1, 1.5]


def test_a_run_without_checkpoint_starts_without_values(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListedValues, "values", [2.0])
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_save", lambda _: None)
        run = train(tmp_path, dataset, "listed", steps=2)
    assert run.best_path("listed").exists()
    train(tmp_path, dataset, "none", steps=2)
    assert read_metric_records(run.metric_path("listed")) == []
    assert not run.best_path("listed").exists()


def test_a_metric_that_fails_is_reported_and_training_continues(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListedValues, "values", [ValueError("no"), 2.0])
    run = train(tmp_path, dataset, "listed,kid_grid-colours", num_images=8, steps=3)
    failure = "listed was not computed: metric listed failed: computing it: ValueError: no"
    assert failure in run.log_path.read_text()
    assert [record.results["listed"] for record in read_metric_records(run.metric_path("listed"))] == [2]
    assert len(read_metric_records(run.metric_path("kid_grid-colours"))) == 2


def test_a_signal_ends_the_computation_of_metrics(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = CountedColours.features

    def features_with_signal(extractor: CountedColours, images: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return features(extractor, images)

    monkeypatch.setattr(CountedColours, "features", features_with_signal)
    options = small_options(
        data=dataset, metrics="kid_grid-colours", num_images=1000, tick_kimg=STEP_KIMG, snapshot_ticks=1
    )
    run, signal_number = run_training(lambda: (options, None), outdir=tmp_path, device="cpu")
    assert signal_number == signal.SIGTERM
    assert "kid_grid-colours was not computed: the run is being stopped" in run.log_path.read_text()
    assert CountedColours.num_images < 1000
    assert (read_checkpoint(run.checkpoint_path).nimg, run.metric_paths()) == (12, {})


def test_unknown_and_unavailable_metrics_are_refused_before_anything_is_written(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such metric fid50k; choose from .*kid_grid-colours"):
        train(tmp_path / "runs", dataset, "fid50k")
    message = r"kid_weighted-colours, fd_weighted-colours: weighted-colours needs the file colours.pt"
    with pytest.raises(ConfigError, match=message):
        train(tmp_path / "runs", dataset, "kid_weighted-colours,fd_weighted-colours,listed")
    with pytest.raises(ConfigError, match="--num-images is 0"):
        train(tmp_path / "runs", dataset, "listed", num_images=0)
    with pytest.raises(ConfigError, match="weights of nothing"):
        train(tmp_path / "runs", dataset, "listed", weights=("weights of nothing",))
    assert not (tmp_path / "runs").exists()


def test_weights_are_passed_and_kept_as_absolute_paths(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "colours.pt").write_bytes(WEIGHTS)
    monkeypatch.chdir(tmp_path)
    assert absolute_weights(["colours.pt"]) == (f"weighted-colours={tmp_path / 'colours.pt'}",)
    selection = select(dataset, metrics="kid_weighted-colours", weights=("colours.pt",))
    assert selection.description == (
        "metrics at each snapshot: kid_weighted-colours (1000 images) (--metrics, --num-images)"
    )


def test_official_metrics_keep_their_number_of_images(dataset: Path) -> None:
    selection = select(dataset, metrics="eqt50k_int,kid_grid-colours")
    assert "eqt50k_int (50000 images), kid_grid-colours (1000 images)" in selection.description
    assert "eqt50k_int (100 images)" in select(dataset, metrics="eqt50k_int", num_images=100).description


def test_no_metric_is_computed_on_a_cpu_by_default(dataset: Path) -> None:
    assert select(dataset).description == "metrics: none, by default on a CPU (--metrics kid_lite0)"
    assert select(dataset, metrics="none").description == "metrics: none"


def test_the_default_metric_is_computed_on_a_gpu_if_its_extractor_is_installed(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lite0(CountedColours):
        name = "lite0"

    class MissingLite0(Lite0):
        @classmethod
        def unavailable_reason(cls) -> str | None:
            return "install the extra metrics"

    def install(extractor: type[CountedColours]) -> None:
        monkeypatch.setattr(PluginRegistry, "feature_extractors", property(lambda _: {"lite0": extractor}))

    install(Lite0)
    selection = select(dataset, "cuda")
    assert [metric.name for metric in selection.metrics] == ["kid_lite0"]
    assert "kid_lite0 (1000 images)" in selection.description
    install(MissingLite0)
    selection = select(dataset, "cuda")
    assert (selection.metrics, selection.inputs) == ((), None)
    assert selection.description == (
        "metrics: none, because kid_lite0 cannot be computed: kid_lite0: install the extra metrics"
    )


def test_options_of_metrics_are_recorded_if_they_are_given(dataset: Path, tmp_path: Path) -> None:
    run = train(tmp_path, dataset, None, steps=1)
    recorded = json.loads(run.options_path.read_text())["options"]
    assert {"metrics", "num_images", "weights"}.isdisjoint(recorded)  # as in runs of earlier versions
    resume(run, total_kimg=2 * STEP_KIMG, metrics="kid_grid-colours", num_images=8, device="cpu")
    resume(run, total_kimg=3 * STEP_KIMG, device="cpu")
    assert [record.num_images for record in read_metric_records(run.metric_path("kid_grid-colours"))] == [8, 8]
