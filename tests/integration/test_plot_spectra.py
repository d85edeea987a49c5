"""`crowdgan plot spectra` from the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sources import image_bytes

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images of the models' size."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(6):
        (folder / f"{index}.png").write_bytes(image_bytes(index, (32, 32), "PNG"))
    return folder


def test_images_and_a_model_are_compared(blobs: Run, blob_models: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "spectra.svg"
    models = ("--network", blob_models / "class.safetensors", "--network", f"free={blob_models / 'none.safetensors'}")
    run = blobs("plot", "spectra", "--images", f"real={images}", *models, "--pictures", "12", "--out", out)
    assert run.stdout == ""
    [normalised, written] = run.stderr.splitlines()
    assert normalised.startswith("normalised by real: mean ")
    assert written == f"wrote {out}"
    text = out.read_text()
    for name, count in (("real", 6), ("class", 12), ("free", 12)):
        assert f">{name}<" in text
        assert f">{count} images<" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to plot; name images with --images, or a model with --network"),
        (("--images", "nowhere"), "nowhere: no such file or folder"),
        (("--network", "x=nowhere.safetensors"), "nowhere.safetensors: no such file"),
        (("--network", "VALUE"), "value.safetensors: the model needs a label: the density"),
        (("--network", "CLASS", "--density", "packed"), "class.safetensors: density 'packed': the model has no such"),
        (("--images", "IMAGES", "--out", "a.bmp"), "a.bmp: the file name must end in .png, .svg or .pdf"),
    ],
)
def test_user_errors_are_reported_in_one_line(
    blobs: Run, blob_models: Path, images: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    paths = {
        "VALUE": blob_models / "value.safetensors",
        "CLASS": blob_models / "class.safetensors",
        "IMAGES": images,
    }
    out = () if "--out" in arguments else ("--out", tmp_path / "a.png")
    run = blobs("plot", "spectra", *(paths.get(item, item) for item in arguments), *out, code=1)
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "a.png").exists()
