"""Training runs of a small network: files, resumption and errors."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from crowdgan_core.api import build_dataset, load_generator, open_source
from crowdgan_core.errors import CheckpointError, ConfigError, TrainingError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.models.card import read_card
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.testing import check_image_generator
from crowdgan_stylegan3.backend import StyleGan3Backend
from crowdgan_stylegan3.config import StyleGan2Config
from crowdgan_stylegan3.io.safetensors_files import generator_card, load_discriminator, save_network
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.training import run as run_module
from crowdgan_stylegan3.training.checkpoints.export import export_network
from crowdgan_stylegan3.training.checkpoints.training_state import read_checkpoint
from crowdgan_stylegan3.training.data.dataset import open_training_data
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from crowdgan_stylegan3.training.loop import Loop
from crowdgan_stylegan3.training.run import TrainingRun, config_for, options_of
from crowdgan_stylegan3.training.run_writer import create_run_folder
from crowdgan_stylegan3.training.runtime.distributed import DistributedContext
from tests.support.training import CLASSES, small_config, small_options, write_dataset

STEP_KIMG = 0.004
"""Thousands of images in a step with batch size 4."""


def train_run(outdir: Path, data: Path, *, resume: Path | None = None, **changes: Any) -> TrainingRun:
    """Starts or resumes a run as the command does, and trains it."""
    values = {"data": data, "tick_kimg": STEP_KIMG, "snapshot_ticks": 100, "total_kimg": 4 * STEP_KIMG, **changes}
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


def read_stats(training: TrainingRun) -> list[dict[str, Any]]:
    """Lines of `stats.jsonl`."""
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
@pytest.mark.usefixtures("full_grids")
def test_a_run_writes_all_files(tmp_path: Path, name: str, variant: str, labels: str | None) -> None:
    data = write_dataset(tmp_path / name, labels=labels)
    training = train_run(tmp_path / "runs", data, variant=variant, snapshot_ticks=2)
    names = {"checkpoint.safetensors", "fakes_init.png", "log.txt", "reals.png", "stats.jsonl", "training_options.json"}
    for kimg in ("000000_012", "000000_016"):
        names |= {f"fakes{kimg}.png", f"network-snapshot-{kimg}.safetensors"}
    file_names = {
        path.name for path in training.folder.path.iterdir() if not path.name.startswith((".lock", "events.out"))
    }
    assert file_names == names
    lines = read_stats(training)
    assert [line["Progress/kimg"]["mean"] for line in lines] == pytest.approx(
        [STEP_KIMG, 2 * STEP_KIMG, 3 * STEP_KIMG, 4 * STEP_KIMG]
    )
    assert all(math.isfinite(line["Loss/G/loss"]["mean"]) for line in lines)
    rows = {"class": 3, "value": 5, None: 4}[labels]
    for file_name in ("reals.png", "fakes_init.png", "fakes000000_016.png"):
        with Image.open(training.folder.path / file_name) as image:
            assert image.size == (16 * 16, rows * 16)
    card = read_card(training.folder.snapshot_path(4 * STEP_KIMG))
    assert (card.label_kind, card.label_dim) == (labels, {"class": 3, "value": 1, None: 0}[labels])
    assert card.classes == (CLASSES if labels == "class" else ())
    assert card.provenance["data"] == data.name
    assert card.provenance["kimg"] == pytest.approx(4 * STEP_KIMG)
    check_image_generator(StyleGan3Backend().load_generator(training.folder.snapshot_path(4 * STEP_KIMG), "cpu"))
    text = training.folder.log_path.read_text()
    assert "snapshot at 0.012 kimg: network-snapshot-000000_012.safetensors" in text
    assert f"done, 0.016 kimg: {training.folder.snapshot_path(4 * STEP_KIMG)}" in text


@pytest.mark.usefixtures("full_grids")
def test_sample_grids_have_a_row_per_class_and_a_column_per_seed(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset)
    assert read_png_metadata(training.folder.reals_path)["rows"] == list(CLASSES)
    with Image.open(training.folder.reals_path) as image:
        rows = np.asarray(image).reshape(3, -1).mean(axis=1)
    assert (np.diff(rows) > 20).all()  # brightness increases with the class
    generator = load_generator(training.folder.snapshot_path(4 * STEP_KIMG), "cpu")
    labels = torch.eye(3)[[2]].numpy()
    with Image.open(training.folder.fakes_path(4 * STEP_KIMG)) as image:
        cell = np.asarray(image)[2 * 16 : 3 * 16, 5 * 16 : 6 * 16]
    assert np.array_equal(cell, generator.generate([5], labels)[0])


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ("class", {"variant": "stylegan3-t"}),
        (None, {"variant": "stylegan2"}),
        ("value", {"vicinity": "soft", "mirror": True}),
        ("class", {"balance_classes": True, "transition_kimg": (STEP_KIMG, 5 * STEP_KIMG)}),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_run(tmp_path: Path, labels: str | None, options: dict[str, Any]) -> None:
    data = write_dataset(tmp_path / "crowds.zip", labels=labels)
    single_run = train_run(tmp_path / "uninterrupted", data, total_kimg=6 * STEP_KIMG, **options)
    first = train_run(tmp_path / "resumed", data, total_kimg=3 * STEP_KIMG, **options)
    second = train_run(tmp_path / "resumed", data, total_kimg=6 * STEP_KIMG, **options)
    assert second.folder.path == first.folder.path
    uninterrupted, resumed = (read_checkpoint(training.folder.checkpoint_path) for training in (single_run, second))
    assert uninterrupted.progress == resumed.progress
    tensors = uninterrupted.tensors("")
    assert tensors.keys() == resumed.tensors("").keys()
    assert all(torch.equal(tensor, resumed.tensors("")[name]) for name, tensor in tensors.items())
    columns = ("Progress/kimg", "Progress/tick", "Loss/G/loss", "Loss/scores/real")
    assert [[line[name] for name in columns] for line in read_stats(single_run)] == [
        [line[name] for name in columns] for line in read_stats(second)
    ]


def test_training_from_shards_equals_training_from_a_zip(dataset: Path, tmp_path: Path) -> None:
    shards = tmp_path / "crowds.shards"
    build_dataset(open_source(dataset), shards, transform="none", workers=1)
    options = {"mirror": True, "total_kimg": 8 * STEP_KIMG, "workers": 2}
    runs = [train_run(tmp_path / data.suffix, data, **options) for data in (dataset, shards)]
    first, second = (read_checkpoint(training.folder.checkpoint_path).tensors("") for training in runs)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_the_same_options_resume_a_run_until_it_has_finished(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset, total_kimg=2 * STEP_KIMG)
    with pytest.raises(
        ConfigError, match=r"this run finished at 0.008 kimg; use a higher --kimg to continue, or --new"
    ):
        train_run(tmp_path, dataset, total_kimg=2 * STEP_KIMG)
    assert train_run(tmp_path, dataset, total_kimg=3 * STEP_KIMG).folder.path == training.folder.path
    assert train_run(tmp_path, dataset, total_kimg=3 * STEP_KIMG, seed=1).folder.path != training.folder.path


def test_a_run_on_continuous_labels_of_an_earlier_version_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_dataset(tmp_path / "values.zip", labels="value")
    with monkeypatch.context() as earlier_version:
        earlier_version.setattr(TrainingLabels, "encoding", lambda _: None)
        earlier_version.setattr(run_module, "default_vicinity", lambda _: "none")
        training = train_run(tmp_path / "runs", data, total_kimg=2 * STEP_KIMG)
    by_options = train_run(tmp_path / "runs", data, total_kimg=3 * STEP_KIMG)
    by_folder = train_run(tmp_path / "runs", data, resume=training.folder.path, total_kimg=4 * STEP_KIMG)
    for resumed in (by_options, by_folder):
        assert (resumed.folder, resumed.config) == (training.folder, training.config)
    new = train_run(tmp_path / "other", data, total_kimg=STEP_KIMG)
    assert new.config.generator.label_encoding is not None
    assert (new.config.conditioning.vicinity, training.config.conditioning.vicinity) == ("hard", "none")


def test_a_run_resumed_by_its_folder_keeps_its_config(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset, total_kimg=2 * STEP_KIMG, r1_gamma=0.5)
    resumed = train_run(tmp_path, dataset, resume=training.folder.path, total_kimg=3 * STEP_KIMG)
    assert (resumed.config, resumed.schedule.total_kimg) == (training.config, 3 * STEP_KIMG)
    with pytest.raises(ConfigError, match=r"a resumed run keeps its config; changed: loss.r1_gamma: 0.5, not 0.7"):
        train_run(tmp_path, dataset, resume=training.folder.path, total_kimg=4 * STEP_KIMG, r1_gamma=0.7)


def test_a_resumed_run_keeps_its_micro_batch_size(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset, total_kimg=2 * STEP_KIMG, batch=8)
    longer, smaller = (options_of(training.folder, {"total_kimg": 1, "batch_gpu": size}) for size in (None, 4))
    assert TrainingRun.resume(training.folder, longer, training.config, micro_batch=4).schedule.batch_gpu == 8
    assert TrainingRun.resume(training.folder, smaller, training.config, micro_batch=4).schedule.batch_gpu == 4


def test_a_run_whose_dataset_has_moved_is_resumed(dataset: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.zip"
    first.write_bytes(dataset.read_bytes())
    training = train_run(tmp_path / "runs", first, total_kimg=2 * STEP_KIMG)
    moved = first.rename(tmp_path / "second.zip")
    resumed = train_run(tmp_path / "runs", moved, resume=training.folder.path, total_kimg=3 * STEP_KIMG)
    assert read_checkpoint(resumed.folder.checkpoint_path).nimg == 12


def test_a_folder_without_a_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no checkpoint.safetensors; there is nothing to resume"):
        options_of(RunFolder(tmp_path), {})


def test_a_run_without_a_checkpoint_restarts_in_the_same_folder(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset)
    training.folder.checkpoint_path.unlink()
    resumed = train_run(tmp_path, dataset)
    assert resumed.folder.path == training.folder.path
    assert len(read_stats(resumed)) == 4


def test_training_from_a_model_copies_its_weights(dataset: Path, tmp_path: Path) -> None:
    source = train_run(tmp_path / "source", dataset, conditional=False)
    model = source.folder.snapshot_path(4 * STEP_KIMG)
    training = train_run(tmp_path / "runs", dataset, source=model, total_kimg=STEP_KIMG)
    text = training.folder.log_path.read_text()
    assert "tensors copied; randomly initialised: mapping.embed.weight (not in the model)" in text
    assert "D: no tensors copied; randomly initialised" in text
    assert read_card(training.folder.snapshot_path(STEP_KIMG)).provenance["started from"] == model.name
    assert (training.folder.path / "fakes_init.png").exists()


def test_training_from_a_model_keeps_its_encoding_of_densities(tmp_path: Path) -> None:
    first, second = (write_dataset(tmp_path / f"{count}.zip", count, labels="value") for count in (24, 12))
    source = train_run(tmp_path / "source", first, total_kimg=STEP_KIMG)
    model = source.folder.snapshot_path(STEP_KIMG)
    alone, from_model = (
        train_run(tmp_path / "runs", second, total_kimg=STEP_KIMG, **changes) for changes in ({}, {"source": model})
    )
    assert read_card(model).label_range == pytest.approx((0, 2.23))
    assert alone.config.generator.label_encoding != source.config.generator.label_encoding
    assert from_model.config.generator.label_encoding == source.config.generator.label_encoding


def test_a_model_without_matching_layers_is_an_error(dataset: Path, tmp_path: Path) -> None:
    config = StyleGan2Config(resolution=32, channel_max=3, channel_base=32, z_dim=3, w_dim=3, mapping_layers=1)
    source = tmp_path / "other.safetensors"
    save_network(Generator(config), generator_card(config, (), {}), source)
    with pytest.raises(CheckpointError, match=r"other\.safetensors: no layer of its generator fits"):
        train_run(tmp_path / "runs", dataset, source=source, total_kimg=STEP_KIMG)


@pytest.mark.parametrize("which", ["G", "D", "G_ema"])
def test_networks_are_exported_from_checkpoints(dataset: Path, tmp_path: Path, which: str) -> None:
    training = train_run(tmp_path, dataset, total_kimg=2 * STEP_KIMG)
    dest = tmp_path / "out.safetensors"
    export_network(training.folder, dest, which=which)
    saved = read_checkpoint(training.folder.checkpoint_path).weights(which)
    if which == "D":
        state = load_discriminator(dest).state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in saved.items())
        return
    assert read_card(dest).provenance["network"] == which
    images = load_generator(dest, "cpu").generate([1], torch.eye(3)[:1].numpy())
    assert images.shape == (1, 16, 16, 3)


def test_loading_another_file_as_a_discriminator_is_an_error(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset, total_kimg=STEP_KIMG)
    with pytest.raises(CheckpointError, match="a safetensors file, but not a crowdgan discriminator"):
        load_discriminator(training.folder.snapshot_path(STEP_KIMG))
    with pytest.raises(CheckpointError, match=r"no\.safetensors"):
        load_discriminator(tmp_path / "no.safetensors")


def test_a_non_finite_loss_stops_training_and_keeps_the_last_checkpoint(dataset: Path, tmp_path: Path) -> None:
    training = train_run(
        tmp_path, dataset, total_kimg=2 * STEP_KIMG, augment="noaug", generator_lr=1e30, on_non_finite="skip"
    )
    before = training.folder.checkpoint_path.read_bytes()
    with pytest.raises(TrainingError) as caught:
        train_run(tmp_path, dataset, total_kimg=20 * STEP_KIMG, augment="noaug", generator_lr=1e30)
    assert "not finite at" in str(caught.value)
    assert "not finite at" in training.folder.log_path.read_text()
    assert f"the last checkpoint is {training.folder.checkpoint_path}" in str(caught.value)
    assert training.folder.checkpoint_path.read_bytes() == before


def test_updates_with_non_finite_losses_are_skipped_on_request(dataset: Path, tmp_path: Path) -> None:
    training = train_run(
        tmp_path, dataset, total_kimg=6 * STEP_KIMG, augment="noaug", generator_lr=1e30, on_non_finite="skip"
    )
    assert read_checkpoint(training.folder.checkpoint_path).nimg == 24
    assert "SKIPPED" in training.folder.log_path.read_text()
    assert read_stats(training)[-1]["Progress/skipped"]["mean"] > 0


def test_tensorboard_events_equal_the_statistics(dataset: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    training = train_run(tmp_path, dataset)
    events = accumulator.EventAccumulator(str(training.folder.path))
    events.Reload()
    written = [item.value for item in events.Scalars("Loss/G/loss")]
    assert written == pytest.approx([line["Loss/G/loss"]["mean"] for line in read_stats(training)], rel=1e-6)


def test_a_broken_tensorboard_is_reported_and_training_continues(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr("crowdgan_stylegan3.training.loop.find_spec", lambda name: name)
    training = train_run(tmp_path, dataset, total_kimg=STEP_KIMG)
    assert training.folder.log_path.read_text().count("nothing is written for TensorBoard, which cannot be used") == 1
    assert training.folder.checkpoint_path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_reported_and_training_continues(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="only POSIX systems have flock")

    def fail_to_lock(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail_to_lock)
    training = train_run(tmp_path, dataset, total_kimg=STEP_KIMG)
    assert caplog.text.count("the file system has no locks; do not use this folder in two processes") == 1
    assert training.folder.checkpoint_path.exists()


@pytest.mark.parametrize("description", ["a/b", "../../x", "a\\b", "", "a" * 101, "a\nb"])
def test_a_description_that_is_no_part_of_a_file_name_is_an_error(
    dataset: Path, tmp_path: Path, description: str
) -> None:
    with pytest.raises(ConfigError, match="it becomes part of the name of the run folder"):
        create_run_folder(tmp_path / "runs", small_config(), description)
    assert not (tmp_path / "runs").exists()
    assert create_run_folder(tmp_path, small_config(), "größer, 2").path.name.endswith("-größer, 2")


def test_diversity_is_measured_at_snapshots(dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        training = train_run(tmp_path, dataset)
    line = read_stats(training)[-1]
    assert {f"Collapse/spread/{name}" for name in CLASSES} | {"Collapse/between_classes"} <= line.keys()
    assert "Collapse/between_classes" not in read_stats(training)[0]


def test_a_class_without_images_is_reported(tmp_path: Path) -> None:
    training = train_run(tmp_path / "runs", write_dataset(tmp_path / "two.zip", 2), total_kimg=STEP_KIMG)
    assert "the class dense has no images: the model will not learn it" in training.folder.log_path.read_text()


def test_checkpoints_are_written_between_snapshots(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded_nimg: list[int] = []
    save = Loop._save

    def save_and_record(self: Loop) -> None:
        save(self)
        recorded_nimg.append(read_checkpoint(self.run.checkpoint_path).nimg)

    monkeypatch.setattr(Loop, "_save", save_and_record)
    train_run(tmp_path, dataset, snapshot_ticks=100, tick_kimg=100, checkpoint_minutes=1e-9)
    assert recorded_nimg == [4, 8, 12, 16, 16]


def test_options_config_and_schedule_are_written_to_the_run_folder(dataset: Path, tmp_path: Path) -> None:
    training = train_run(tmp_path, dataset, total_kimg=STEP_KIMG)
    saved = json.loads((training.folder.path / "training_options.json").read_text())
    assert saved["training"]["loss"]["r1_gamma"] == training.config.loss.r1_gamma
    assert saved["schedule"]["total_kimg"] == STEP_KIMG
    assert options_of(training.folder, {}) == replace(training.options)
