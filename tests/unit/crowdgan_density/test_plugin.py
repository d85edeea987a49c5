"""What the distribution offers through the hooks."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from crowdgan_core.density.options import configure_estimator, estimator_options
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import check_density_estimator
from crowdgan_density import plugin

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
        "sg3-threshold",
        "sg3-normalised",
        "sg3-euclidean",
        "sg3-grid",
        "sg3-grid-metres",
    ]


def test_the_sources_are_complete():
    sources = plugin.crowdgan_register_scene_sources()
    assert [(source.name, source.is_fallback) for source in sources] == [("shanghaitech", False), ("ucf-cc-50", False)]


def test_the_commands_are_complete():
    offers = plugin.crowdgan_register_commands()
    assert [(offer.group, offer.command.name) for offer in offers] == [("", "calibrate"), ("density", "evaluate")]


def test_the_module_is_an_entry_point():
    [found] = [item for item in entry_points(group="crowdgan") if item.value == "crowdgan_density.plugin"]
    assert found.load() is plugin


def test_registering_loads_no_heavy_library():
    """The subprocess starts clean; this one has loaded scipy for other tests."""
    program = (
        "import sys; from crowdgan_density import plugin; "
        "plugin.crowdgan_register_density_estimators(); plugin.crowdgan_register_scene_sources(); "
        "plugin.crowdgan_register_commands(); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'matplotlib', 'torch', 'rich'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("name", [item.name for item in ESTIMATORS if not item.name.startswith("sg3-")])
def test_native_estimators_keep_the_contract_of_plugin_authors(name):
    check_density_estimator(next(item for item in ESTIMATORS if item.name == name))


def test_the_readmes_estimator_keeps_the_contract(monkeypatch):
    text = (Path(__file__).parents[3] / "packages" / "crowdgan-density" / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = ModuleType("readme_of_density")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(program, module.__dict__)
    [estimator] = module.crowdgan_register_density_estimators()
    check_density_estimator(estimator)


def test_the_readme_describes_every_estimator_and_source():
    text = (Path(__file__).parents[3] / "packages" / "crowdgan-density" / "README.md").read_text(encoding="utf-8")
    offers = [*ESTIMATORS, *plugin.crowdgan_register_scene_sources()]
    assert [offer.name for offer in offers if f"`{offer.name}`" not in text] == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
class TestEveryEstimator:
    def test_is_a_frozen_dataclass_with_described_options(self, estimator):
        made = configure_estimator(estimator, {})
        options = estimator_options(estimator)
        assert made.classes == (tuple("ABCDEF") if made.unit == "persons/m²" else ("sparse", "medium", "dense"))
        assert all(item.help and item.default == getattr(made, item.name) for item in options)
        for item in options:
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(made, item.name, item.default)
            text = "" if item.default == () else str(item.default)
            assert configure_estimator(estimator, {item.name: text}) == made

    def test_answers_in_its_unit_whatever_the_boxes_are(self, estimator):
        rng = np.random.default_rng(17)
        scenes = [strange_scene(rng, persons) for persons in (0, 1, 2, 5, 40) for _ in range(20)]
        fitted = estimator().fit(scenes)
        for scene in scenes:
            try:
                found = fitted.estimate(scene)
            except DensityError:
                assert estimator.name.startswith("sg3-")
                continue
            assert found.unit == estimator.unit
            if found.value is None:
                assert found.reason
            else:
                assert np.isfinite(found.value)
                assert found.class_index in range(len(fitted.classes))


def strange_scene(rng: np.random.Generator, persons: int) -> Scene:
    """Boxes far outside, larger than the image, of size 0 and missing, among ordinary ones."""
    scale = 10.0 ** rng.integers(-3, 5, (persons, 1))
    boxes = rng.uniform([-1, -1, 0, 0], [1, 1, 1, 1], (persons, 4)) * scale
    boxes[rng.random(persons) < 0.1] = np.nan
    boxes[rng.random(persons) < 0.1, 2:] = 0
    size = (int(rng.integers(1, 2000)), int(rng.integers(1, 2000)))
    return Scene(source_name="strange", size=size, full_boxes=boxes, ignore=rng.random(persons) < 0.1)
