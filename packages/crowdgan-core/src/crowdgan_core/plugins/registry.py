"""The registry of installed plugins: what each provides, load failures and name conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crowdgan_core.datasets.protocols import DatasetFormat
from crowdgan_core.density.estimator import DensityEstimator
from crowdgan_core.hookspecs import CommandSpec, ScenePlotter
from crowdgan_core.models.backend import ModelBackend
from crowdgan_core.sources.base import SceneSource

PLUGINS_ENV_VAR = "CROWDGAN_PLUGINS"
"""Environment variable: comma-separated names of the plugins to load; unset for all, empty for core only."""


@dataclass(frozen=True)
class LoadedPlugin:
    """One loaded entry point."""

    name: str
    distribution: str
    version: str
    provides: Mapping[str, Mapping[str, Any]]
    """Provided objects by kind and name, for example `provides["density estimator"]["grid"]`."""


@dataclass(frozen=True)
class LoadFailure:
    """An entry point that failed to load; nothing of it is registered."""

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        """The message for the user."""
        return f"plugin {self.name} of {self.distribution} failed to load: {self.reason}"


@dataclass(frozen=True)
class NameConflict:
    """A name that several plugins provide; none is used, because the choice would depend on the load order."""

    kind: str
    name: str
    distributions: tuple[str, ...]

    def __str__(self) -> str:
        """The message for the user."""
        return (
            f"name conflict: {' and '.join(self.distributions)} provide the {self.kind} {self.name}, so it is not "
            f"available; uninstall one of them, or select plugins with {PLUGINS_ENV_VAR}"
        )


@dataclass(frozen=True)
class PluginRegistry:
    """The installed plugins and everything that they provide."""

    loaded: list[LoadedPlugin] = field(default_factory=list)
    failures: list[LoadFailure] = field(default_factory=list)
    conflicts: list[NameConflict] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """One message per load failure and name conflict."""
        return [str(item) for item in (*self.failures, *self.conflicts)]

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
    def commands(self) -> dict[str, CommandSpec]:
        """Commands by group and name, for example `plot loss`."""
        return self._by_name("command")

    @property
    def scene_plotters(self) -> dict[str, ScenePlotter]:
        """Scene plotters by name."""
        return self._by_name("scene plotter")

    def provider(self, kind: str, name: str) -> LoadedPlugin:
        """The plugin that provides `name`."""
        return next(plugin for plugin in self.loaded if name in plugin.provides[kind])

    def __repr__(self) -> str:
        """For example `PluginRegistry(core, density, plot, stylegan3)`."""
        return f"PluginRegistry({', '.join(plugin.name for plugin in self.loaded)})"

    def _by_name(self, kind: str) -> dict[str, Any]:
        in_conflict = {conflict.name for conflict in self.conflicts if conflict.kind == kind}
        items = (item for plugin in self.loaded for item in plugin.provides[kind].items())
        return {name: provided for name, provided in items if name not in in_conflict}


def find_name_conflicts(loaded: Iterable[LoadedPlugin]) -> list[NameConflict]:
    """Names that more than one plugin provides."""
    providers: dict[tuple[str, str], list[str]] = {}
    for plugin in loaded:
        for kind, objects in plugin.provides.items():
            for name in objects:
                providers.setdefault((kind, name), []).append(plugin.distribution)
    return [NameConflict(kind, name, tuple(names)) for (kind, name), names in providers.items() if len(names) > 1]
