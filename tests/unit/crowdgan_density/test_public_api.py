"""The public names of the package."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import crowdgan_core.testing
import crowdgan_density
from tests.support.crowds import crowd_positions, crowd_scene

SUBMODULES = {module.name for module in pkgutil.iter_modules(crowdgan_density.__path__)}


def test_all_public_names_can_be_imported() -> None:
    assert len(crowdgan_density.__all__) == 24
    for name in crowdgan_density.__all__:
        assert getattr(crowdgan_density, name) is not None
    assert set(crowdgan_density.__all__) <= set(dir(crowdgan_density))


def test_public_names_are_imported_for_type_checkers_too() -> None:
    tree = ast.parse(Path(crowdgan_density.__file__ or "").read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = [alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(crowdgan_density.__all__)


def test_no_public_name_is_that_of_a_submodule() -> None:
    assert not SUBMODULES & set(crowdgan_density.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    assert crowdgan_density.__version__ == version("crowdgan-density")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'crowdgan_density' has no attribute 'Ground'"):
        _ = crowdgan_density.Ground


def test_importing_the_package_loads_no_numpy() -> None:
    program = "import sys, crowdgan_density; print(sorted({'numpy', 'scipy', 'click'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_public_functions_work_together() -> None:
    scenes = [crowd_scene(crowd_positions(80, seed), seed=seed) for seed in range(2)]
    ground = crowdgan_density.GroundPlaneEstimator(shared_camera=True).fit(scenes)
    report, _ = crowdgan_density.report_scenes(ground, scenes)
    assert report.density_per_m2 == pytest.approx(0.8, rel=0.2)
    assert report.level == crowdgan_density.level_of_service(report.density_per_m2 or 0)
    results = crowdgan_density.evaluate([ground, crowdgan_density.GridEstimator()], scenes, {"crowd": 0.8})
    assert results["ground"].median_error == pytest.approx(0, abs=0.2)
    best = crowdgan_density.calibrate_camera(scenes[0].person_full_boxes, scenes[0].size, 560.0).best()
    assert best.height_m == pytest.approx(crowdgan_core.testing.EXAMPLE_CAMERA.height_m, rel=0.1)
