"""The hooks that a plugin may implement. Each takes nothing and returns a sequence.

A distribution becomes a plugin with one entry point in the group `crowdgan` that names a module; in that module the
functions below, marked with `hookimpl`, say what it offers:

    from crowdgan_core.hookspecs import hookimpl

    @hookimpl
    def crowdgan_register_density_estimators():
        return [MyEstimator]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pluggy

from crowdgan_core.errors import PluginError

if TYPE_CHECKING:
    import click

    from crowdgan_core.datasets.protocols import DatasetFormat
    from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
    from crowdgan_core.models.backend import ModelBackend
    from crowdgan_core.scenes.scene import Scene
    from crowdgan_core.sources.base import SceneSource
    from crowdgan_core.utils.arrays import ImageArray

PROJECT = "crowdgan"
"""Name of the pluggy project and of the entry-point group."""

PLUGIN_NAME_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Names of estimators and backends: users write them, and datasets and models record them."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class CommandSpec:
    """A click command and the group that it belongs under: "" for `crowdgan` itself, "plot" for `crowdgan plot`.

    A group that nobody offers is made; a `click.Group` that is offered takes the commands of others beside its own.

    Raises:
        PluginError: the group is not one word, or the command is no click command.
    """

    group: str
    command: click.Command

    def __post_init__(self) -> None:
        import click

        group: object = self.group  # whoever wrote the plugin may not have checked its types
        if not isinstance(group, str) or len(group.split()) > 1 or group != group.strip():
            raise PluginError(f"the group of a command is {group!r}; it must be one word, or empty")
        if not isinstance(self.command, click.Command):
            raise PluginError(f"the command offered is {self.command!r:.80}; it must be a click.Command")

    @property
    def accepts_subcommands(self) -> bool:
        """Whether others may add commands to it."""
        import click

        return isinstance(self.command, click.Group)


class ScenePlotter(Protocol):
    """Draws a measured image, for `crowdgan label --plot DIR`. Picklable: workers draw."""

    @property
    def name(self) -> str:
        """For messages and `crowdgan plugins`."""
        ...

    def draw(self, pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate) -> bytes:
        """A PNG file: the image `[height, width, 3]` that was measured, its people and the density over it."""
        ...


@hookspec
def crowdgan_register_scene_sources() -> Sequence[SceneSource]:
    """Sources: read annotated or plain images."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_density_estimators() -> Sequence[type[DensityEstimator]]:
    """Density estimator classes, offered under their `name`."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_dataset_formats() -> Sequence[DatasetFormat]:
    """Dataset formats: write and read a training dataset."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """Model backends: a subcommand of `crowdgan train`, and loading a generator."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """Further click commands, each with the group it belongs under."""
    raise AssertionError("a hook specification is never called")


@hookspec
def crowdgan_register_scene_plotters() -> Sequence[ScenePlotter]:
    """Plotters: draw the overlay images of `crowdgan label --plot`."""
    raise AssertionError("a hook specification is never called")
