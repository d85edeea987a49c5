"""The registry of installed plugins: what each provides, load failures and name conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crowdgan_core.errors import PluginError
from crowdgan_core.plugins.validation import KIND_BY_HOOK, PluginHooks, check_command_groups

if TYPE_CHECKING:
    from crowdgan_core.datasets.protocols import DatasetFormat
    from crowdgan_core.density.estimator import DensityEstimator
    from crowdgan_core.hookspecs import CommandSpec, PretrainedModel, ScenePlotter
    from crowdgan_core.metrics.extractor import FeatureExtractor
    from crowdgan_core.metrics.metric import Metric
    from crowdgan_core.metrics.predictor import DensityPredictor
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
    hooks: PluginHooks = field(repr=False)
    """Its hooks, which are called when objects of their kind are first needed."""

    @property
    def provides(self) -> dict[str, Mapping[str, Any]]:
        """Provided objects by kind and name, for example `provides["density estimator"]["grid"]`."""
        return {kind: self.hooks.objects(kind) for kind in KIND_BY_HOOK.values()}


@dataclass(frozen=True)
class LoadFailure:
    """An entry point that failed to load; nothing of it is registered."""

    name: str
    distribution: str
    reason: str

    @classmethod
    def of(cls, name: str, distribution: str, error: BaseException) -> LoadFailure:
        """The failure that an exception caused."""
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return cls(name, distribution, reason)

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


@dataclass
class PluginRegistry:
    """The installed plugins and everything that they provide.

    The hooks of a kind are called when objects of that kind are first needed, so that a command imports only what it
    uses. A plugin whose hook fails then, or violates its contract, is removed with everything that it provides.
    """

    loaded: list[LoadedPlugin] = field(default_factory=list)
    failures: list[LoadFailure] = field(default_factory=list)
    _called_kinds: list[str] = field(default_factory=list)
    _on_warning: Callable[[str], None] | None = None

    @property
    def conflicts(self) -> list[NameConflict]:
        """Names that more than one plugin provides, of all kinds that have been needed so far."""
        return [conflict for kind in self._called_kinds for conflict in find_name_conflicts(self.loaded, kind)]

    @property
    def warnings(self) -> list[str]:
        """One message per load failure and name conflict found so far."""
        return [str(item) for item in (*self.failures, *self.conflicts)]

    def report_warnings(self, report: Callable[[str], None]) -> None:
        """Calls a function with each warning found so far, and from now on with each new one."""
        for warning in self.warnings:
            report(warning)
        self._on_warning = report

    def load_all(self) -> None:
        """Calls the hooks of all kinds, which finds all failures and conflicts."""
        for kind in KIND_BY_HOOK.values():
            self._call_hooks(kind)

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
    def pretrained_models(self) -> dict[str, PretrainedModel]:
        """Pretrained models by name."""
        return self._by_name("pretrained model")

    @property
    def commands(self) -> dict[str, CommandSpec]:
        """Commands by group and name, for example `plot loss`."""
        return self._by_name("command")

    @property
    def scene_plotters(self) -> dict[str, ScenePlotter]:
        """Scene plotters by name."""
        return self._by_name("scene plotter")

    @property
    def feature_extractors(self) -> dict[str, type[FeatureExtractor]]:
        """Feature extractor classes by name."""
        return self._by_name("feature extractor")

    @property
    def density_predictors(self) -> dict[str, type[DensityPredictor]]:
        """Density predictor classes by name."""
        return self._by_name("density predictor")

    @property
    def metrics(self) -> dict[str, Metric]:
        """Quality metrics by name."""
        return self._by_name("metric")

    def provider(self, kind: str, name: str) -> LoadedPlugin:
        """The plugin that provides `name`."""
        return next(plugin for plugin in self.loaded if name in plugin.hooks.objects(kind))

    def __repr__(self) -> str:
        """For example `PluginRegistry(core, density, plot, stylegan3)`."""
        return f"PluginRegistry({', '.join(plugin.name for plugin in self.loaded)})"

    def _by_name(self, kind: str) -> dict[str, Any]:
        self._call_hooks(kind)
        in_conflict = {conflict.name for conflict in find_name_conflicts(self.loaded, kind)}
        items = (item for plugin in self.loaded for item in plugin.hooks.objects(kind).items())
        return {name: provided for name, provided in items if name not in in_conflict}

    def _call_hooks(self, kind: str) -> None:
        """Calls the hooks of a kind once; removes plugins that fail."""
        if kind in self._called_kinds:
            return
        self._called_kinds.append(kind)
        commands: list[tuple[str, Mapping[str, CommandSpec]]] = []
        for plugin in list(self.loaded):
            try:
                objects = plugin.hooks.objects(kind)
                if kind == "command":
                    check_command_groups([*commands, (plugin.distribution, objects)])
                    commands.append((plugin.distribution, objects))
            except (Exception, SystemExit) as error:  # a plugin's code may raise any exception
                self.loaded.remove(plugin)
                self.failures.append(LoadFailure.of(plugin.name, plugin.distribution, error))
                self._warn(self.failures[-1])
        for conflict in find_name_conflicts(self.loaded, kind):
            self._warn(conflict)

    def _warn(self, problem: LoadFailure | NameConflict) -> None:
        if self._on_warning is not None:
            self._on_warning(str(problem))


def find_name_conflicts(loaded: Iterable[LoadedPlugin], kind: str) -> list[NameConflict]:
    """Names of one kind of objects that more than one plugin provides."""
    providers: dict[str, list[str]] = {}
    for plugin in loaded:
        for name in plugin.hooks.objects(kind):
            providers.setdefault(name, []).append(plugin.distribution)
    return [NameConflict(kind, name, tuple(names)) for name, names in providers.items() if len(names) > 1]
