"""`crowdgan project` and `crowdgan edit` with a StyleGAN2 model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.models.card import read_card
from crowdgan_core.models.generation.png_metadata import read_png_metadata
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.blob_plugins import installed_blobs

FAST = ("--num-steps", "8", "--device", "cpu")


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(
        build_tree(installed_plugins()), [str(argument) for argument in arguments], catch_exceptions=False
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    small = ("--cfg", "stylegan2", "--resolution", 16, "--cbase", 256, "--cmax", 8)
    assert run("stylegan3", "init", *small, "--classes", "sparse,medium,dense", "--dest", path).exit_code == 0
    return path


def write_image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 60, 3)).astype(np.uint8)).save(path)
    return path


def test_an_image_is_projected_tuned_and_edited(tmp_path: Path, model: Path) -> None:
    image, before = write_image(tmp_path / "image.png"), model.read_bytes()
    out = tmp_path / "out"
    result = run(
        "project",
        "--network",
        model,
        "--target",
        image,
        "--outdir",
        out,
        "--tune",
        "--tune-steps",
        3,
        "--save-video",
        *FAST,
    )
    assert result.exit_code == 0, result.output
    assert "crop of the images: center-crop 16x16" in result.output
    assert "image (" in result.output
    assert "tuned: PSNR" in result.output
    assert "perceptual distance" in result.output
    with Image.open(out / "projection.webp") as animation:
        assert animation.n_frames == 8 + 3  # type: ignore[attr-defined]  # one per step
    assert model.read_bytes() == before
    assert read_card(out / "tuned.safetensors").provenance["tuned on"]["target"] == "image"
    edit = ("edit", "--network", out / "tuned.safetensors", "--latent", out / "projected_w.npz", "--device", "cpu")
    result = run(*edit, "--density", "dense", "--layers", "2-5", "--outdir", tmp_path / "edit")
    assert result.exit_code == 0, result.output
    record = read_png_metadata(tmp_path / "edit" / "edited-0.png")
    assert {"label": [0, 0, 1], "latent": "projected_w.npz", "layers": [2, 3, 4, 5]}.items() <= record.items()
    generate = ("generate", "--network", out / "tuned.safetensors", "--device", "cpu")
    latents = ("--latent", tmp_path / "edit" / "edited-0.npz", "--latent", out / "projected_w.npz")
    result = run(*generate, *latents, "--outdir", tmp_path / "generated")
    assert result.exit_code == 0, result.output
    pixels = [
        np.asarray(Image.open(folder / name))
        for folder, name in ((tmp_path / "generated", "latent0000.png"), (tmp_path / "edit", "edited-0.png"))
    ]
    assert np.array_equal(*pixels)


def test_the_images_of_a_folder_are_projected_and_finished_ones_skipped(tmp_path: Path, model: Path) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        write_image(tmp_path / "images" / name, seed)
    project = ("project", "--network", model, "--target", tmp_path / "images", "--outdir", tmp_path / "out", *FAST)
    assert run(*project, "--class", 1).exit_code == 0
    latents = {path.parent.name: path for path in (tmp_path / "out").glob("*/projected_w.npz")}
    assert sorted(latents) == ["a", "b"]
    latents["b"].unlink()
    for name in ("target.png", "projection.png"):
        (tmp_path / "out" / "b" / name).unlink()
    stamp = latents["a"].stat().st_mtime_ns
    result = run(*project, "--class", 1)
    assert "1 of 2 images are finished already" in result.output
    assert latents["b"].exists()
    assert latents["a"].stat().st_mtime_ns == stamp


def test_a_generated_image_is_edited_from_sparse_to_dense(tmp_path: Path, model: Path) -> None:
    edit = ("edit", "--network", model, "--seed", 3, "--source-density", "medium", "--device", "cpu")
    result = run(*edit, "--outdir", tmp_path / "edit")
    assert result.exit_code == 0, result.output
    assert "medium, background similarity 1.00" in result.output
    assert read_png_metadata(tmp_path / "edit" / "edited-1.png")["background_similarity"] == 1
    generate = ("generate", "--network", model, "--seeds", 3, "--density", "medium", "--device", "cpu")
    assert run(*generate, "--outdir", tmp_path / "generated").exit_code == 0
    (generated,) = (tmp_path / "generated").glob("*.png")
    edited = [np.asarray(Image.open(tmp_path / "edit" / f"edited-{index}.png")) for index in range(3)]
    assert np.array_equal(edited[1], np.asarray(Image.open(generated)))
    assert not np.array_equal(edited[0], edited[1])


def test_an_image_is_projected_for_an_edit(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdgan_core.manipulation.projector.ProjectionOptions.num_steps", 2)
    image = write_image(tmp_path / "image.png")
    result = run("edit", "--network", model, "--target", image, "--density", "dense", "--outdir", tmp_path / "e")
    assert result.exit_code == 0, result.output
    assert "unedited image: " in result.output


def test_invalid_input_is_an_error_before_anything_is_computed(tmp_path: Path, model: Path) -> None:
    image = write_image(tmp_path / "image.png")
    out = tmp_path / "out"
    cases: list[tuple[type[Exception], str, tuple[Any, ...]]] = [
        (
            ConfigError,
            "the model has no such class",
            ("project", "--network", model, "--target", image, "--density", "x"),
        ),
        (DatasetError, "no such file", ("project", "--network", model, "--target", tmp_path / "none.png")),
        (ConfigError, "give one of --latent", ("edit", "--network", model)),
        (ConfigError, "give one of --latent", ("edit", "--network", model, "--seed", 1, "--target", image)),
        (ConfigError, "give --source-density", ("edit", "--network", model, "--seed", 1)),
        (
            ConfigError,
            "remove --density",
            ("edit", "--network", model, "--seed", 1, "--density", "dense", "--steps", 3),
        ),
    ]
    for error, problem, arguments in cases:
        with pytest.raises(error, match=problem):
            run(*arguments, "--outdir", out)
    write_image(out / "projection.png")
    with pytest.raises(DatasetError, match=r"projection\.png: already exists"):
        run("project", "--network", model, "--target", image, "--outdir", out)
    assert [path.name for path in out.iterdir()] == ["projection.png"]


def test_a_backend_without_latents_is_an_error(tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.png")
    with installed_blobs():
        for problem, arguments in (("projection", ("project", "--target", image)), ("an edit", ("edit", "--seed", 1))):
            with pytest.raises(ConfigError, match=f"{problem} needs intermediate latents; the backend blobs has none"):
                run(*arguments, "--network", "blobs32", "--outdir", tmp_path / "out")
    assert not (tmp_path / "out").exists()
