"""`crowdgan plot labels` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crowdgan_core.cli.app import build_tree
from crowdgan_core.errors import CrowdganError
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three labelled versions of eight images, the last one with continuous labels."""
    folder = tmp_path_factory.mktemp("labels")
    write_synthetic_dataset(SyntheticConfig(images=8, size=(120, 160), seed=5), folder / "crowds")
    paths = []
    labellings = (("grid.zip", "grid", "class"), ("threshold.h5", "threshold", "class"), ("value", "grid", "value"))
    for name, density, label_kind in labellings:
        label = ["label", "--source", str(folder / "crowds"), "--dest", str(folder / name), "--density", density]
        run(*label, "--label-kind", label_kind, "--resolution", "32x32", "--workers", "1")
        paths.append(folder / name)
    return paths


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build_tree(installed_plugins()), list(map(str, arguments)), catch_exceptions=False)


def test_datasets_of_all_formats_are_plotted_and_compared(datasets: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "labels.svg"
    result = run("plot", "labels", *datasets, "--out", out, "--title", "three labellings")
    assert (result.exit_code, result.stderr) == (0, f"wrote {out}\n")
    text = out.read_text()
    for expected in ("three labellings", "grid.zip", "threshold.h5", "same class:", "density (persons per cell)"):
        assert expected in text


@pytest.mark.parametrize(
    ("name", "out", "message"),
    [
        ("nowhere.zip", "a.png", "nowhere.zip: no such file or folder"),
        ("grid.zip", "a.gif", "a.gif: the file name must end in .png, .svg or .pdf"),
        ("damaged.zip", "a.png", "damaged.zip"),
    ],
)
def test_errors_name_the_file_and_nothing_is_written(
    datasets: list[Path], tmp_path: Path, name: str, out: str, message: str
) -> None:
    (datasets[0].parent / "damaged.zip").write_bytes(b"not a ZIP")
    with pytest.raises(CrowdganError, match=message):
        run("plot", "labels", datasets[0].parent / name, "--out", tmp_path / out)
    assert list(tmp_path.iterdir()) == []
