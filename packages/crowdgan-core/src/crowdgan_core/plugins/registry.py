"""Discovery of plugins, one by one, so that a broken one is reported and the others work."""

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
"""Environment variable: names of the plugins to load, separated by commas; unset for all, empty for core alone."""


@dataclass(frozen=True)
class LoadedPlugin:
    """One loaded entry point."""

    name: str
    distribution: str
    version: str
    provides: Mapping[str, Mapping[str, Any]]
    """Kind of thing to name to the thing itself."""


@dataclass(frozen=True)
class LoadFailure:
    """An entry point that could not be loaded; nothing of it is registered."""

    name: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        """The message for the user."""
        return f"plugin {self.name} of {self.distribution} is left out: {self.reason}"


@dataclass(frozen=True)
class NameConflict:
    """A name that several plugins offer; none of them gets it, since the choice would depend on an order."""

    kind: str
    name: str
    distributions: tuple[str, ...]

    def __str__(self) -> str:
        """The message for the user."""
        both = " and ".join(self.distributions)
        return (
            f"{both} both offer the {self.kind} {self.name}, which is left out; "
            f"uninstall one of them, or choose with {PLUGINS_ENV_VAR}"
        )


@dataclass(frozen=True)
class PluginRegistry:
    """All that the installed plugins offer."""

    loaded: list[LoadedPlugin] = field(default_factory=list)
    failures: list[LoadFailure] = field(default_factory=list)
    clashes: list[NameConflict] = field(default_factory=list)

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
    def commands(self) -> dict[str, CommandSpec]:
        """Commands by their words, for example `plot loss`."""
        return self._by_name("command")

    @property
    def scene_plotters(self) -> dict[str, ScenePlotter]:
        """Scene plotters by name."""
        return self._by_name("scene plotter")

    def provider(self, kind: str, name: str) -> LoadedPlugin:
        """The plugin that offers `name`."""
        return next(plugin for plugin in self.loaded if name in plugin.provides[kind])

    def _by_name(self, kind: str) -> dict[str, Any]:
        clashing = {clash.name for clash in self.clashes if clash.kind == kind}
        offers = (offer for plugin in self.loaded for offer in plugin.provides[kind].items())
        return {name: thing for name, thing in offers if name not in clashing}


def find_name_conflicts(loaded: Iterable[LoadedPlugin]) -> list[NameConflict]:
    """Names that more than one plugin provides."""
    owners: dict[tuple[str, str], list[str]] = {}
    for plugin in loaded:
        for kind, things in plugin.provides.items():
            for name in things:
                owners.setdefault((kind, name), []).append(plugin.distribution)
    return [NameConflict(kind, name, tuple(names)) for (kind, name), names in owners.items() if len(names) > 1]
