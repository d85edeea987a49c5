"""Runs of earlier versions can be resumed: the files of a new run have the recorded names, types and values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import crowdgan_stylegan3 as sg
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_stylegan3.training.checkpoints.training_state import CHECKPOINT_KEY
from tests.support.recorded_values import load_json
from tests.support.training import write_dataset

RECORD: dict[str, Any] = load_json("recorded_run")
NUM_IMAGES = RECORD["checkpoint"]["progress"]["nimg"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A new run with the recorded options and progress."""
    folder = tmp_path_factory.mktemp("recorded")
    data = write_dataset(folder / "crowds.zip")
    options = sg.TrainOptions.from_json(RECORD["training_options"]["options"], {"data": data})
    return sg.train(options, folder / "runs", device="cpu")


def checkpoint_record(run: RunFolder) -> dict[str, Any]:
    with safe_open(run.checkpoint_path, "pt") as file:
        record: dict[str, Any] = json.loads(file.metadata()[CHECKPOINT_KEY])
    return record


def test_a_new_run_writes_the_recorded_options(run: RunFolder) -> None:
    written = json.loads(run.options_path.read_text())
    written["options"]["data"] = written["training"]["data"] = "crowds.zip"
    assert written == RECORD["training_options"]


def test_a_new_checkpoint_has_the_recorded_names_and_config(run: RunFolder) -> None:
    record, recorded = checkpoint_record(run), RECORD["checkpoint"]
    record["settings"]["data"] = "crowds.zip"
    assert record["settings"] == recorded["settings"]
    assert record["card"].keys() - {"labelling"} == recorded["card"].keys()
    assert record["card"]["settings"] == recorded["card"]["settings"]
    assert record["progress"].keys() == recorded["progress"].keys()
    assert record["clock"].keys() == recorded["clock"].keys()
    with safe_open(run.checkpoint_path, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        tensors = {name: f"{item.get_dtype()} {item.get_shape()}" for name, item in slices.items()}
    assert tensors == RECORD["tensors"]


def test_a_checkpoint_with_a_recorded_header_resumes(run: RunFolder, tmp_path: Path) -> None:
    header = {**RECORD["checkpoint"], "settings": checkpoint_record(run)["settings"]}
    header["settings"]["data"] = str(write_dataset(tmp_path / "crowds.zip"))
    recorded = RunFolder(tmp_path / "run")
    recorded.path.mkdir()
    options = json.loads(json.dumps(RECORD["training_options"]).replace("crowds.zip", str(tmp_path / "crowds.zip")))
    recorded.options_path.write_text(json.dumps(options))
    recorded.stats_path.write_text(run.stats_path.read_text())
    save_file(load_file(run.checkpoint_path), recorded.checkpoint_path, {CHECKPOINT_KEY: json.dumps(header)})
    resumed = sg.resume(recorded, total_kimg=(NUM_IMAGES + 4) / 1000, device="cpu")
    assert checkpoint_record(resumed)["progress"]["nimg"] == NUM_IMAGES + 4
