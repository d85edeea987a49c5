"""Pretrained models of the package: every model file in its folder is found by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import crowdgan_stylegan3.pretrained
from crowdgan_core.api import load_generator, open_dataset
from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CheckpointError
from crowdgan_core.models.card import read_card
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_stylegan3.config import generator_config
from crowdgan_stylegan3.inference.random_init import random_generator
from crowdgan_stylegan3.io.safetensors_files import generator_card, save_network
from crowdgan_stylegan3.pretrained import FOLDER, models_in
from crowdgan_stylegan3.training.checkpoints.transfer import read_weights
from tests.support.training import CLASSES, write_dataset

PROVENANCE = {"data": "crowds.zip", "cfg": "stylegan3-t", "kimg": 500.0}

MAX_BYTES = 4_000_000
"""Maximum size of a model in the package."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the models `crowds16` and `damaged` in place of that of the package."""
    path = tmp_path / "pretrained"
    config = generator_config("stylegan3-t", resolution=16, label_dim=3, channel_base=64, channel_max=8)
    config = replace(config, mapping_layers=1)
    save_network(random_generator(config), generator_card(config, CLASSES, PROVENANCE), path / "crowds16.safetensors")
    (path / "damaged.safetensors").write_bytes((path / "crowds16.safetensors").read_bytes()[:-1])
    monkeypatch.setattr(crowdgan_stylegan3.pretrained, "FOLDER", path)
    monkeypatch.chdir(tmp_path)
    installed_plugins.cache_clear()
    yield path
    installed_plugins.cache_clear()


def run(*arguments: str | Path) -> str:
    """The output of a command."""
    result = CliRunner().invoke(build_tree(installed_plugins()), [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_pretrained_model_of_the_package_is_small_and_loads() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.safetensors"))] == [model.name for model in models_in(FOLDER)]
    for model in models_in(FOLDER):
        assert model.path.stat().st_size <= MAX_BYTES
        assert load_generator(model.name, "cpu").card == read_card(model.path)


def test_models_are_described_by_their_cards(folder: Path) -> None:
    described = {model.name: model.description for model in models_in(folder)}
    assert described["crowds16"] == (
        "16x16 px, classes sparse medium dense, stylegan3-t, trained on crowds.zip, 500 kimg"
    )
    assert "damaged.safetensors: damaged; the file has" in described["damaged"]
    assert models_in(folder / "no folder") == []


@pytest.mark.usefixtures("folder")
def test_a_model_is_used_by_name_in_commands() -> None:
    assert "crowds16: 16x16 px, classes sparse medium dense" in run("plugins")
    assert "provenance   data: crowds.zip" in run("inspect", "crowds16")
    model = ("--network", "crowds16", "--density", "dense")
    run("generate", *model, "--seeds", "1", "--outdir", "out")
    run("stylegan3", "video", *model, "--seeds", "0-1", "--frames", "2", "--dest", "out.webp")
    run("stylegan3", "export", "crowds16", "--half", "--dest", "half.safetensors")
    assert read_card(Path("half.safetensors")).provenance == PROVENANCE
    assert list(read_weights(Path("crowds16"))) == ["G_ema"]


@pytest.mark.usefixtures("folder")
def test_training_starts_from_a_model_by_name(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "crowds.zip")
    size = ("--cbase", "64", "--cmax", "8", "--map-depth", "1")
    run("train", "stylegan3", "--outdir", "runs", "--data", data, "--resume", "crowds16", "--cfg", "stylegan3-t", *size,
        "--batch", "4", "--kimg", "0.004", "--workers", "0", "--device", "cpu", "--metrics", "none")  # fmt: skip
    (log,) = Path("runs").glob("*/log.txt")
    (copied,) = [line for line in log.read_text().splitlines() if " G_ema: " in line]
    number, total = copied.split("G_ema: ")[1].split(" tensors")[0].split(" of ")
    assert number == total
    (snapshot,) = Path("runs").glob("*/network-snapshot-*.safetensors")
    provenance = read_card(snapshot).provenance
    assert provenance["started from"] == "crowds16.safetensors"
    with open_dataset(data) as dataset:
        assert provenance.get("transform") == dataset.metadata.transform


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "damaged"], r"damaged\.safetensors: damaged; the file has"),
        (
            ["stylegan3", "video", "--network", "crowds61", "--seeds", "0"],
            "crowds61: no such file; did you mean crowds16[?]",
        ),
        (["stylegan3", "video", "--network", "folder16", "--seeds", "0"], "a folder; name a model file"),
        (["stylegan3", "export", "crowds61", "--dest", "a"], "no such run folder, checkpoint or model; did you mean"),
        (["train", "stylegan3", "--resume", "crowds61"], "no such run folder or model; did you mean crowds16[?]"),
    ],
)
def test_a_name_that_cannot_be_used_is_an_error(folder: Path, arguments: list[str], message: str) -> None:
    Path("folder16").mkdir()
    with pytest.raises(CheckpointError, match=message):
        run(*arguments)


def test_a_folder_with_the_name_of_a_model_is_an_error(folder: Path) -> None:
    Path("crowds16").mkdir()
    with pytest.raises(CheckpointError, match="crowds16: a folder, which hides the pretrained model crowds16"):
        run("generate", "--network", "crowds16", "--seeds", "1", "--density", "dense", "--outdir", "out")
    shutil.rmtree("crowds16")
    run("generate", "--network", "crowds16", "--seeds", "1", "--density", "dense", "--outdir", "out")
