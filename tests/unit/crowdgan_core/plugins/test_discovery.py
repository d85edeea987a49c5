"""Discovery of plugins: each is loaded in isolation, and every contract violation is reported."""

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
from crowdgan_core.plugins.validation import KIND_BY_HOOK, REQUIRED_ATTRIBUTES

BACKEND = """
import click
from types import SimpleNamespace
from crowdgan_core.hookspecs import hookimpl
@hookimpl
def crowdgan_register_model_backends():
    backend = SimpleNamespace(name='net', train_command=lambda: COMMAND, can_load=None, load_generator=None)
    return [backend]
"""
"""A plugin with a model backend; COMMAND stands for the expression that creates its command."""

COMMANDS = """
import click
from crowdgan_core.hookspecs import CommandSpec, hookimpl
@hookimpl
def crowdgan_register_commands():
    return [SPEC]
"""
"""A plugin with a command; SPEC stands for its specification."""

SOURCE = """
from types import SimpleNamespace
from crowdgan_core.hookspecs import hookimpl
@hookimpl
def crowdgan_register_scene_sources():
    return [SimpleNamespace(name=NAME, description=None, is_fallback=None, matches=None, open=None)]
"""
"""A plugin with a source; NAME stands for the name."""

Write = Callable[[str, str], EntryPoint]

IMPORTS = "from crowdgan_core.hookspecs import hookimpl, CommandSpec\n"

ESTIMATOR = f"""{IMPORTS}
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


def load_all(points: list[EntryPoint], selection: str | None = None) -> PluginRegistry:
    """The plugins, after all their hooks have been called."""
    plugins = load_plugins(points, selection)
    plugins.load_all()
    return plugins


def reasons(plugins: PluginRegistry) -> dict[str, str]:
    return {failure.name: failure.reason for failure in plugins.failures}


def test_every_hook_is_documented_and_known_to_discovery() -> None:
    hooks = {name: item for name, item in vars(hookspecs).items() if name.startswith("crowdgan_register_")}
    assert set(hooks) == set(KIND_BY_HOOK)
    assert set(KIND_BY_HOOK.values()) == set(REQUIRED_ATTRIBUTES)
    for hook in hooks.values():
        assert inspect.getdoc(hook)
        assert not inspect.signature(hook).parameters
        assert str(inspect.signature(hook).return_annotation).startswith("Sequence[")


def test_core_registers_its_plugins_with_the_same_hooks() -> None:
    plugins = load_all([core()])
    assert plugins.failures == []
    annotated = ["crowdhuman", "table", "coco", "mot"]
    assert list(plugins.scene_sources) == [*annotated, "dataset", "cifar10", "mnist", "lsun", "folder", "zip"]
    assert list(plugins.dataset_formats) == ["zip", "folder", "hdf5", "shards"]
    names = [
        "synth",
        "label",
        "convert",
        "inspect",
        "generate",
        "project",
        "edit",
        "sweep",
        "mix",
        "density",
        "metrics",
        "plugins",
    ]
    assert list(plugins.commands) == names
    assert (plugins.model_backends, plugins.scene_plotters, plugins.density_estimators) == ({}, {}, {})


def test_a_valid_plugin_is_loaded(write_plugin: Write) -> None:
    plugins = load_all([write_plugin("mine", ESTIMATOR.replace("NAME", "mine"))])
    assert list(plugins.density_estimators) == ["mine"]
    assert plugins.provider("density estimator", "mine").distribution == "mine"
    assert repr(plugins) == "PluginRegistry(mine)"


@pytest.mark.parametrize(
    ("hook", "attributes", "kind"),
    [
        ("scene_sources", "name description is_fallback matches open", "scene_sources"),
        ("dataset_formats", "name suffixes matches encode create open", "dataset_formats"),
        ("scene_plotters", "name draw", "scene_plotters"),
        (
            "feature_extractors",
            "name description weights_file unavailable_reason load features",
            "feature_extractors",
        ),
        ("density_predictors", "name description unavailable_reason fit predict", "density_predictors"),
        ("metrics", "name description higher_is_better unavailable_reason compute", "metrics"),
    ],
)
def test_returned_objects_are_registered_by_name(write_plugin: Write, hook: str, attributes: str, kind: str) -> None:
    members = ", ".join(f"{name}='example'" for name in attributes.split())
    text = f"{IMPORTS}from types import SimpleNamespace\n@hookimpl\ndef crowdgan_register_{hook}():\n"
    plugins = load_all([write_plugin("mine", f"{text}    return [SimpleNamespace({members})]\n")])
    assert reasons(plugins) == {}
    assert list(getattr(plugins, kind)) == ["example"]


def test_a_hook_is_called_once_when_objects_of_its_kind_are_needed(write_plugin: Write) -> None:
    text = f"{IMPORTS}calls = []\n" + "".join(
        f"@hookimpl\ndef crowdgan_register_{kind}():\n    calls.append('{kind}')\n    return []\n"
        for kind in ("scene_sources", "density_estimators", "dataset_formats", "model_backends", "commands")
    )
    plugins = load_plugins([write_plugin("mine", text)])
    calls = sys.modules["mine"].calls
    assert calls == []
    for _ in range(2):
        assert plugins.dataset_formats == {}
        assert calls == ["dataset_formats"]
    assert plugins.commands == {}
    assert calls == ["dataset_formats", "commands", "model_backends"], "commands include training commands"
    plugins.load_all()
    assert sorted(calls) == sorted({*calls}), "every hook is called once"


def test_a_plugin_with_a_failing_hook_is_removed_with_everything_it_provides(write_plugin: Write) -> None:
    failing = f"{IMPORTS}@hookimpl\ndef crowdgan_register_scene_sources():\n    raise OSError('no driver')\n"
    estimator = ESTIMATOR.replace("NAME", "mine")
    plugins = load_plugins([write_plugin("mine", failing + estimator), write_plugin("other", estimator)])
    assert plugins.density_estimators == {}, "the name is in conflict"
    reported: list[str] = []
    plugins.report_warnings(reported.append)
    assert [text.partition(":")[0] for text in reported] == ["name conflict"]
    assert plugins.scene_sources == {}
    assert reported[1:] == ["plugin mine of mine failed to load: OSError: no driver"]
    assert list(plugins.density_estimators) == ["mine"], "the other plugin's estimator becomes available"
    assert plugins.provider("density estimator", "mine").name == "other"


def test_commands_are_registered_under_their_group(write_plugin: Write) -> None:
    text = COMMANDS.replace("SPEC", "CommandSpec('plot', click.Command('loss'))")
    plugins = load_all([write_plugin("mine", text)])
    assert list(plugins.commands) == ["plot loss"]


def test_a_model_backend_provides_its_training_command(write_plugin: Write) -> None:
    plugins = load_all([core(), write_plugin("mine", BACKEND.replace("COMMAND", "click.Command('any')"))])
    assert (plugins.warnings, list(plugins.model_backends), list(plugins.commands)[-1]) == ([], ["net"], "train net")
    train = build_tree(plugins).commands["train"]
    assert isinstance(train, click.Group)
    assert list(train.commands) == ["net"]


def test_a_model_backend_that_only_loads_models_adds_no_command(write_plugin: Write) -> None:
    plugins = load_all([core(), write_plugin("mine", BACKEND.replace("COMMAND", "None"))])
    assert (plugins.warnings, list(plugins.model_backends)) == ([], ["net"])
    assert "train" not in build_tree(plugins).commands


def test_a_group_that_is_another_plugins_command_is_reported(write_plugin: Write) -> None:
    plugins = load_all(
        [core(), write_plugin("mine", COMMANDS.replace("SPEC", "CommandSpec('label', click.Command('x'))"))]
    )
    assert reasons(plugins) == {
        "mine": "label is a command of crowdgan-core and a command group of mine; rename one of them"
    }
    assert build_tree(plugins).commands["label"] is plugins.commands["label"].command


def test_a_command_that_is_another_plugins_group_is_reported(write_plugin: Write) -> None:
    group = write_plugin("first", COMMANDS.replace("SPEC", "CommandSpec('plot', click.Command('loss'))"))
    command = write_plugin("second", COMMANDS.replace("SPEC", "CommandSpec('', click.Command('plot'))"))
    plugins = load_all([command, group])
    assert reasons(plugins) == {
        "second": "plot is a command of second and a command group of first; rename one of them"
    }
    assert list(plugins.commands) == ["plot loss"]


def test_a_group_accepts_commands_of_others_and_is_not_modified(write_plugin: Write) -> None:
    group = "CommandSpec('', click.Group('draw', commands=[click.Command('line')]))"
    owner = write_plugin("second", COMMANDS.replace("SPEC", group))
    guest = write_plugin("first", COMMANDS.replace("SPEC", "CommandSpec('draw', click.Command('dot'))"))
    plugins = load_all([core(), guest, owner])
    assert plugins.warnings == []
    draw = build_tree(plugins).commands["draw"]
    assert isinstance(draw, click.Group)
    assert list(draw.commands) == ["line", "dot"]
    provided = plugins.commands["draw"].command
    assert isinstance(provided, click.Group)
    assert list(provided.commands) == ["line"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise OSError('no driver')", "OSError: no driver"),
        ("import a_missing_module", "ModuleNotFoundError: No module named 'a_missing_module'"),
        (
            f"{IMPORTS}@hookimpl\ndef crowdgan_register_density_estimator():\n    return []\n",
            f"no such hook crowdgan_register_density_estimator; choose from {', '.join(KIND_BY_HOOK)}",
        ),
        (
            "def crowdgan_register_density_estimators():\n    return []\n",
            "crowdgan_register_density_estimators is not marked with crowdgan_core.hookspecs.hookimpl",
        ),
        (
            f"{IMPORTS}@hookimpl\ndef crowdgan_register_scene_sources():\n    return 3\n",
            "crowdgan_register_scene_sources returned int; it must return a list or tuple",
        ),
        (
            f"{IMPORTS}@hookimpl\ndef crowdgan_register_scene_sources():\n    return [int]\n",
            "crowdgan_register_scene_sources returned <class 'int'>, which is not a scene source: "
            "missing name, description, is_fallback, matches, open",
        ),
        (
            f"{IMPORTS}@hookimpl\ndef crowdgan_register_density_estimators():\n    return [1 / 0]\n",
            "ZeroDivisionError: division by zero",
        ),
        (
            ESTIMATOR.replace("NAME", "mine").replace("[Crowd]", "[Crowd, Crowd]"),
            "crowdgan_register_density_estimators returned two objects named mine",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (BACKEND.replace("COMMAND", "1 / 0"), "ZeroDivisionError: division by zero"),
        (
            BACKEND.replace("'net'", "'My net'").replace("COMMAND", "None"),
            "crowdgan_register_model_backends returned a model backend named My net; "
            "the name may contain lower-case letters, digits and hyphens",
        ),
        (BACKEND.replace("COMMAND", "'train'"), "the command is 'train'; it must be a click.Command"),
        (
            (BACKEND + COMMANDS)
            .replace("COMMAND", "click.Command('net')")
            .replace("SPEC", "CommandSpec('train', click.Command('net'))"),
            "it provides the command train net twice: as a command and by a model backend",
        ),
        (
            COMMANDS.replace("SPEC", "CommandSpec('plot it', click.Command('x'))"),
            "the command group is 'plot it'; it must be one word or empty",
        ),
        (
            COMMANDS.replace("SPEC", "click.Group('plot')"),
            "crowdgan_register_commands returned <Group plot>; it must return CommandSpec objects",
        ),
        (
            ESTIMATOR.replace("NAME", "mine").replace("frozen=True, ", ""),
            "crowdgan_register_density_estimators returned <class 'broken.Crowd'>; it must return frozen dataclasses",
        ),
        (
            ESTIMATOR.replace("NAME", "mine").replace("@dataclass(frozen=True, kw_only=True)\n", ""),
            "crowdgan_register_density_estimators returned <class 'broken.Crowd'>; it must return frozen dataclasses",
        ),
        (
            ESTIMATOR.replace("NAME", "mine").replace("[Crowd]", "[Crowd()]"),
            "crowdgan_register_density_estimators returned Crowd(); it must return frozen dataclasses",
        ),
        (
            ESTIMATOR.replace("NAME", "My crowd"),
            "crowdgan_register_density_estimators returned a density estimator named My crowd; "
            "the name may contain lower-case letters, digits and hyphens",
        ),
        (
            SOURCE.replace("NAME", "7"),
            "crowdgan_register_scene_sources returned a scene source named 7; the name must be a non-empty string",
        ),
        (
            SOURCE.replace("NAME", "''"),
            "crowdgan_register_scene_sources returned a scene source named ''; the name must be a non-empty string",
        ),
    ],
)
def test_a_broken_plugin_is_reported_and_the_others_work(write_plugin: Write, text: str, reason: str) -> None:
    broken, valid = write_plugin("broken", text), write_plugin("valid", ESTIMATOR.replace("NAME", "valid"))
    plugins = load_all([broken, valid])
    assert reasons(plugins) == {"broken": reason}
    assert str(plugins.failures[0]).startswith("plugin broken of broken failed to load: ")
    assert list(plugins.density_estimators) == ["valid"]


def test_a_name_that_two_plugins_provide_is_a_conflict_and_unavailable(write_plugin: Write) -> None:
    text = ESTIMATOR.replace("NAME", "grid")
    other = "class Other(Crowd):\n    'Other.'\n    name: ClassVar[str] = 'other'\n"
    text_with_two_estimators = f"{text}\n@dataclass(frozen=True, kw_only=True)\n{other}".replace(
        "[Crowd]", "[Crowd, Other]"
    )
    second = write_plugin("second", text_with_two_estimators)
    plugins = load_all([second, write_plugin("first", text)])
    assert list(plugins.density_estimators) == ["other"], "a name without a conflict is available"
    assert plugins.warnings == [
        "name conflict: first and second provide the density estimator grid, so it is not available; "
        "uninstall one of them, or select plugins with CROWDGAN_PLUGINS"
    ]
    assert load_all([second], selection="second").warnings == []


def test_a_selection_loads_the_named_plugins_and_core(write_plugin: Write) -> None:
    points = [write_plugin(module, ESTIMATOR.replace("NAME", module)) for module in ("first", "second")]
    plugins = load_all([*points, core()], selection="second, typo")
    assert [plugin.name for plugin in plugins.loaded] == ["core", "second"]
    expected = "selected by CROWDGAN_PLUGINS but not installed; choose from core, first, second"
    assert reasons(plugins) == {"typo": expected}
    assert [plugin.name for plugin in load_all([*points, core()], selection="").loaded] == ["core"]
