"""Discovery of plugins, one by one, so that a broken one is reported and the others work."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from crowdgan_core import hookspecs
from crowdgan_core.backend import ModelBackend
from crowdgan_core.dataset import DatasetFormat
from crowdgan_core.density import DensityEstimator
from crowdgan_core.errors import PluginError
from crowdgan_core.hookspecs import PROJECT, CommandOffer, ScenePlotter
from crowdgan_core.sources import SceneSource

CHOICE_VARIABLE = "CROWDGAN_PLUGINS"
"""Environment variable: names of the plugins to load, separated by commas; unset for all, empty for core alone."""

CORE = "core"
"""Name of the plugin with the built-ins, loaded first and always."""

KINDS = {
    "crowdgan_register_scene_sources": "scene source",
    "crowdgan_register_density_estimators": "density estimator",
    "crowdgan_register_dataset_formats": "dataset format",
    "crowdgan_register_model_backends": "model backend",
    "crowdgan_register_commands": "command",
    "crowdgan_register_scene_plotters": "scene plotter",
}
"""What each hook registers, for messages."""

NEEDED_ATTRIBUTES = {
    "scene source": ("name", "description", "general", "fits", "open"),
    "density estimator": ("name", "unit", "classes", "fit", "estimate", "explain"),
    "dataset format": ("name", "suffixes", "fits", "encode", "create", "open"),
    "model backend": ("name", "train_command", "can_load", "load_generator"),
    "command": ("group", "command"),
    "scene plotter": ("name", "draw"),
}
"""What the contract asks of each kind of thing."""

THING_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Names of estimators and backends: users write them, and datasets and models record them."""

TRAIN = "train"
"""Group of the commands that train a model, one per model backend."""


@dataclass(frozen=True)
class Plugin:
    """One loaded entry point."""

    name: str
    distribution: str
    version: str
    offers: Mapping[str, Mapping[str, Any]]
    """Kind of thing to name to the thing itself."""


@dataclass(frozen=True)
class Failure:
    """An entry point that could not be loaded; nothing of it is registered."""

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        """The message for the user."""
        return f"plugin {self.name} of {self.distribution} is left out: {self.reason}"


@dataclass(frozen=True)
class Clash:
    """A name that several plugins offer; none of them gets it, since the choice would depend on an order."""

    kind: str
    name: str
    distributions: tuple[str, ...]

    def __str__(self) -> str:
        """The message for the user."""
        both = " and ".join(self.distributions)
        return (
            f"{both} both offer the {self.kind} {self.name}, which is left out; "
            f"uninstall one of them, or choose with {CHOICE_VARIABLE}"
        )


@dataclass(frozen=True)
class Plugins:
    """All that the installed plugins offer."""

    loaded: list[Plugin] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What the user should know: a line per plugin or name that is left out."""
        return [str(item) for item in (*self.failures, *self.clashes)]

    @property
    def scene_sources(self) -> dict[str, SceneSource]:
        """Scene sources by name."""
        return self._by_name("scene source")

    @property
    def density_estimators(self) -> dict[str, type[DensityEstimator]]:
        """Density estimator classes by name."""
        return self._by_name("density estimator")

    @property
    def dataset_formats(self) -> dict[str, DatasetFormat]:
        """Dataset formats by name."""
        return self._by_name("dataset format")

    @property
    def model_backends(self) -> dict[str, ModelBackend]:
        """Model backends by name."""
        return self._by_name("model backend")

    @property
    def commands(self) -> dict[str, CommandOffer]:
        """Commands by their words, for example `plot loss`."""
        return self._by_name("command")

    @property
    def scene_plotters(self) -> dict[str, ScenePlotter]:
        """Scene plotters by name."""
        return self._by_name("scene plotter")

    def provider(self, kind: str, name: str) -> Plugin:
        """The plugin that offers `name`."""
        return next(plugin for plugin in self.loaded if name in plugin.offers[kind])

    def _by_name(self, kind: str) -> dict[str, Any]:
        clashing = {clash.name for clash in self.clashes if clash.kind == kind}
        offers = (offer for plugin in self.loaded for offer in plugin.offers[kind].items())
        return {name: thing for name, thing in offers if name not in clashing}


@lru_cache(maxsize=1)
def installed_plugins() -> Plugins:
    """What the installed distributions offer, loaded once per process."""
    return load_plugins(entry_points(group=PROJECT), os.environ.get(CHOICE_VARIABLE))


def load_plugins(found: Iterable[EntryPoint], choice: str | None = None) -> Plugins:
    """Loads entry points one by one: core first, then the others by distribution and name.

    A plugin that fails to import, has a misspelt hook or breaks the contract is left out with the reason, and nothing
    of it stays registered. A name that several plugins offer is left out, and both are named.

    Args:
        found: the entry points.
        choice: names of the plugins to load, separated by commas; None for all. Core is always loaded.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins()
    points = sorted(set(found), key=lambda point: (point.name != CORE, _distribution(point), point.name))
    wanted = {name.strip() for name in (choice or "").split(",") if name.strip()}
    for point in points:
        if choice is not None and point.name not in (CORE, *wanted):
            continue
        try:
            plugins.loaded.append(_load(manager, point, plugins.loaded))
        except (Exception, SystemExit) as error:  # a plugin's code may raise anything
            reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            plugins.failures.append(Failure(point.name, _distribution(point), reason))
    for name in sorted(wanted - {point.name for point in points}):
        allowed = ", ".join(point.name for point in points)
        reason = f"{CHOICE_VARIABLE} names it, but it is not installed; there are {allowed}"
        plugins.failures.append(Failure(name, "no distribution", reason))
    plugins.clashes.extend(_clashes(plugins.loaded))
    return plugins


def _load(manager: pluggy.PluginManager, point: EntryPoint, earlier: Iterable[Plugin]) -> Plugin:
    module = point.load()
    version = point.dist.version if point.dist is not None else "unknown"
    manager.register(module, name=f"{_distribution(point)}:{point.name}")
    try:
        _refuse_unknown_hooks(manager, module)
        offers = {kind: _offers(manager, module, hook, kind) for hook, kind in KINDS.items()}
        offers["command"] = _with_train_commands(offers["command"], offers["model backend"])
        plugin = Plugin(point.name, _distribution(point), version, offers)
        _refuse_groups_that_are_commands([*earlier, plugin])
    except BaseException:
        manager.unregister(module)
        raise
    return plugin


def _refuse_unknown_hooks(manager: pluggy.PluginManager, module: object) -> None:
    """Checks that every hook of a plugin exists, also where the marker was forgotten."""
    start = f"{PROJECT}_register_"
    marked = {caller.name for caller in manager.get_hookcallers(module) or []}
    for name in (item for item in vars(module) if item.startswith(start)):
        if name not in KINDS:
            raise PluginError(f"it has a hook {name}, which does not exist; there are {', '.join(KINDS)}")
        if name not in marked:
            raise PluginError(f"{name} is not marked with crowdgan_core.hookspecs.hookimpl")
    manager.check_pending()


def _offers(manager: pluggy.PluginManager, module: object, hook: str, kind: str) -> dict[str, Any]:
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
        missing = [name for name in NEEDED_ATTRIBUTES[kind] if not hasattr(thing, name)]
        if missing:
            raise PluginError(f"{hook} returned {thing!r:.80}, which is no {kind}: it has no {', '.join(missing)}")
        name = _checked_name(hook, kind, thing)
        if name in named:
            raise PluginError(f"{hook} returned two of the name {name}")
        named[name] = thing
    return named


def _checked_name(hook: str, kind: str, thing: Any) -> str:
    """The name under which a thing is offered, once that and what the thing is keep the contract."""
    if kind == "command" and not isinstance(thing, CommandOffer):
        raise PluginError(f"{hook} returned {thing!r:.80}; it must return CommandOffers")
    if kind == "density estimator" and not _is_frozen_dataclass(thing):
        raise PluginError(f"{hook} returned {thing!r:.80}; it must be a class that is a frozen dataclass")
    name = thing.command.name if kind == "command" else thing.name
    if not isinstance(name, str) or not name.strip():
        raise PluginError(f"{hook} returned a {kind} of the name {name!r:.80}; it must be a text that is not empty")
    if kind in ("density estimator", "model backend") and not THING_NAME.fullmatch(name):
        raise PluginError(f"{hook} returned a {kind} of the name {name}; it must be of lower case, digits and hyphens")
    return f"{thing.group} {name}".strip() if kind == "command" else name


def _is_frozen_dataclass(thing: object) -> bool:
    return isinstance(thing, type) and is_dataclass(thing) and bool(thing.__dataclass_params__.frozen)  # type: ignore[attr-defined]


def _with_train_commands(commands: Mapping[str, CommandOffer], backends: Mapping[str, Any]) -> dict[str, CommandOffer]:
    """Commands and those that train, which are made here, so that a backend that cannot make its own is left out."""
    made = {name: backend.train_command() for name, backend in backends.items()}
    train = {f"{TRAIN} {name}": CommandOffer(TRAIN, command) for name, command in made.items() if command is not None}
    for name in sorted(train.keys() & commands.keys()):
        raise PluginError(f"it offers the command {name} twice: by itself and by a model backend")
    return {**commands, **train}


def _refuse_groups_that_are_commands(plugins: Iterable[Plugin]) -> None:
    """Checks that nobody adds to a command that takes no others: one would take the place of the other."""
    offers = [(name, offer, plugin) for plugin in plugins for name, offer in plugin.offers["command"].items()]
    commands = {name: plugin for name, offer, plugin in offers if not offer.group and not offer.is_open}
    groups = {offer.group: plugin for _, offer, plugin in offers if offer.group}
    for word in sorted(commands.keys() & groups.keys()):
        raise PluginError(
            f"{word} is a command of {commands[word].distribution} and a group of commands of "
            f"{groups[word].distribution}; one of them needs another name"
        )


def _clashes(loaded: Iterable[Plugin]) -> list[Clash]:
    owners: dict[tuple[str, str], list[str]] = {}
    for plugin in loaded:
        for kind, things in plugin.offers.items():
            for name in things:
                owners.setdefault((kind, name), []).append(plugin.distribution)
    return [Clash(kind, name, tuple(names)) for (kind, name), names in owners.items() if len(names) > 1]


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
