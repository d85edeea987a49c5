"""Hook implementations: the commands of `crowdgan plot`, and the density overlays of `crowdgan label --plot`.

Neither importing this module nor calling its hooks loads matplotlib, so that `crowdgan --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.hookspecs import CommandSpec, ScenePlotter, hookimpl
from crowdgan_plot.density.overlay_plotter import OverlayPlotter


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The commands of `crowdgan plot`."""
    from crowdgan_plot.cli import density, labels, loss, run, spectra

    return [CommandSpec("plot", module.command) for module in (loss, run, density, labels, spectra)]


@hookimpl
def crowdgan_register_scene_plotters() -> Sequence[ScenePlotter]:
    """The plotter of the density overlays of `crowdgan label --plot`."""
    return [OverlayPlotter()]
