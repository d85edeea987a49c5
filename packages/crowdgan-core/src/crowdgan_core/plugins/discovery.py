"""Discovery of plugins; each is loaded in isolation, so that a broken plugin is reported and the others work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from crowdgan_core import hookspecs
from crowdgan_core.hookspecs import PROJECT
from crowdgan_core.plugins.registry import PLUGINS_ENV_VAR, LoadedPlugin, LoadFailure, PluginRegistry
from crowdgan_core.plugins.validation import PluginHooks, check_hooks

CORE_NAME = "core"
"""Name of the plugin with core's own objects; it is always loaded, and first."""


@lru_cache(maxsize=1)
def installed_plugins() -> PluginRegistry:
    """The plugins of the installed distributions, loaded once per process."""
    return load_plugins(entry_points(group=PROJECT), os.environ.get(PLUGINS_ENV_VAR))


def load_plugins(points: Iterable[EntryPoint], selection: str | None = None) -> PluginRegistry:
    """Loads entry points one by one: core first, then the others by distribution and name.

    A plugin that fails to import or has a misspelt hook is skipped, with the reason. Its hooks are called later, when
    objects of their kind are first needed (see `PluginRegistry`). A name that several plugins provide is not available;
    the conflict names them all.

    Args:
        points: the entry points.
        selection: comma-separated names of the plugins to load; None for all. Core is always loaded.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = PluginRegistry()
    points = sorted(set(points), key=lambda point: (point.name != CORE_NAME, _distribution(point), point.name))
    selected = {name.strip() for name in (selection or "").split(",") if name.strip()}
    for point in points:
        if selection is not None and point.name not in (CORE_NAME, *selected):
            continue
        try:
            plugins.loaded.append(_load(manager, point))
        except (Exception, SystemExit) as error:  # a plugin's code may raise any exception
            plugins.failures.append(LoadFailure.of(point.name, _distribution(point), error))
    for name in sorted(selected - {point.name for point in points}):
        installed = ", ".join(point.name for point in points)
        reason = f"selected by {PLUGINS_ENV_VAR} but not installed; choose from {installed}"
        plugins.failures.append(LoadFailure(name, "no distribution", reason))
    return plugins


def _load(manager: pluggy.PluginManager, point: EntryPoint) -> LoadedPlugin:
    module = point.load()
    version = point.dist.version if point.dist is not None else "unknown"
    manager.register(module, name=f"{_distribution(point)}:{point.name}")
    try:
        check_hooks(manager, module)
    except BaseException:
        manager.unregister(module)
        raise
    return LoadedPlugin(point.name, _distribution(point), version, PluginHooks(manager, module))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
