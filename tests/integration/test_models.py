"""Models of a backend that pip installed, as a user meets them: `crowdgan inspect`, `generate` and `sweep`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
    assert first == f"{path}: a model for pictures of 32x32 px, 0.00154 MB"
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
    assert "class.safetensors is a model; crowdgan generate makes pictures of it" in run.stderr
