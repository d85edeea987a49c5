"""Discovery of plugins: each is loaded on its own, and each way to break is reported."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
import pytest

from crowdgan_core import hookspecs
from crowdgan_core.cli.app import build_tree
from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins.discovery import load_plugins
from crowdgan_core.plugins.registry import PluginRegistry
from crowdgan_core.plugins.validation import KINDS, REQUIRED_ATTRIBUTES

BACKEND = """
import click
from types import SimpleNamespace
from crowdgan_core.hookspecs import hookimpl
@hookimpl
def crowdgan_register_model_backends():
    backend = SimpleNamespace(name='net', train_command=lambda: MADE, can_load=None, load_generator=None)
    return [backend]
"""
"""A plugin with a model backend; MADE stands for what makes its command."""

COMMANDS = """
import click
from crowdgan_core.hookspecs import CommandSpec, hookimpl
@hookimpl
def crowdgan_register_commands():
    return [OFFER]
"""
"""A plugin with a command; OFFER stands for it."""

SOURCE = """
from types import SimpleNamespace
from crowdgan_core.hookspecs import hookimpl
@hookimpl
def crowdgan_register_scene_sources():
    return [SimpleNamespace(name=NAME, description=None, is_fallback=None, matches=None, open=None)]
"""
"""A plugin with a source; NAME stands for the name."""

Write = Callable[[str, str], EntryPoint]

HEAD = "from crowdgan_core.hookspecs import hookimpl, CommandSpec\n"

GOOD = f"""{HEAD}
from dataclasses import dataclass
from typing import ClassVar
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator

@dataclass(frozen=True, kw_only=True)
class Crowd(DensityEstimator):
    "Persons."
    name: ClassVar[str] = "NAME"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    def estimate(self, scene):
        return DensityEstimate(value=scene.person_count, unit=self.unit, class_index=0)

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


def reasons(plugins: PluginRegistry) -> dict[str, str]:
    return {failure.name: failure.reason for failure in plugins.failures}


def test_every_hook_is_documented_and_known_to_discovery() -> None:
    hooks = {name: item for name, item in vars(hookspecs).items() if name.startswith("crowdgan_register_")}
    assert set(hooks) == set(KINDS)
    assert set(KINDS.values()) == set(REQUIRED_ATTRIBUTES)
    for hook in hooks.values():
        assert inspect.getdoc(hook)
        assert not inspect.signature(hook).parameters
        assert str(inspect.signature(hook).return_annotation).startswith("Sequence[")


def test_core_registers_its_own_through_the_hooks() -> None:
    plugins = load_plugins([core()])
    assert plugins.failures == []
    assert list(plugins.scene_sources) == ["crowdhuman", "dataset", "cifar10", "mnist", "lsun", "folder", "zip"]
    assert list(plugins.dataset_formats) == ["zip", "folder", "hdf5"]
    assert list(plugins.commands) == ["synth", "label", "convert", "inspect", "generate", "sweep", "density", "plugins"]
    assert (plugins.model_backends, plugins.scene_plotters, plugins.density_estimators) == ({}, {}, {})


def test_a_good_plugin_is_loaded(write_plugin: Write) -> None:
    plugins = load_plugins([write_plugin("mine", GOOD.replace("NAME", "mine"))])
    assert list(plugins.density_estimators) == ["mine"]
    assert plugins.provider("density estimator", "mine").distribution == "mine"


@pytest.mark.parametrize(
    ("hook", "returned", "kind"),
    [
        ("scene_sources", "name description is_fallback matches open", "scene_sources"),
        ("dataset_formats", "name suffixes matches encode create open", "dataset_formats"),
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
    text = COMMANDS.replace("OFFER", "CommandSpec('plot', click.Command('loss'))")
    plugins = load_plugins([write_plugin("mine", text)])
    assert list(plugins.commands) == ["plot loss"]


def test_a_model_backend_offers_the_command_that_trains_it(write_plugin: Write) -> None:
    plugins = load_plugins([core(), write_plugin("mine", BACKEND.replace("MADE", "click.Command('any')"))])
    assert (plugins.warnings, list(plugins.model_backends), list(plugins.commands)[-1]) == ([], ["net"], "train net")
    train = build_tree(plugins).commands["train"]
    assert isinstance(train, click.Group)
    assert list(train.commands) == ["net"]


def test_a_model_backend_that_only_loads_models_adds_no_command(write_plugin: Write) -> None:
    plugins = load_plugins([core(), write_plugin("mine", BACKEND.replace("MADE", "None"))])
    assert (plugins.warnings, list(plugins.model_backends)) == ([], ["net"])
    assert "train" not in build_tree(plugins).commands


def test_a_group_that_is_a_command_is_reported_and_the_command_stays(write_plugin: Write) -> None:
    plugins = load_plugins(
        [core(), write_plugin("mine", COMMANDS.replace("OFFER", "CommandSpec('label', click.Command('x'))"))]
    )
    assert reasons(plugins) == {
        "mine": "label is a command of crowdgan-core and a group of commands of mine; one of them needs another name"
    }
    assert build_tree(plugins).commands["label"] is plugins.commands["label"].command


def test_a_command_that_is_a_group_of_another_plugin_is_reported(write_plugin: Write) -> None:
    group = write_plugin("first", COMMANDS.replace("OFFER", "CommandSpec('plot', click.Command('loss'))"))
    command = write_plugin("second", COMMANDS.replace("OFFER", "CommandSpec('', click.Command('plot'))"))
    plugins = load_plugins([command, group])
    assert reasons(plugins) == {
        "second": "plot is a command of second and a group of commands of first; one of them needs another name"
    }
    assert list(plugins.commands) == ["plot loss"]


def test_a_group_takes_commands_of_others_and_stays_as_it_was(write_plugin: Write) -> None:
    group = "CommandSpec('', click.Group('draw', commands=[click.Command('line')]))"
    owner = write_plugin("second", COMMANDS.replace("OFFER", group))
    guest = write_plugin("first", COMMANDS.replace("OFFER", "CommandSpec('draw', click.Command('dot'))"))
    plugins = load_plugins([core(), guest, owner])
    assert plugins.warnings == []
    draw = build_tree(plugins).commands["draw"]
    assert isinstance(draw, click.Group)
    assert list(draw.commands) == ["line", "dot"]
    offered = plugins.commands["draw"].command
    assert isinstance(offered, click.Group)
    assert list(offered.commands) == ["line"]


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
            "it has no name, description, is_fallback, matches, open",
        ),
        (
            f"{HEAD}@hookimpl\ndef crowdgan_register_density_estimators():\n    return [1 / 0]\n",
            "ZeroDivisionError: division by zero",
        ),
        (
            GOOD.replace("NAME", "mine").replace("[Crowd]", "[Crowd, Crowd]"),
            "crowdgan_register_density_estimators returned two of the name mine",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (BACKEND.replace("MADE", "1 / 0"), "ZeroDivisionError: division by zero"),
        (
            BACKEND.replace("'net'", "'My net'").replace("MADE", "None"),
            "crowdgan_register_model_backends returned a model backend of the name My net; "
            "it must be of lower case, digits and hyphens",
        ),
        (BACKEND.replace("MADE", "'train'"), "the command offered is 'train'; it must be a click.Command"),
        (
            (BACKEND + COMMANDS)
            .replace("MADE", "click.Command('net')")
            .replace("OFFER", "CommandSpec('train', click.Command('net'))"),
            "it offers the command train net twice: by itself and by a model backend",
        ),
        (
            COMMANDS.replace("OFFER", "CommandSpec('plot it', click.Command('x'))"),
            "the group of a command is 'plot it'; it must be one word, or empty",
        ),
        (
            COMMANDS.replace("OFFER", "click.Group('plot')"),
            "crowdgan_register_commands returned <Group plot>; it must return CommandSpecs",
        ),
        (
            GOOD.replace("NAME", "mine").replace("frozen=True, ", ""),
            "crowdgan_register_density_estimators returned <class 'broken.Crowd'>; "
            "it must be a class that is a frozen dataclass",
        ),
        (
            GOOD.replace("NAME", "mine").replace("@dataclass(frozen=True, kw_only=True)\n", ""),
            "crowdgan_register_density_estimators returned <class 'broken.Crowd'>; "
            "it must be a class that is a frozen dataclass",
        ),
        (
            GOOD.replace("NAME", "mine").replace("[Crowd]", "[Crowd()]"),
            "crowdgan_register_density_estimators returned Crowd(); it must be a class that is a frozen dataclass",
        ),
        (
            GOOD.replace("NAME", "My crowd"),
            "crowdgan_register_density_estimators returned a density estimator of the name My crowd; "
            "it must be of lower case, digits and hyphens",
        ),
        (
            SOURCE.replace("NAME", "7"),
            "crowdgan_register_scene_sources returned a scene source of the name 7; "
            "it must be a text that is not empty",
        ),
        (
            SOURCE.replace("NAME", "''"),
            "crowdgan_register_scene_sources returned a scene source of the name ''; "
            "it must be a text that is not empty",
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
