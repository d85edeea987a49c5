"""Models of a backend that pip installed, as a user meets them: `crowdgan inspect`, `generate` and `sweep`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]

CARD_LINES = """\
  backend      blobs
  labels       3 classes
  classes      sparse, medium, dense
  unit         persons/m²
  labelling    estimator: grid-metres
  settings     blobs: 48
  provenance   data: made up
"""


def test_a_model_backend_that_pip_installs_is_listed_and_trains(blobs: Run) -> None:
    assert "crowdgan-blobs 0.2.0" in blobs("--help").stdout
    assert "train blobs" in blobs("plugins").stdout
    assert "Make up a model" in blobs("train", "blobs", "--help").stdout


def test_the_card_of_a_model_is_shown(blobs: Run, blob_models: Path) -> None:
    path = blob_models / "class.safetensors"
    shown = blobs("inspect", path).stdout
    first, _, rest = shown.partition("\n")
    assert first == f"{path}: a model for images of 32x32 px, 0.00154 MB"
    assert rest == CARD_LINES
    assert "  labels       the density itself\n" in blobs("inspect", blob_models / "value.safetensors").stdout
    assert "  labels       none\n" in blobs("inspect", blob_models / "none.safetensors").stdout


def test_the_card_of_a_model_is_printed_as_json(blobs: Run, blob_models: Path) -> None:
    card = json.loads(blobs("inspect", blob_models / "value.safetensors", "--json").stdout)
    assert {"backend": "blobs", "label_dim": 1, "label_kind": "value", "unit": "persons/m²"}.items() <= card.items()


def test_a_card_is_shown_without_its_backend(crowdgan: list[str], blob_models: Path) -> None:
    run = subprocess.run([*crowdgan, "inspect", blob_models / "class.safetensors"], capture_output=True, text=True)
    assert "  backend      blobs, which is not installed: pip install crowdgan-blobs\n" in run.stdout


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.safetensors", None, "there is no such file"),
        ("pickle.safetensors", b"\x80\x04.", "no model file, or a damaged one; a model is a .safetensors file"),
        ("other.safetensors", b"\x02\0\0\0\0\0\0\0{}", "a safetensors file, but not a model of crowdgan"),
    ],
)
def test_what_is_no_model_is_one_clear_line(
    blobs: Run, tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    run = blobs("inspect", path, code=1)
    assert run.stdout == ""
    assert run.stderr.startswith(f"crowdgan: error: {path}: {message}")
    assert run.stderr.count("\n") == 1


def test_a_model_that_is_cut_off_is_one_clear_line(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes((blob_models / "class.safetensors").read_bytes()[:-100])
    assert "cut.safetensors: damaged, it has " in blobs("inspect", path, code=1).stderr


def test_a_model_has_no_contact_sheet(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    run = blobs("inspect", blob_models / "class.safetensors", "--contact-sheet", tmp_path / "a.png", code=1)
    assert "class.safetensors is a model; crowdgan generate makes images of it" in run.stderr


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_images_are_generated(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("--network", blob_models / "class.safetensors")
    made = blobs("generate", *network, "--seeds", "1,5-6", "--density", "dense", "--outdir", tmp_path / "a")
    assert made.stdout == f"made 3 images in {tmp_path / 'a'}\n"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["seed0001.png", "seed0005.png", "seed0006.png"]
    same = ("--label", "2", "--batch", "1", "--grid", "3x1")
    made = blobs("generate", *network, "--seeds", "1,5-6", *same, "--outdir", tmp_path / "b")
    assert made.stdout == f"made {tmp_path / 'b' / 'grid.png'}\n"
    alone = [pixels(tmp_path / "a" / f"seed000{seed}.png") for seed in (1, 5, 6)]
    assert np.array_equal(pixels(tmp_path / "b" / "grid.png"), np.hstack(alone))
    moved = ("--translate", "-0.25,0", "--rotate", "0", "--trunc", "1")
    blobs("generate", *network, "--seeds", "1", "--label", "0,0,1", *moved, "--outdir", tmp_path / "c")
    left = pixels(tmp_path / "c" / "seed0001.png")
    assert np.abs(left[:, :-8].astype(int) - alone[0][:, 8:]).max() <= 1, "a quarter of 32 px"


def test_images_of_a_density_and_of_no_label_are_generated(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    value = ("generate", "--network", blob_models / "value.safetensors", "--seeds", "4")
    blobs(*value, "--density", "2.5", "--outdir", tmp_path / "a")
    blobs(*value, "--label", "2.5", "--outdir", tmp_path / "b")
    assert (tmp_path / "a" / "seed0004.png").read_bytes() == (tmp_path / "b" / "seed0004.png").read_bytes()
    none = ("generate", "--network", blob_models / "none.safetensors", "--seeds", "4")
    blobs(*none, "--outdir", tmp_path / "c")
    assert pixels(tmp_path / "c" / "seed0004.png").shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("class", "--seeds 0", "the model needs a label: there are sparse, medium, dense, for example --density dense"),
        ("class", "--seeds 0 --density full", "density 'full': the model has no such class; there are sparse, medium"),
        ("class", "--seeds 0 --density dense --label 2", "both a density and a label are given"),
        ("value", "--seeds 0", "the model needs a label: it is the density in persons/m², for example --density 1.5"),
        ("none", "--seeds 0 --label 0", "the model has no labels; leave out the density and the label"),
        ("none", "--seeds 0-3 --grid 3x1", "grid 3x1: it holds 3 images, and there are 4 seeds; 2x2, 4x1, 1x4 would"),
        ("none", "--seeds 5-0", "seeds '5-0': 5-0 runs backwards; write 0-5"),
        ("none", "--seeds 0 --trunc nan", "truncation, translation and rotation must be finite numbers"),
        ("none", "--seeds 0 --device cuda", "device cuda: blobs are drawn on the cpu"),
        ("gone", "--seeds 0", "gone.safetensors: there is no such file"),
    ],
)
def test_mistakes_are_one_clear_line_and_leave_nothing(
    blobs: Run, blob_models: Path, tmp_path: Path, model: str, arguments: str, message: str
) -> None:
    network = blob_models / f"{model}.safetensors"
    run = blobs("generate", "--network", network, *arguments.split(), "--outdir", tmp_path / "out", code=1)
    assert run.stdout == ""
    assert run.stderr.startswith("crowdgan: error: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_place_is_swept_from_sparse_to_dense(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("sweep", "--network", blob_models / "class.safetensors", "--outdir", tmp_path)
    made = blobs(*network, "--seed", "3").stdout.splitlines()
    assert made == [f"made {tmp_path / name}" for name in ("sweep-seed0003.png", "sweep-seed0003.webp")]
    assert pixels(tmp_path / "sweep-seed0003.png").shape[1] == 3 * 128 + 4 * 5
    blobs(*network, "--seeds", "4-5", "--steps", "5", "--format", "gif")
    assert (tmp_path / "sweep-seed0005.gif").read_bytes().startswith(b"GIF89a")
    value = ("sweep", "--network", blob_models / "value.safetensors", "--seed", "3", "--outdir", tmp_path / "value")
    blobs(*value, "--from", "0.5", "--to", "4", "--steps", "2")
    assert pixels(tmp_path / "value" / "sweep-seed0003.png").shape[1] == 2 * 128 + 3 * 5
    assert "sweep-seed0003.png: it exists already" in blobs(*network, "--seed", "3", code=1).stderr


def test_a_model_without_labels_is_not_swept(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("sweep", "--network", blob_models / "none.safetensors", "--seed", "3")
    run = blobs(*network, "--outdir", tmp_path / "out", code=1)
    assert run.stderr.startswith("crowdgan: error: the model has no labels, so there is nothing to sweep;")
    assert not (tmp_path / "out").exists()
