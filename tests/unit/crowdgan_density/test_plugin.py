"""Estimators, sources and commands that the distribution provides."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import DensityError
from crowdgan_core.testing import check_density_estimator
from crowdgan_density import plugin
from tests.support.crowds import irregular_scene

ESTIMATORS = plugin.crowdgan_register_density_estimators()


def test_the_estimators_are_complete():
    assert [estimator.name for estimator in ESTIMATORS] == [
        "threshold",
        "normalised",
        "euclidean",
        "grid",
        "grid-metres",
        "kde",
        "ground",
        "voronoi",
        "ground-truth",
        "sg3-threshold",
        "sg3-normalised",
        "sg3-euclidean",
        "sg3-grid",
        "sg3-grid-metres",
    ]


def test_the_sources_are_complete():
    sources = plugin.crowdgan_register_scene_sources()
    names = ["shanghaitech", "ucf-cc-50", "ucf-qnrf", "jhu-crowd", "nwpu-crowd"]
    assert [(source.name, source.is_fallback) for source in sources] == [(name, False) for name in names]


def test_the_commands_are_complete():
    commands = plugin.crowdgan_register_commands()
    assert [(spec.group, spec.command.name) for spec in commands] == [
        ("", "calibrate"),
        ("", "report"),
        ("density", "evaluate"),
        ("density", "series"),
        ("metrics", "density"),
    ]


def test_the_module_is_an_entry_point():
    [entry_point] = [item for item in entry_points(group="crowdgan") if item.value == "crowdgan_density.plugin"]
    assert entry_point.load() is plugin


def test_registration_imports_no_heavy_library():
    """Runs in a subprocess, since other tests import scipy in this process."""
    program = (
        "import sys; from crowdgan_density import plugin; "
        "plugin.crowdgan_register_density_estimators(); plugin.crowdgan_register_scene_sources(); "
        "plugin.crowdgan_register_commands(); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'matplotlib', 'torch', 'rich'}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    "name", [item.name for item in ESTIMATORS if not item.name.startswith(("sg3-", "ground-truth"))]
)
def test_native_estimators_fulfil_the_contract(name):
    check_density_estimator(next(item for item in ESTIMATORS if item.name == name))


def test_the_page_describes_every_estimator_and_source():
    text = (Path(__file__).parents[3] / "docs" / "reference" / "estimators.md").read_text(encoding="utf-8")
    provided = [*ESTIMATORS, *plugin.crowdgan_register_scene_sources()]
    assert [item.name for item in provided if f"`{item.name}`" not in text] == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
class TestEveryEstimator:
    def test_is_a_frozen_dataclass_with_described_options(self, estimator):
        default = configure_estimator(estimator, {})
        options = estimator_options(estimator)
        assert default.classes == (tuple("ABCDEF") if default.unit == "persons/m²" else ("sparse", "medium", "dense"))
        assert all(item.help and item.default == getattr(default, item.name) for item in options)
        for item in options:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(default, item.name, item.default)
            text = "" if item.default == () else str(item.default)
            assert configure_estimator(estimator, {item.name: text}) == default

    def test_estimates_of_irregular_scenes_are_finite_or_unknown(self, estimator):
        rng = np.random.default_rng(17)
        scenes = [irregular_scene(rng, num_people) for num_people in (0, 1, 2, 5, 40) for _ in range(20)]
        fitted = estimator().fit(scenes)
        for scene in scenes:
            try:
                estimate = fitted.estimate(scene)
            except DensityError:
                assert estimator.name.startswith("sg3-")
                continue
            assert estimate.unit == estimator.unit
            if estimate.value is None:
                assert estimate.reason
            else:
                assert np.isfinite(estimate.value)
                assert estimate.class_index in range(len(fitted.classes))
