"""Hook implementations: `crowdgan plot`, `crowdgan view`, and the density overlays of `crowdgan label --plot`.

Importing this module imports none of them: each is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crowdgan_core.hookspecs import CommandSpec, hookimpl

if TYPE_CHECKING:
    from crowdgan_core.hookspecs import ScenePlotter


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The commands of `crowdgan plot`, and `crowdgan view`."""
    from crowdgan_core.cli.common.lazy_command import LazyCommand

    commands = [
        LazyCommand("loss", "Plot training losses", "crowdgan_plot.cli.loss:command"),
        LazyCommand("run", "Write an HTML report of a run", "crowdgan_plot.cli.run:command"),
        LazyCommand("density", "Plot density estimates over images", "crowdgan_plot.cli.density:command"),
        LazyCommand("series", "Plot density over time", "crowdgan_plot.cli.series:command"),
        LazyCommand("labels", "Plot class balance and density distribution", "crowdgan_plot.cli.labels:command"),
        LazyCommand("spectra", "Plot average power spectra", "crowdgan_plot.cli.spectra:command"),
        LazyCommand("fidelity", "Plot requested against measured density", "crowdgan_plot.cli.fidelity:command"),
    ]
    view = LazyCommand("view", "View models, runs and datasets in the browser", "crowdgan_plot.cli.view:command")
    return [*(CommandSpec("plot", command) for command in commands), CommandSpec("", view)]


@hookimpl
def crowdgan_register_scene_plotters() -> Sequence[ScenePlotter]:
    """The plotter of the density overlays of `crowdgan label --plot`."""
    from crowdgan_plot.density.overlay_plotter import OverlayPlotter

    return [OverlayPlotter()]
