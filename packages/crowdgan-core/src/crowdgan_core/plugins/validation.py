"""Contract checks of the objects that plugins provide, where they enter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import pluggy

from crowdgan_core.density.options import check_options
from crowdgan_core.errors import PluginError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN, PROJECT, CommandSpec, PretrainedModel

KIND_BY_HOOK = {
    "crowdgan_register_scene_sources": "scene source",
    "crowdgan_register_density_estimators": "density estimator",
    "crowdgan_register_dataset_formats": "dataset format",
    "crowdgan_register_model_backends": "model backend",
    "crowdgan_register_pretrained_models": "pretrained model",
    "crowdgan_register_commands": "command",
    "crowdgan_register_scene_plotters": "scene plotter",
    "crowdgan_register_feature_extractors": "feature extractor",
    "crowdgan_register_density_predictors": "density predictor",
    "crowdgan_register_metrics": "metric",
}
"""Kind of object that each hook registers, for messages."""

REQUIRED_ATTRIBUTES = {
    "scene source": ("name", "description", "is_fallback", "matches", "open"),
    "density estimator": ("name", "unit", "classes", "fit", "estimate", "explain"),
    "dataset format": ("name", "suffixes", "matches", "encode", "open"),
    "model backend": ("name", "train_command", "can_load", "load_generator"),
    "pretrained model": ("name", "path", "description"),
    "command": ("group", "command"),
    "scene plotter": ("name", "draw"),
    "feature extractor": ("name", "description", "weights_file", "unavailable_reason", "load", "features"),
    "density predictor": ("name", "description", "unavailable_reason", "fit", "predict"),
    "metric": ("name", "description", "higher_is_better", "unavailable_reason", "compute"),
}
"""Attributes that the contract of each kind requires."""

PATTERN_KINDS = ("density estimator", "model backend", "pretrained model", "feature extractor", "density predictor")
"""Kinds whose names follow `PLUGIN_NAME_PATTERN`."""

TRAIN_GROUP = "train"
"""Group of the training commands, one per model backend."""


def check_hooks(manager: pluggy.PluginManager, module: object) -> None:
    """Checks that every hook of a plugin exists, including functions without the hook marker.

    Raises:
        PluginError: a misspelt hook, or one without the marker.
    """
    prefix = f"{PROJECT}_register_"
    marked = {caller.name for caller in manager.get_hookcallers(module) or []}
    for name in (item for item in vars(module) if item.startswith(prefix)):
        if name not in KIND_BY_HOOK:
            raise PluginError(f"no such hook {name}; choose from {', '.join(KIND_BY_HOOK)}")
        if name not in marked:
            raise PluginError(f"{name} is not marked with crowdgan_core.hookspecs.hookimpl")
    manager.check_pending()


@dataclass(frozen=True)
class PluginHooks:
    """The hooks of one plugin; each is called once, and what it returns is checked."""

    manager: pluggy.PluginManager
    module: object
    _objects: dict[str, dict[str, Any]] = field(default_factory=dict)

    def objects(self, kind: str) -> Mapping[str, Any]:
        """All objects of a kind that the plugin provides, by name; commands include the training commands.

        Raises:
            PluginError: an object violates its contract.
        """
        if kind not in self._objects:
            hook = next(name for name, item in KIND_BY_HOOK.items() if item == kind)
            objects = _objects_by_name(hook, kind, self._call(hook))
            if kind == "command":
                objects = add_train_commands(objects, self.objects("model backend"))
            self._objects[kind] = objects
        return self._objects[kind]

    def _call(self, hook: str) -> list[Any]:
        """The objects that all implementations of a hook return."""
        objects: list[Any] = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            if implementation.plugin is not self.module:
                continue
            returned: object = implementation.function()
            if not isinstance(returned, (list, tuple)):
                raise PluginError(f"{hook} returned {type(returned).__name__}; it must return a list or tuple")
            objects += returned
        return objects


def _objects_by_name(hook: str, kind: str, objects: Iterable[Any]) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for provided in objects:
        missing = [name for name in REQUIRED_ATTRIBUTES[kind] if not hasattr(provided, name)]
        if missing:
            attributes = ", ".join(missing)
            raise PluginError(f"{hook} returned {provided!r:.80}, which is not a {kind}: missing {attributes}")
        name = _checked_name(hook, kind, provided)
        if name in by_name:
            raise PluginError(f"{hook} returned two objects named {name}")
        by_name[name] = provided
    return by_name


def _checked_name(hook: str, kind: str, provided: Any) -> str:
    """The name under which an object is registered, after checks of its type and name."""
    if kind == "command" and not isinstance(provided, CommandSpec):
        raise PluginError(f"{hook} returned {provided!r:.80}; it must return CommandSpec objects")
    if kind == "pretrained model" and not isinstance(provided, PretrainedModel):  # its constructor checks the file
        raise PluginError(f"{hook} returned {provided!r:.80}; it must return PretrainedModel objects")
    if kind == "density estimator":
        if not _is_frozen_dataclass(provided):
            raise PluginError(f"{hook} returned {provided!r:.80}; it must return frozen dataclasses")
        check_options(provided)
    name = provided.command.name if kind == "command" else provided.name
    if not isinstance(name, str) or not name.strip():
        raise PluginError(f"{hook} returned a {kind} named {name!r:.80}; the name must be a non-empty string")
    if kind in PATTERN_KINDS and not PLUGIN_NAME_PATTERN.fullmatch(name):
        raise PluginError(
            f"{hook} returned a {kind} named {name}; the name may contain lower-case letters, digits and hyphens"
        )
    return f"{provided.group} {name}".strip() if kind == "command" else name


def _is_frozen_dataclass(provided: object) -> bool:
    return (
        isinstance(provided, type) and is_dataclass(provided) and bool(provided.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    )


def add_train_commands(commands: Mapping[str, CommandSpec], backends: Mapping[str, Any]) -> dict[str, CommandSpec]:
    """Commands and the training commands of the backends.

    Raises:
        PluginError: a plugin provides a training command twice.
    """
    by_backend = {name: backend.train_command() for name, backend in backends.items()}
    train = {
        f"{TRAIN_GROUP} {name}": CommandSpec(TRAIN_GROUP, command)
        for name, command in by_backend.items()
        if command is not None
    }
    for name in sorted(train.keys() & commands.keys()):
        raise PluginError(f"it provides the command {name} twice: as a command and by a model backend")
    return {**commands, **train}


def check_command_groups(commands: Iterable[tuple[str, Mapping[str, CommandSpec]]]) -> None:
    """Checks that no name is both a command without subcommands and a command group.

    Args:
        commands: pairs of a distribution and its commands by name.

    Raises:
        PluginError: a name is both.
    """
    specs = [(name, spec, distribution) for distribution, by_name in commands for name, spec in by_name.items()]
    single = {
        name: distribution for name, spec, distribution in specs if not spec.group and not spec.accepts_subcommands
    }
    groups = {spec.group: distribution for _, spec, distribution in specs if spec.group}
    for name in sorted(single.keys() & groups.keys()):
        raise PluginError(
            f"{name} is a command of {single[name]} and a command group of {groups[name]}; rename one of them"
        )
