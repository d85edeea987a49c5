"""Discovery of plugins, one by one, so that a broken one is reported and the others work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any

import pluggy

from crowdgan_core.errors import PluginError
from crowdgan_core.hookspecs import PLUGIN_NAME_PATTERN, PROJECT, CommandSpec
from crowdgan_core.plugins.registry import LoadedPlugin

KINDS = {
    "crowdgan_register_scene_sources": "scene source",
    "crowdgan_register_density_estimators": "density estimator",
    "crowdgan_register_dataset_formats": "dataset format",
    "crowdgan_register_model_backends": "model backend",
    "crowdgan_register_commands": "command",
    "crowdgan_register_scene_plotters": "scene plotter",
}
"""What each hook registers, for messages."""


REQUIRED_ATTRIBUTES = {
    "scene source": ("name", "description", "is_fallback", "matches", "open"),
    "density estimator": ("name", "unit", "classes", "fit", "estimate", "explain"),
    "dataset format": ("name", "suffixes", "matches", "encode", "create", "open"),
    "model backend": ("name", "train_command", "can_load", "load_generator"),
    "command": ("group", "command"),
    "scene plotter": ("name", "draw"),
}
"""What the contract asks of each kind of thing."""


TRAIN = "train"
"""Group of the commands that train a model, one per model backend."""


def check_hooks(manager: pluggy.PluginManager, module: object) -> None:
    """Checks that every hook of a plugin exists, also where the marker was forgotten."""
    start = f"{PROJECT}_register_"
    marked = {caller.name for caller in manager.get_hookcallers(module) or []}
    for name in (item for item in vars(module) if item.startswith(start)):
        if name not in KINDS:
            raise PluginError(f"it has a hook {name}, which does not exist; there are {', '.join(KINDS)}")
        if name not in marked:
            raise PluginError(f"{name} is not marked with crowdgan_core.hookspecs.hookimpl")
    manager.check_pending()


def collect_provided(manager: pluggy.PluginManager, module: object, hook: str, kind: str) -> dict[str, Any]:
    """Everything that a plugin provides through one hook, by name.

    Raises:
        PluginError: what the hook returns breaks its contract.
    """
    implementations = [item for item in getattr(manager.hook, hook).get_hookimpls() if item.plugin is module]
    things: list[Any] = []
    for implementation in implementations:
        call: Callable[[], Any] = implementation.function
        returned = call()
        if not isinstance(returned, (list, tuple)):
            raise PluginError(f"{hook} returned {type(returned).__name__}; it must return a list or tuple")
        things += returned
    named: dict[str, Any] = {}
    for thing in things:
        missing = [name for name in REQUIRED_ATTRIBUTES[kind] if not hasattr(thing, name)]
        if missing:
            raise PluginError(f"{hook} returned {thing!r:.80}, which is no {kind}: it has no {', '.join(missing)}")
        name = _checked_name(hook, kind, thing)
        if name in named:
            raise PluginError(f"{hook} returned two of the name {name}")
        named[name] = thing
    return named


def _checked_name(hook: str, kind: str, thing: Any) -> str:
    """The name under which a thing is offered, once that and what the thing is keep the contract."""
    if kind == "command" and not isinstance(thing, CommandSpec):
        raise PluginError(f"{hook} returned {thing!r:.80}; it must return CommandSpecs")
    if kind == "density estimator" and not _is_frozen_dataclass(thing):
        raise PluginError(f"{hook} returned {thing!r:.80}; it must be a class that is a frozen dataclass")
    name = thing.command.name if kind == "command" else thing.name
    if not isinstance(name, str) or not name.strip():
        raise PluginError(f"{hook} returned a {kind} of the name {name!r:.80}; it must be a text that is not empty")
    if kind in ("density estimator", "model backend") and not PLUGIN_NAME_PATTERN.fullmatch(name):
        raise PluginError(f"{hook} returned a {kind} of the name {name}; it must be of lower case, digits and hyphens")
    return f"{thing.group} {name}".strip() if kind == "command" else name


def _is_frozen_dataclass(thing: object) -> bool:
    return isinstance(thing, type) and is_dataclass(thing) and bool(thing.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def with_train_commands(commands: Mapping[str, CommandSpec], backends: Mapping[str, Any]) -> dict[str, CommandSpec]:
    """Commands and those that train, which are made here, so that a backend that cannot make its own is left out."""
    made = {name: backend.train_command() for name, backend in backends.items()}
    train = {f"{TRAIN} {name}": CommandSpec(TRAIN, command) for name, command in made.items() if command is not None}
    for name in sorted(train.keys() & commands.keys()):
        raise PluginError(f"it offers the command {name} twice: by itself and by a model backend")
    return {**commands, **train}


def check_command_groups(plugins: Iterable[LoadedPlugin]) -> None:
    """Checks that nobody adds to a command that takes no others: one would take the place of the other."""
    offers = [(name, offer, plugin) for plugin in plugins for name, offer in plugin.provides["command"].items()]
    commands = {name: plugin for name, offer, plugin in offers if not offer.group and not offer.accepts_subcommands}
    groups = {offer.group: plugin for _, offer, plugin in offers if offer.group}
    for word in sorted(commands.keys() & groups.keys()):
        raise PluginError(
            f"{word} is a command of {commands[word].distribution} and a group of commands of "
            f"{groups[word].distribution}; one of them needs another name"
        )
