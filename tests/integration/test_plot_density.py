"""`crowdgan plot density` and `crowdgan label --plot` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from tests.support.sources import add_shanghaitech

ESTIMATORS = list(installed_plugins().density_estimators)


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of made-up crowds."""
    folder = tmp_path_factory.mktemp("made") / "crowds"
    write_synthetic_dataset(SyntheticConfig(images=5, size=(120, 160), seed=5), folder)
    return folder


def plot_density(*arguments: str | Path) -> Result:
    texts = ["plot", "density", *map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(build_tree(installed_plugins()), texts, catch_exceptions=False)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_drawn(crowds: Path, tmp_path: Path, name: str) -> None:
    result = plot_density("--source", crowds, "--density", name, "--sample", "2", "--out", tmp_path / "out")
    assert result.exit_code == 0
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 2
    assert result.stdout.count(".png") == 2
    for path in files:
        with Image.open(path) as image:
            assert image.width > 600


def test_figures_are_written_in_the_format_asked_for_and_kept(crowds: Path, tmp_path: Path) -> None:
    first = json.loads((crowds / "annotation_train.odgt").read_text().splitlines()[0])["ID"]
    arguments = ("--source", crowds, "--density", "grid", "--ids", first, "--out", tmp_path, "--format", "svg")
    plot_density(*arguments)
    path = tmp_path / f"{first}.svg"
    assert "fullest cluster" in path.read_text()
    path.write_text("mine")
    with pytest.raises(CrowdganError, match="it exists already"):
        plot_density(*arguments)
    assert path.read_text() == "mine"
    plot_density(*arguments, "--overwrite")
    assert path.read_text() != "mine"


def test_head_points_are_drawn_as_a_map(tmp_path: Path) -> None:
    add_shanghaitech(tmp_path / "heads", 1)
    out = tmp_path / "out"
    result = plot_density("--source", tmp_path / "heads", "--density", "threshold", "--out", out, "--format", "svg")
    assert " 2 " in result.stdout
    assert "density map of heads" in next(out.iterdir()).read_text()


def test_images_that_cannot_be_read_are_left_out_when_asked_for(crowds: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    lines = (crowds / "annotation_train.odgt").read_text().splitlines()[:2]
    (source / "annotation_train.odgt").write_text("\n".join(lines) + "\n")
    names = [json.loads(line)["ID"] for line in lines]
    Image.new("RGB", (160, 120)).save(source / f"{names[0]}.jpg")
    (source / f"{names[1]}.jpg").write_bytes((source / f"{names[0]}.jpg").read_bytes()[:400])
    arguments = ("--source", source, "--density", "grid", "--out", tmp_path / "out")
    with pytest.raises(CrowdganError, match="to leave such images out, add --on-error skip"):
        plot_density(*arguments)
    result = plot_density(*arguments, "--on-error", "skip", "--overwrite")
    assert [path.stem for path in (tmp_path / "out").iterdir()] == [names[0]]
    assert "left out: damaged or unfit images: 1" in result.stderr


def test_a_source_without_annotations_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    with pytest.raises(CrowdganError, match="it has no annotations of people"):
        plot_density("--source", tmp_path, "--density", "grid", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labelling_draws_each_image_that_it_labels(crowds: Path, tmp_path: Path) -> None:
    label = ["label", "--source", str(crowds), "--dest", str(tmp_path / "out.zip"), "--density", "grid"]
    program = [sys.executable, "-c", "from crowdgan_core.cli import main; main()"]
    more = ["--plot", str(tmp_path / "plots"), "--resolution", "64x64", "--workers", "2"]
    subprocess.run([*program, *label, *more], check=True, capture_output=True, timeout=120)
    plots = sorted((tmp_path / "plots").iterdir())
    assert [path.name for path in plots][:2] == ["img00000000.png", "img00000001.png"]
    with Image.open(plots[0]) as image:
        assert image.width > 1000
