"""Models of a backend installed by pip: `crowdgan inspect`, `generate` and `sweep`."""

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
  provenance   data: random
"""


def test_a_model_backend_installed_by_pip_is_listed_and_trains(blobs: Run) -> None:
    assert "crowdgan-blobs 0.2.0" in blobs("--help").stdout
    assert "train blobs" in blobs("plugins").stdout
    assert "Create a random model" in blobs("train", "blobs", "--help").stdout


def test_inspect_prints_the_model_card(blobs: Run, blob_models: Path) -> None:
    path = blob_models / "class.safetensors"
    first, _, rest = blobs("inspect", path).stdout.partition("\n")
    assert first == f"{path}: model of 32x32 px images, 0.00155 MB"
    assert rest == CARD_LINES
    assert "  labels       continuous density values\n" in blobs("inspect", blob_models / "value.safetensors").stdout
    assert "  labels       none\n" in blobs("inspect", blob_models / "none.safetensors").stdout


def test_inspect_prints_the_model_card_as_json(blobs: Run, blob_models: Path) -> None:
    card = json.loads(blobs("inspect", blob_models / "value.safetensors", "--json").stdout)
    assert {"backend": "blobs", "label_dim": 1, "label_kind": "value", "unit": "persons/m²"}.items() <= card.items()


def test_a_model_card_is_printed_without_its_backend(crowdgan: list[str], blob_models: Path) -> None:
    run = subprocess.run([*crowdgan, "inspect", blob_models / "class.safetensors"], capture_output=True, text=True)
    assert "  backend      blobs, which is not installed: pip install crowdgan-blobs\n" in run.stdout


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.safetensors", None, "no such file"),
        ("pickle.safetensors", b"\x80\x04.", "not a model, or damaged; a model is a .safetensors file"),
        ("other.safetensors", b"\x02\0\0\0\0\0\0\0{}", "not a crowdgan model; the safetensors file has no model card"),
    ],
)
def test_a_file_that_is_not_a_model_is_reported_in_one_line(
    blobs: Run, tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    run = blobs("inspect", path, code=1)
    assert run.stdout == ""
    assert run.stderr.startswith(f"crowdgan: error: {path}: {message}")
    assert run.stderr.count("\n") == 1


def test_a_truncated_model_file_is_an_error(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes((blob_models / "class.safetensors").read_bytes()[:-100])
    assert "cut.safetensors: damaged; the file has " in blobs("inspect", path, code=1).stderr


def test_a_model_has_no_contact_sheet(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    run = blobs("inspect", blob_models / "class.safetensors", "--contact-sheet", tmp_path / "a.png", code=1)
    assert "class.safetensors is a model, not a dataset; use crowdgan generate" in run.stderr


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_images_are_generated(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("--network", blob_models / "class.safetensors")
    run = blobs("generate", *network, "--seeds", "1,5-6", "--density", "dense", "--outdir", tmp_path / "a")
    assert run.stdout == f"wrote 3 images to {tmp_path / 'a'}\n"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["seed0001.png", "seed0005.png", "seed0006.png"]
    grid = ("--label", "2", "--batch", "1", "--grid", "3x1")
    run = blobs("generate", *network, "--seeds", "1,5-6", *grid, "--outdir", tmp_path / "b")
    assert run.stdout == f"wrote {tmp_path / 'b' / 'grid.png'}\n"
    images = [pixels(tmp_path / "a" / f"seed000{seed}.png") for seed in (1, 5, 6)]
    assert np.array_equal(pixels(tmp_path / "b" / "grid.png"), np.hstack(images))
    transform = ("--translate", "-0.25,0", "--rotate", "0", "--trunc", "1")
    blobs("generate", *network, "--seeds", "1", "--label", "0,0,1", *transform, "--outdir", tmp_path / "c")
    translated = pixels(tmp_path / "c" / "seed0001.png")
    assert np.abs(translated[:, :-8].astype(int) - images[0][:, 8:]).max() <= 1, "a quarter of 32 px"


def test_images_are_generated_for_a_density_and_without_labels(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
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
        (
            "class",
            "--seeds 0",
            "the model needs a label: choose from sparse, medium, dense, for example --density dense",
        ),
        (
            "class",
            "--seeds 0 --density full",
            "density 'full': the model has no such class; choose from sparse, medium",
        ),
        ("class", "--seeds 0 --density dense --label 2", "density and label are both given"),
        ("value", "--seeds 0", "the model needs a label: the density in persons/m², for example --density 1.5"),
        ("none", "--seeds 0 --label 0", "the model has no labels; remove the density or label"),
        ("none", "--seeds 0-3 --grid 3x1", "grid 3x1 has 3 cells for 4 seeds; choose for example 2x2, 4x1, 1x4"),
        ("none", "--seeds 5-0", "seeds '5-0': 5-0 is a descending range; write 0-5"),
        ("none", "--seeds 0 --trunc nan", "truncation, translation and rotation must be finite numbers"),
        ("none", "--seeds 0 --device cuda", "device cuda is not available for blobs; use cpu"),
        ("gone", "--seeds 0", "gone.safetensors: no such file"),
    ],
)
def test_a_user_error_is_reported_in_one_line_and_leaves_no_files(
    blobs: Run, blob_models: Path, tmp_path: Path, model: str, arguments: str, message: str
) -> None:
    network = blob_models / f"{model}.safetensors"
    run = blobs("generate", "--network", network, *arguments.split(), "--outdir", tmp_path / "out", code=1)
    assert run.stdout == ""
    assert run.stderr.startswith("crowdgan: error: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_seed_is_swept_from_sparse_to_dense(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("sweep", "--network", blob_models / "class.safetensors", "--outdir", tmp_path)
    lines = blobs(*network, "--seed", "3").stdout.splitlines()
    assert lines == [f"wrote {tmp_path / name}" for name in ("sweep-seed0003.png", "sweep-seed0003.webp")]
    assert pixels(tmp_path / "sweep-seed0003.png").shape[1] == 3 * 128 + 4 * 5
    blobs(*network, "--seeds", "4-5", "--steps", "5", "--format", "gif")
    assert (tmp_path / "sweep-seed0005.gif").read_bytes().startswith(b"GIF89a")
    value = ("sweep", "--network", blob_models / "value.safetensors", "--seed", "3", "--outdir", tmp_path / "value")
    blobs(*value, "--from", "0.5", "--to", "4", "--steps", "2")
    assert pixels(tmp_path / "value" / "sweep-seed0003.png").shape[1] == 2 * 128 + 3 * 5
    assert "sweep-seed0003.png: already exists" in blobs(*network, "--seed", "3", code=1).stderr


def test_a_sweep_of_a_model_without_labels_is_an_error(blobs: Run, blob_models: Path, tmp_path: Path) -> None:
    network = ("sweep", "--network", blob_models / "none.safetensors", "--seed", "3")
    run = blobs(*network, "--outdir", tmp_path / "out", code=1)
    assert run.stderr.startswith("crowdgan: error: the model has no labels, so it cannot be swept;")
    assert not (tmp_path / "out").exists()


def test_a_pretrained_model_of_a_third_party_plugin_is_listed_and_used_by_name(blobs: Run, tmp_path: Path) -> None:
    listed = blobs("plugins").stdout
    assert "  pretrained models:   blobs32\n" in listed
    assert "blobs32: blobs, 32x32 px, classes sparse, medium, dense\n" in listed
    assert "blobs32.safetensors: model of 32x32 px images" in blobs("inspect", "blobs32").stdout
    generate = ("generate", "--network", "blobs32", "--seeds", "1", "--density", "dense", "--outdir", tmp_path)
    (path,) = [line.removeprefix("wrote ") for line in blobs(*generate).stdout.splitlines()]
    assert pixels(Path(path)).shape == (32, 32, 3)
    blobs("sweep", "--network", "blobs32", "--seed", "3", "--outdir", tmp_path)
    assert (tmp_path / "sweep-seed0003.png").is_file()
    typo = blobs("generate", "--network", "blobs23", "--seeds", "1", "--outdir", tmp_path / "no", code=1)
    assert typo.stderr.startswith("crowdgan: error: blobs23: no such file; did you mean blobs32? pretrained models: ")
