"""The hooks of this distribution: the commands of `crowdgan plot`, and the overlay pictures of `crowdgan label`.

Neither importing this module nor calling its hooks loads matplotlib, so that `crowdgan --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.hookspecs import CommandOffer, ScenePlotter, hookimpl
from crowdgan_plot.plotter import OverlayPlotter


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandOffer]:
    """The commands under `crowdgan plot`."""
    from crowdgan_plot.cli import density, labels, loss, run, spectra

    return [CommandOffer("plot", module.command) for module in (loss, run, density, labels, spectra)]


@hookimpl
def crowdgan_register_scene_plotters() -> Sequence[ScenePlotter]:
    """What draws the overlay pictures of `crowdgan label --plot`."""
    return [OverlayPlotter()]
