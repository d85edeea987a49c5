"""`crowdgan metrics density` and `crowdgan plot fidelity` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.metrics.fidelity_report import read_report
from crowdgan_core.plugins.discovery import installed_plugins
from tests.support.fidelity import CLASSES, write_squares

FILES = ["best-worst.png", "density-fidelity.json", "density-fidelity.png"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build_tree(installed_plugins()), list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, a second one, and a model with random weights."""
    folder = tmp_path_factory.mktemp("fidelity")
    write_squares(folder / "squares.zip", 30)
    write_squares(folder / "second.zip", 6, seed=1)
    small = ["--cfg", "stylegan2", "--resolution", "32", "--cbase", "256", "--cmax", "16"]
    run("stylegan3", "init", *small, "--classes", ",".join(CLASSES), "--dest", folder / "model.safetensors")
    run("stylegan3", "init", *small, "--classes", "few,many", "--dest", folder / "other.safetensors")
    return folder


def test_a_report_a_sheet_and_a_figure_are_written_and_the_floor_is_printed(folder: Path, tmp_path: Path) -> None:
    arguments = ["metrics", "density", "--network", folder / "model.safetensors", "--data", folder / "squares.zip"]
    result = run(*arguments, "--outdir", tmp_path / "out", "--num-images", "9", "--device", "cpu")
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    report = read_report(tmp_path / "out" / "density-fidelity.json")
    assert report.images == "model.safetensors"
    assert report.classes == CLASSES
    assert len(report.measured) == 9
    assert len({item.name for item in report.measured}) == 3  # latents
    assert {item.name for item in report.predictors} | {item.partition(":")[0] for item in report.unavailable} == {
        "ridge",
        "cnn",
    }
    for expected in ("floor: 6 real images", "accuracy", "ordered pairs", "permuted requests"):
        assert expected in result.stdout
    with Image.open(tmp_path / "out" / "best-worst.png") as sheet:
        assert sheet.height > 3 * 128  # one row per class

    with pytest.raises(DatasetError, match=r"density-fidelity\.json: already exists; .* add --overwrite"):
        run(*arguments, "--outdir", tmp_path / "out")


def test_labelled_images_of_a_second_dataset_are_measured(folder: Path, tmp_path: Path) -> None:
    data = ["--data", folder / "squares.zip", "--against", folder / "second.zip"]
    result = run("metrics", "density", *data, "--outdir", tmp_path, "--device", "cpu")
    assert result.exit_code == 0
    report = read_report(tmp_path / "density-fidelity.json")
    assert report.images == "second.zip"
    assert report.truncation_psi is None
    assert len(report.measured) == 6


def test_a_model_with_other_classes_is_an_error_before_anything_is_computed(folder: Path, tmp_path: Path) -> None:
    arguments = ["--network", folder / "other.safetensors", "--data", folder / "squares.zip", "--outdir", tmp_path]
    with pytest.raises(ConfigError, match="sparse, medium, dense, but the model has the classes few, many"):
        run("metrics", "density", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_created_is_an_error_before_anything_is_computed(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    arguments = ["--network", folder / "other.safetensors", "--data", folder / "squares.zip"]
    with pytest.raises(DatasetError, match="file: cannot be written"):
        run("metrics", "density", *arguments, "--outdir", tmp_path / "file")


def test_a_model_or_a_second_dataset_is_required(folder: Path, tmp_path: Path) -> None:
    result = run("metrics", "density", "--data", folder / "squares.zip", "--outdir", tmp_path)
    assert result.exit_code == 2
    assert "Missing option '--network' or '--against'" in result.stderr


def test_a_file_that_is_not_a_report_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    with pytest.raises(DatasetError, match="not a density fidelity report"):
        run("plot", "fidelity", path, "--out", tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()
