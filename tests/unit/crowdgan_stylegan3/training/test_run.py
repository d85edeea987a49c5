"""Complete runs of a tiny network: their files, resuming, and errors."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from crowdgan_core.api import load_generator
from crowdgan_core.errors import CheckpointError, ConfigError, TrainingError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.card import read_card
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.testing import check_image_generator
from crowdgan_stylegan3.backend import StyleGan3Backend
from crowdgan_stylegan3.config import StyleGan2Config
from crowdgan_stylegan3.io.safetensors_files import generator_card, load_discriminator, save_network
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.training.api import run_training
from crowdgan_stylegan3.training.checkpoints.export import export_network
from crowdgan_stylegan3.training.checkpoints.training_state import read_checkpoint
from crowdgan_stylegan3.training.data.dataset import open_training_data
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.run import TrainingRun, config_for, metrics_by_name, options_of
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from tests.support.training import CLASSES, small_options, write_dataset

STEP = 0.004
"""Thousands of images of a step of four."""


def run(outdir: Path, data: Path, *, resume: Path | None = None, **changes: Any) -> TrainingRun:
    """Trains as the command does."""
    values = {"data": data, "tick_kimg": STEP, "snapshot_ticks": 2, "total_kimg": 4 * STEP, **changes}
    resumed = None if resume is None else RunFolder(resume)
    options = small_options(**values) if resumed is None else options_of(resumed, {"data": data, **changes})
    with open_training_data(options.data, conditional=options.conditional) as dataset:
        config = config_for(options, dataset, resumed)
        if resumed is None:
            training = TrainingRun.start(options, config, outdir=outdir, micro_batch=config.batch)
        else:
            training = TrainingRun.resume(resumed, options, config, micro_batch=config.batch)
        assert training.train(dataset, DistributedContext()) == 0
    return training


def stats(training: TrainingRun) -> list[dict[str, Any]]:
    return [json.loads(line) for line in training.folder.stats_path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "variant", "labels"),
    [
        ("crowds.zip", "stylegan3-t", "class"),
        ("crowds.h5", "stylegan3-r", "class"),
        ("crowds", "stylegan2", None),
        ("values.zip", "stylegan3-t", "value"),
        ("values.h5", "stylegan2", "class"),
    ],
)
def test_a_run_leaves_everything_that_it_should(tmp_path: Path, name: str, variant: str, labels: str | None) -> None:
    data = write_dataset(tmp_path / name, labels=labels)
    training = run(tmp_path / "runs", data, variant=variant)
    names = {"checkpoint.safetensors", "fakes000000.png", "fakes_init.png", "log.txt", "reals.png", "stats.jsonl"}
    names |= {"network-snapshot-000000.safetensors", "training_options.json"}
    found = {path.name for path in training.folder.path.iterdir() if not path.name.startswith((".lock", "events.out"))}
    assert found == names
    lines = stats(training)
    assert [line["Progress/kimg"]["mean"] for line in lines] == pytest.approx([STEP, 2 * STEP, 3 * STEP, 4 * STEP])
    assert all(math.isfinite(line["Loss/G/loss"]["mean"]) for line in lines)
    rows = {"class": 3, "value": 5, None: 4}[labels]
    for file_name in ("reals.png", "fakes_init.png", "fakes000000.png"):
        with Image.open(training.folder.path / file_name) as image:
            assert image.size == (16 * 16, rows * 16)
    card = read_card(training.folder.snapshot_path(0))
    assert (card.label_kind, card.label_dim) == (labels, {"class": 3, "value": 1, None: 0}[labels])
    assert card.classes == (CLASSES if labels == "class" else ())
    assert card.provenance["data"] == data.name
    assert card.provenance["kimg"] == pytest.approx(4 * STEP)
    check_image_generator(StyleGan3Backend().load_generator(training.folder.snapshot_path(0), "cpu"))
    text = training.folder.log_path.read_text()
    assert "snapshot at 0.012 kimg: network-snapshot-000000.safetensors" in text
    assert f"done, 0.016 kimg: {training.folder.snapshot_path(0)}" in text


def test_rows_of_sample_images_are_classes_and_columns_seeds(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset)
    assert read_png_metadata(training.folder.reals_path)["rows"] == list(CLASSES)
    with Image.open(training.folder.reals_path) as image:
        rows = np.asarray(image).reshape(3, -1).mean(axis=1)
    assert (np.diff(rows) > 20).all()  # brightness tells the class
    generator = load_generator(training.folder.snapshot_path(0), "cpu")
    labels = torch.eye(3)[[2]].numpy()
    with Image.open(training.folder.fakes_path(0)) as image:
        cell = np.asarray(image)[2 * 16 : 3 * 16, 5 * 16 : 6 * 16]
    assert np.array_equal(cell, generator.generate([5], labels)[0])


@pytest.mark.parametrize(("labels", "variant"), [("class", "stylegan3-t"), (None, "stylegan2")])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path: Path, labels: str | None, variant: str) -> None:
    data = write_dataset(tmp_path / "crowds.zip", labels=labels)
    one = run(tmp_path / "one", data, total_kimg=6 * STEP, variant=variant)
    first = run(tmp_path / "two", data, total_kimg=3 * STEP, variant=variant)
    second = run(tmp_path / "two", data, total_kimg=6 * STEP, variant=variant)
    assert second.folder.path == first.folder.path
    whole, parts = (read_checkpoint(training.folder.checkpoint_path) for training in (one, second))
    assert whole.progress == parts.progress
    tensors = whole.tensors("")
    assert tensors.keys() == parts.tensors("").keys()
    assert all(torch.equal(tensor, parts.tensors("")[name]) for name, tensor in tensors.items())
    columns = ("Progress/kimg", "Progress/tick", "Loss/G/loss", "Loss/scores/real")
    assert [[line[name] for name in columns] for line in stats(one)] == [
        [line[name] for name in columns] for line in stats(second)
    ]


def test_the_same_command_goes_on_and_then_has_ended(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=2 * STEP)
    with pytest.raises(
        ConfigError, match=r"this run finished at 0.008 kimg; use a higher --kimg to continue, or --new"
    ):
        run(tmp_path, dataset, total_kimg=2 * STEP)
    assert run(tmp_path, dataset, total_kimg=3 * STEP).folder.path == training.folder.path
    assert run(tmp_path, dataset, total_kimg=3 * STEP, seed=1).folder.path != training.folder.path


def test_a_run_goes_on_by_its_folder_with_its_own_options(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=2 * STEP, r1_gamma=0.5)
    again = run(tmp_path, dataset, resume=training.folder.path, total_kimg=3 * STEP)
    assert (again.config, again.schedule.total_kimg) == (training.config, 3 * STEP)
    with pytest.raises(ConfigError, match=r"a resumed run keeps its config; changed: loss.r1_gamma: 0.5, not 0.7"):
        run(tmp_path, dataset, resume=training.folder.path, total_kimg=4 * STEP, r1_gamma=0.7)


def test_a_resumed_run_keeps_its_micro_batch_size(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=2 * STEP, batch=8)
    longer, smaller = (options_of(training.folder, {"total_kimg": 1, "batch_gpu": size}) for size in (None, 4))
    assert TrainingRun.resume(training.folder, longer, training.config, micro_batch=4).schedule.batch_gpu == 8
    assert TrainingRun.resume(training.folder, smaller, training.config, micro_batch=4).schedule.batch_gpu == 4


def test_a_run_whose_dataset_has_moved_is_resumed(dataset: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.zip"
    first.write_bytes(dataset.read_bytes())
    training = run(tmp_path / "runs", first, total_kimg=2 * STEP)
    moved = first.rename(tmp_path / "second.zip")
    again = run(tmp_path / "runs", moved, resume=training.folder.path, total_kimg=3 * STEP)
    assert read_checkpoint(again.folder.checkpoint_path).nimg == 12


def test_a_folder_without_a_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no checkpoint.safetensors; there is nothing to resume"):
        options_of(RunFolder(tmp_path), {})


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_in_its_folder(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset)
    training.folder.checkpoint_path.unlink()
    again = run(tmp_path, dataset)
    assert again.folder.path == training.folder.path
    assert len(stats(again)) == 4


def test_training_from_a_model_takes_its_weights(dataset: Path, tmp_path: Path) -> None:
    source = run(tmp_path / "source", dataset, conditional=False)
    training = run(tmp_path / "runs", dataset, source=source.folder.snapshot_path(0), total_kimg=STEP)
    text = training.folder.log_path.read_text()
    assert "tensors copied; randomly initialised: mapping.embed.weight (not in the model)" in text
    assert "D: no tensors copied; randomly initialised" in text
    assert read_card(training.folder.snapshot_path(0)).provenance["started from"] == source.folder.snapshot_path(0).name
    assert (training.folder.path / "fakes_init.png").exists()


def test_a_model_of_which_nothing_fits_is_refused(dataset: Path, tmp_path: Path) -> None:
    settings = StyleGan2Config(resolution=32, channel_max=3, channel_base=32, z_dim=3, w_dim=3, mapping_layers=1)
    source = tmp_path / "other.safetensors"
    save_network(Generator(settings), generator_card(settings, (), {}), source)
    with pytest.raises(CheckpointError, match=r"other\.safetensors: no layer of its generator fits"):
        run(tmp_path / "runs", dataset, source=source, total_kimg=STEP)


@pytest.mark.parametrize("which", ["G", "D", "G_ema"])
def test_networks_come_out_of_checkpoints(dataset: Path, tmp_path: Path, which: str) -> None:
    training = run(tmp_path, dataset, total_kimg=2 * STEP)
    dest = tmp_path / "out.safetensors"
    export_network(training.folder, dest, which=which)
    kept = read_checkpoint(training.folder.checkpoint_path).weights(which)
    if which == "D":
        state = load_discriminator(dest).state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in kept.items())
        return
    assert read_card(dest).provenance["network"] == which
    made = load_generator(dest, "cpu").generate([1], torch.eye(3)[:1].numpy())
    assert made.shape == (1, 16, 16, 3)


def test_what_is_no_discriminator_is_refused(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=STEP)
    with pytest.raises(CheckpointError, match="a safetensors file, but not a crowdgan discriminator"):
        load_discriminator(training.folder.snapshot_path(0))
    with pytest.raises(CheckpointError, match=r"no\.safetensors"):
        load_discriminator(tmp_path / "no.safetensors")


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=2 * STEP, augment="noaug", generator_lr=1e30, on_non_finite="skip")
    before = training.folder.checkpoint_path.read_bytes()
    with pytest.raises(TrainingError) as caught:
        run(tmp_path, dataset, total_kimg=20 * STEP, augment="noaug", generator_lr=1e30)
    assert "not finite at" in str(caught.value)
    assert "not finite at" in training.folder.log_path.read_text()
    assert f"the last checkpoint is {training.folder.checkpoint_path}" in str(caught.value)
    assert training.folder.checkpoint_path.read_bytes() == before


def test_training_goes_on_past_such_losses_where_that_is_asked_for(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=6 * STEP, augment="noaug", generator_lr=1e30, on_non_finite="skip")
    assert read_checkpoint(training.folder.checkpoint_path).nimg == 24
    assert "SKIPPED" in training.folder.log_path.read_text()
    assert stats(training)[-1]["Progress/skipped"]["mean"] > 0


def test_tensorboard_gets_what_the_statistics_have(dataset: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    training = run(tmp_path, dataset)
    events = accumulator.EventAccumulator(str(training.folder.path))
    events.Reload()
    written = [item.value for item in events.Scalars("Loss/G/loss")]
    assert written == pytest.approx([line["Loss/G/loss"]["mean"] for line in stats(training)], rel=1e-6)


def test_collapse_is_watched_at_snapshots(dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        training = run(tmp_path, dataset)
    line = stats(training)[-1]
    assert {f"Collapse/spread/{name}" for name in CLASSES} | {"Collapse/between_classes"} <= line.keys()
    assert "Collapse/between_classes" not in stats(training)[0]


def test_a_class_without_images_is_told(tmp_path: Path) -> None:
    training = run(tmp_path / "runs", write_dataset(tmp_path / "two.zip", 2), total_kimg=STEP)
    assert "the class dense has no images: the model will not learn it" in training.folder.log_path.read_text()


def test_metrics_that_there_are_not_are_refused() -> None:
    assert metrics_by_name("none") == []
    with pytest.raises(ConfigError, match=r"--metrics fid50k: no such metric; choose from none"):
        metrics_by_name("fid50k")


def test_metrics_are_taken_at_snapshots(dataset: Path, tmp_path: Path) -> None:
    class Images:
        name = "images"

        def measure(self, generator: Any, data: Any) -> dict[str, float]:
            return {"Metrics/images": float(len(data))}

    options = small_options(data=dataset, tick_kimg=STEP, total_kimg=2 * STEP)
    folder, signal_number = run_training(options, outdir=tmp_path, device="cpu", metrics=[Images()])
    lines = [json.loads(line) for line in folder.stats_path.read_text().splitlines()]
    assert signal_number == 0
    assert [line.get("Metrics/images") for line in lines] == [None, {"num": 1, "mean": 24.0, "std": 0.0}]


def test_a_checkpoint_comes_also_without_a_snapshot(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    save = Loop._save

    def noting(self: Loop) -> None:
        save(self)
        seen.append(read_checkpoint(self.run.checkpoint_path).nimg)

    monkeypatch.setattr(Loop, "_save", noting)
    run(tmp_path, dataset, snapshot_ticks=100, tick_kimg=100, checkpoint_minutes=1e-9)
    assert seen == [4, 8, 12, 16, 16]


def test_the_settings_of_a_run_are_kept(dataset: Path, tmp_path: Path) -> None:
    training = run(tmp_path, dataset, total_kimg=STEP)
    kept = json.loads((training.folder.path / "training_options.json").read_text())
    assert kept["training"]["loss"]["r1_gamma"] == training.config.loss.r1_gamma
    assert kept["schedule"]["total_kimg"] == STEP
    assert options_of(training.folder, {}) == replace(training.options)
