"""`crowdgan plot density` and `crowdgan label --plot` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError, PluginError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from tests.support.sources import add_shanghaitech

ESTIMATORS = list(installed_plugins().density_estimators)


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of synthetic crowds."""
    folder = tmp_path_factory.mktemp("density") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=5, size=(120, 160), seed=5), folder)
    return folder


def plot_density(*arguments: str | Path) -> Result:
    texts = ["plot", "density", *map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(build_tree(installed_plugins()), texts, catch_exceptions=False)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_has_a_figure(crowds: Path, tmp_path: Path, name: str) -> None:
    result = plot_density("--source", crowds, "--density", name, "--sample", "2", "--out", tmp_path / "out")
    assert result.exit_code == 0
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 2
    assert result.stdout.count(".png") == 2
    for path in files:
        with Image.open(path) as image:
            assert image.width > 600


def test_figures_have_the_given_format_and_existing_files_are_kept(crowds: Path, tmp_path: Path) -> None:
    first = json.loads((crowds / "annotation_train.odgt").read_text().splitlines()[0])["ID"]
    arguments = ("--source", crowds, "--density", "grid", "--ids", first, "--out", tmp_path, "--format", "svg")
    plot_density(*arguments)
    path = tmp_path / f"{first}.svg"
    assert "fullest cluster" in path.read_text()
    path.write_text("existing")
    with pytest.raises(CrowdganError, match="already exists"):
        plot_density(*arguments)
    assert path.read_text() == "existing"
    plot_density(*arguments, "--overwrite")
    assert path.read_text() != "existing"


def test_head_points_are_drawn_as_a_heatmap(tmp_path: Path) -> None:
    add_shanghaitech(tmp_path / "heads", 1)
    out = tmp_path / "out"
    result = plot_density("--source", tmp_path / "heads", "--density", "threshold", "--out", out, "--format", "svg")
    assert " 2 " in result.stdout
    assert "density map of heads" in next(out.iterdir()).read_text()


def test_unreadable_images_are_skipped_on_request(crowds: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    lines = (crowds / "annotation_train.odgt").read_text().splitlines()[:2]
    (source / "annotation_train.odgt").write_text("\n".join(lines) + "\n")
    names = [json.loads(line)["ID"] for line in lines]
    Image.new("RGB", (160, 120)).save(source / f"{names[0]}.jpg")
    (source / f"{names[1]}.jpg").write_bytes((source / f"{names[0]}.jpg").read_bytes()[:400])
    arguments = ("--source", source, "--density", "grid", "--out", tmp_path / "out")
    with pytest.raises(CrowdganError, match="to skip such images, add --on-error skip"):
        plot_density(*arguments)
    result = plot_density(*arguments, "--on-error", "skip", "--overwrite")
    assert [path.stem for path in (tmp_path / "out").iterdir()] == [names[0]]
    assert "skipped: unreadable or unsuitable images: 1" in result.stderr


def test_a_source_without_annotations_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    with pytest.raises(CrowdganError, match="the source has no annotations of people"):
        plot_density("--source", tmp_path, "--density", "grid", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def fail(*_: object) -> Any:
    raise KeyError("map")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "crowdgan_density.image_plane.grid.GridEstimator.explain",
            "density estimator grid of crowdgan-density failed",
        ),
        (
            "crowdgan_core.io.stored_images.ZipImage.open",
            "scene source crowdhuman of crowdgan-core failed: opening image",
        ),
    ],
)
def test_an_error_in_the_code_of_a_plugin_names_it_and_is_never_skipped(
    crowds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    monkeypatch.setattr(target, fail)
    with pytest.raises(PluginError) as caught:
        plot_density("--source", crowds, "--density", "grid", "--out", tmp_path / "out", "--on-error", "skip")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("KeyError: 'map'")


def test_labelling_plots_each_labelled_image(crowds: Path, tmp_path: Path) -> None:
    label = ["label", "--source", str(crowds), "--dest", str(tmp_path / "out.zip"), "--density", "grid"]
    command = [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]
    more = ["--plot", str(tmp_path / "plots"), "--resolution", "64x64", "--workers", "2"]
    subprocess.run([*command, *label, *more], check=True, capture_output=True, timeout=120)
    plots = sorted((tmp_path / "plots").iterdir())
    assert [path.name for path in plots][:2] == ["img00000000.png", "img00000001.png"]
    with Image.open(plots[0]) as image:
        assert image.width > 1000
