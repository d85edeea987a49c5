"""The public Python API of crowdgan_plot."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import crowdgan_plot
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.sources.detection import find_source
from crowdgan_core.synthetic import SyntheticConfig, write_synthetic_dataset
from tests.support.run_folders import write_run
from tests.support.sources import image_bytes

PACKAGE = Path(crowdgan_plot.__file__).parent


def test_every_public_name_is_available() -> None:
    assert crowdgan_plot.__all__ == sorted(crowdgan_plot.__all__)
    assert set(crowdgan_plot.__all__) <= set(dir(crowdgan_plot))
    for name in crowdgan_plot.__all__:
        assert callable(getattr(crowdgan_plot, name))


def test_names_for_type_checkers_are_the_public_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(imported) == crowdgan_plot.__all__
    assert all(getattr(crowdgan_plot, name).__module__ == module for name, module in imported.items())


def test_no_public_name_is_the_name_of_a_submodule() -> None:
    submodules = {path.stem for path in PACKAGE.iterdir() if path.name != "__init__.py"}
    assert not submodules & set(crowdgan_plot.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'crowdgan_plot' has no attribute 'plot_nothing'"):
        crowdgan_plot.plot_nothing  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    assert crowdgan_plot.__version__ == importlib.metadata.version("crowdgan-plot")


def test_importing_the_package_loads_no_heavy_library() -> None:
    program = (
        "import sys, crowdgan_plot; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'scipy', 'matplotlib', 'pandas'}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_runs_are_plotted_from_their_folders(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    figure = crowdgan_plot.plot_losses(str(run), smooth_kimg=20)
    crowdgan_plot.save_figure(figure, tmp_path / "losses.pdf")
    assert (tmp_path / "losses.pdf").stat().st_size > 1000
    assert crowdgan_plot.write_run_report(run, tmp_path / "run.html") == tmp_path / "run.html"


def test_spectra_are_plotted_from_paths_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(image_bytes(index, (16, 16), "PNG"))
    figure = crowdgan_plot.plot_spectra({"real": tmp_path, "same": str(tmp_path)}, max_images=2)
    assert isinstance(figure, Figure)
    titles = [axes.get_title() for axes in figure.get_axes() if axes.images]
    assert titles[:2] == ["real\n2 images", "same\n2 images"]


def test_scenes_of_a_source_are_plotted(tmp_path: Path) -> None:
    plugins = installed_plugins()
    write_synthetic_dataset(SyntheticConfig(images=3, size=(120, 160), seed=5), tmp_path / "crowds")
    paths = [tmp_path / "crowds"]
    source = find_source(paths, None, None, plugins.scene_sources).open(paths, None)
    plots = crowdgan_plot.plot_scenes(source, plugins.density_estimators["threshold"](), tmp_path / "out", sample=2)
    assert sorted(plot.path for plot in plots.written) == sorted((tmp_path / "out").iterdir())
    assert len(plots.written) == 2
