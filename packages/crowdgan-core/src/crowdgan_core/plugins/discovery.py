"""Discovery of plugins, one by one, so that a broken one is reported and the others work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from crowdgan_core import hookspecs
from crowdgan_core.errors import PluginError
from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins.registry import (
    PLUGINS_ENV_VAR,
    LoadedPlugin,
    LoadFailure,
    PluginRegistry,
    find_name_conflicts,
)
from crowdgan_core.plugins.validation import (
    KINDS,
    check_command_groups,
    check_hooks,
    collect_provided,
    with_train_commands,
)

CORE = "core"
"""Name of the plugin with the built-ins, loaded first and always."""


@lru_cache(maxsize=1)
def installed_plugins() -> PluginRegistry:
    """What the installed distributions offer, loaded once per process."""
    return load_plugins(entry_points(group=PROJECT), os.environ.get(PLUGINS_ENV_VAR))


def load_plugins(found: Iterable[EntryPoint], choice: str | None = None) -> PluginRegistry:
    """Loads entry points one by one: core first, then the others by distribution and name.

    A plugin that fails to import, has a misspelt hook or breaks the contract is left out with the reason, and nothing
    of it stays registered. A name that several plugins offer is left out, and both are named.

    Args:
        found: the entry points.
        choice: names of the plugins to load, separated by commas; None for all. Core is always loaded.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = PluginRegistry()
    points = sorted(set(found), key=lambda point: (point.name != CORE, _distribution(point), point.name))
    wanted = {name.strip() for name in (choice or "").split(",") if name.strip()}
    for point in points:
        if choice is not None and point.name not in (CORE, *wanted):
            continue
        try:
            plugins.loaded.append(_load(manager, point, plugins.loaded))
        except (Exception, SystemExit) as error:  # a plugin's code may raise anything
            reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            plugins.failures.append(LoadFailure(point.name, _distribution(point), reason))
    for name in sorted(wanted - {point.name for point in points}):
        allowed = ", ".join(point.name for point in points)
        reason = f"{PLUGINS_ENV_VAR} names it, but it is not installed; there are {allowed}"
        plugins.failures.append(LoadFailure(name, "no distribution", reason))
    plugins.clashes.extend(find_name_conflicts(plugins.loaded))
    return plugins


def _load(manager: pluggy.PluginManager, point: EntryPoint, earlier: Iterable[LoadedPlugin]) -> LoadedPlugin:
    module = point.load()
    version = point.dist.version if point.dist is not None else "unknown"
    manager.register(module, name=f"{_distribution(point)}:{point.name}")
    try:
        check_hooks(manager, module)
        offers = {kind: collect_provided(manager, module, hook, kind) for hook, kind in KINDS.items()}
        offers["command"] = with_train_commands(offers["command"], offers["model backend"])
        plugin = LoadedPlugin(point.name, _distribution(point), version, offers)
        check_command_groups([*earlier, plugin])
    except BaseException:
        manager.unregister(module)
        raise
    return plugin


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
