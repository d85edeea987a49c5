"""The hooks that a plugin may implement. Each takes no arguments and returns a list or tuple.

A hook is called when objects of its kind are first needed.

A distribution becomes a plugin by an entry point in the group `crowdgan` that names a module. Hook implementations are
functions of that module with the names below, marked with `hookimpl`:

    from crowdgan_core.hookspecs import hookimpl

    @hookimpl
    def crowdgan_register_density_estimators():
        return [MyEstimator]
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pluggy

from crowdgan_core.errors import PluginError
from crowdgan_core.utils.plugin_calls import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    import click

    from crowdgan_core.datasets.protocols import DatasetFormat
    from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
    from crowdgan_core.metrics.extractor import FeatureExtractor
    from crowdgan_core.metrics.metric import Metric
    from crowdgan_core.metrics.predictor import DensityPredictor
    from crowdgan_core.models.backend import ModelBackend
    from crowdgan_core.scenes.scene import Scene
    from crowdgan_core.sources.base import SceneSource
    from crowdgan_core.utils.arrays import ImageArray

PROJECT = ENTRY_POINT_GROUP
"""Name of the pluggy project and of the entry-point group."""

PLUGIN_NAME_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Names of estimators, backends and pretrained models, which users type, and datasets and models record."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of the hook of the same name."""


@dataclass(frozen=True)
class CommandSpec:
    """A click command and its group.

    A group that no plugin provides is created. Other plugins may add commands to a provided `click.Group`.

    Raises:
        PluginError: the group is not one word, or the command is not a click command.
    """

    group: str
    """Empty for a command of `crowdgan` itself, `plot` for a command of `crowdgan plot`."""

    command: click.Command

    def __post_init__(self) -> None:
        import click

        group: object = self.group  # a plugin's types are not checked statically
        if not isinstance(group, str) or len(group.split()) > 1 or group != group.strip():
            raise PluginError(f"the command group is {group!r}; it must be one word or empty")
        if not isinstance(self.command, click.Command):
            raise PluginError(f"the command is {self.command!r:.80}; it must be a click.Command")

    @property
    def accepts_subcommands(self) -> bool:
        """Whether other plugins may add commands to it."""
        import click

        return isinstance(self.command, click.Group)


@dataclass(frozen=True)
class PretrainedModel:
    """A model file in an installed package.

    Raises:
        PluginError: the path is not absolute, or is not a file that can be read.
    """

    name: str
    """Name for `--network NAME` and `load_generator(NAME)`: lower-case letters, digits and hyphens."""

    path: Path
    """The model file, an absolute path."""

    description: str
    """What the model generates, in one line, for `crowdgan plugins`."""

    def __post_init__(self) -> None:
        path: object = self.path  # a plugin's types are not checked statically
        if not isinstance(path, Path) or not path.is_absolute():
            raise PluginError(f"the path of the pretrained model {self.name} is {path!r}; it must be an absolute Path")
        if not path.is_file() or not os.access(path, os.R_OK):
            raise PluginError(f"the pretrained model {self.name} is {path}; it must be a file that can be read")


class ScenePlotter(Protocol):
    """Draws density overlays for `crowdgan label --plot DIR`. Picklable: worker processes draw."""

    @property
    def name(self) -> str:
        """Name in messages and in `crowdgan plugins`."""
        ...

    def draw(self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        """A PNG file with a density overlay.

        Args:
            pixels: `[height, width, 3]`, the measured image.
            scene: its people.
            estimator: the fitted estimator.
            density: its estimate for the scene.
        """
        ...


@hookspec
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """Readers of annotated or plain images."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_density_estimators() -> Sequence[type[DensityEstimator]]:
    """Density estimator classes."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_dataset_formats() -> Sequence[DatasetFormat]:
    """Formats of training datasets on disk: readers and writers."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """Model backends: a subcommand of `crowdgan train`, and a loader of generators."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_pretrained_models() -> Sequence[PretrainedModel]:
    """Model files in the package, which commands find by name: `--network NAME`."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """Click commands, each with its group."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_scene_plotters() -> Sequence[ScenePlotter]:
    """Plotters of the density overlays of `crowdgan label --plot`."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_feature_extractors() -> Sequence[type[FeatureExtractor]]:
    """Classes of networks that compute image features for metrics."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_density_predictors() -> Sequence[type[DensityPredictor]]:
    """Classes that predict the density of an image from its pixels, for density fidelity."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_metrics() -> Sequence[Metric]:
    """Quality metrics of generated images."""
    raise AssertionError("a hook specification is never called")
