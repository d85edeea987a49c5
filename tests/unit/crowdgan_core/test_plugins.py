"""Discovery of plugins: each is loaded on its own, and each way to break is reported."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from crowdgan_core import hookspecs
from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins import KINDS, NEEDED_ATTRIBUTES, Plugins, load_plugins

Write = Callable[[str, str], EntryPoint]

HEAD = "from crowdgan_core.hookspecs import hookimpl, CommandOffer\n"

GOOD = f"""{HEAD}
from dataclasses import dataclass
from typing import ClassVar
from crowdgan_core.density import Density, DensityEstimator

@dataclass(frozen=True, kw_only=True)
class Crowd(DensityEstimator):
    "Persons."
    name: ClassVar[str] = "NAME"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    def estimate(self, scene):
        return Density(value=scene.person_count, unit=self.unit, class_index=0)

@hookimpl
def crowdgan_register_density_estimators():
    return [Crowd]
"""


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module with a plugin, and returns an entry point for it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(module: str, text: str) -> EntryPoint:
        (tmp_path / f"{module}.py").write_text(text)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return EntryPoint(name=module.replace("_", "-"), value=module, group=PROJECT)

    return write


def core() -> EntryPoint:
    return next(point for point in entry_points(group=PROJECT) if point.name == "core")


def reasons(plugins: Plugins) -> dict[str, str]:
    return {failure.name: failure.reason for failure in plugins.failures}


def test_every_hook_is_documented_and_known_to_discovery() -> None:
    hooks = {name: item for name, item in vars(hookspecs).items() if name.startswith("crowdgan_register_")}
    assert set(hooks) == set(KINDS)
    assert set(KINDS.values()) == set(NEEDED_ATTRIBUTES)
    for hook in hooks.values():
        assert inspect.getdoc(hook)
        assert not inspect.signature(hook).parameters
        assert str(inspect.signature(hook).return_annotation).startswith("Sequence[")


def test_core_registers_its_own_through_the_hooks() -> None:
    plugins = load_plugins([core()])
    assert plugins.failures == []
    assert list(plugins.scene_sources) == ["crowdhuman", "dataset", "cifar10", "mnist", "lsun", "folder", "zip"]
    assert list(plugins.dataset_formats) == ["zip", "folder", "hdf5"]
    assert list(plugins.commands) == ["synth", "label", "convert", "inspect", "density", "plugins"]
    assert (plugins.model_backends, plugins.scene_plotters, plugins.density_estimators) == ({}, {}, {})


def test_a_good_plugin_is_loaded(write_plugin: Write) -> None:
    plugins = load_plugins([write_plugin("mine", GOOD.replace("NAME", "mine"))])
    assert list(plugins.density_estimators) == ["mine"]
    assert plugins.provider("density estimator", "mine").distribution == "mine"


@pytest.mark.parametrize(
    ("hook", "returned", "kind"),
    [
        ("scene_sources", "name description general fits open", "scene_sources"),
        ("dataset_formats", "name suffixes fits encode create open", "dataset_formats"),
        ("model_backends", "name train_command can_load load_generator", "model_backends"),
        ("scene_plotters", "name draw", "scene_plotters"),
    ],
)
def test_what_a_hook_returns_is_offered(write_plugin: Write, hook: str, returned: str, kind: str) -> None:
    members = ", ".join(f"{name}='thing'" for name in returned.split())
    text = f"{HEAD}from types import SimpleNamespace\n@hookimpl\ndef crowdgan_register_{hook}():\n"
    plugins = load_plugins([write_plugin("mine", f"{text}    return [SimpleNamespace({members})]\n")])
    assert reasons(plugins) == {}
    assert list(getattr(plugins, kind)) == ["thing"]


def test_commands_are_offered_under_their_group(write_plugin: Write) -> None:
    text = f"{HEAD}import click\n@hookimpl\ndef crowdgan_register_commands():\n"
    plugins = load_plugins([write_plugin("mine", f"{text}    return [CommandOffer('plot', click.Command('loss'))]\n")])
    assert list(plugins.commands) == ["plot loss"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise OSError('no driver')", "OSError: no driver"),
        ("import a_module_that_nobody_has", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        (
            f"{HEAD}@hookimpl\ndef crowdgan_register_density_estimator():\n    return []\n",
            f"it has a hook crowdgan_register_density_estimator, which does not exist; there are {', '.join(KINDS)}",
        ),
        (
            "def crowdgan_register_density_estimators():\n    return []\n",
            "crowdgan_register_density_estimators is not marked with crowdgan_core.hookspecs.hookimpl",
        ),
        (
            f"{HEAD}@hookimpl\ndef crowdgan_register_scene_sources():\n    return 3\n",
            "crowdgan_register_scene_sources returned int; it must return a list or tuple",
        ),
        (
            f"{HEAD}@hookimpl\ndef crowdgan_register_scene_sources():\n    return [int]\n",
            "crowdgan_register_scene_sources returned <class 'int'>, which is no scene source: "
            "it has no name, description, general, fits, open",
        ),
        (
            f"{HEAD}@hookimpl\ndef crowdgan_register_density_estimators():\n    return [1 / 0]\n",
            "ZeroDivisionError: division by zero",
        ),
        (
            GOOD.replace("NAME", "mine").replace("[Crowd]", "[Crowd, Crowd]"),
            "crowdgan_register_density_estimators returned two of the name mine",
        ),
    ],
)
def test_a_broken_plugin_is_reported_and_the_others_work(write_plugin: Write, text: str, reason: str) -> None:
    broken, good = write_plugin("broken", text), write_plugin("good", GOOD.replace("NAME", "good"))
    plugins = load_plugins([broken, good])
    assert reasons(plugins) == {"broken": reason}
    assert str(plugins.failures[0]).startswith("plugin broken of broken is left out: ")
    assert list(plugins.density_estimators) == ["good"]


def test_a_name_that_two_offer_goes_to_neither_and_both_are_named(write_plugin: Write) -> None:
    text = GOOD.replace("NAME", "grid")
    more = "\n@dataclass(frozen=True, kw_only=True)\nclass Own(Crowd):\n    'Own.'\n    name: ClassVar[str] = 'own'\n"
    second = write_plugin("second", (text + more).replace("[Crowd]", "[Crowd, Own]"))
    plugins = load_plugins([second, write_plugin("first", text)])
    assert list(plugins.density_estimators) == ["own"], "what does not clash stays"
    assert plugins.warnings == [
        "first and second both offer the density estimator grid, which is left out; "
        "uninstall one of them, or choose with CROWDGAN_PLUGINS"
    ]
    assert load_plugins([second], choice="second").warnings == []


def test_the_choice_loads_the_named_plugins_and_core(write_plugin: Write) -> None:
    points = [write_plugin(module, GOOD.replace("NAME", module)) for module in ("first", "second")]
    plugins = load_plugins([*points, core()], choice="second, typo")
    assert [plugin.name for plugin in plugins.loaded] == ["core", "second"]
    expected = "CROWDGAN_PLUGINS names it, but it is not installed; there are core, first, second"
    assert reasons(plugins) == {"typo": expected}
    assert [plugin.name for plugin in load_plugins([*points, core()], choice="").loaded] == ["core"]
