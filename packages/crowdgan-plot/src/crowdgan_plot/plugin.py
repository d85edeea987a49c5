"""The hooks of this distribution: the commands of `crowdgan plot`, and the overlay pictures of `crowdgan label`.

Neither importing this module nor calling its hooks loads matplotlib, so that `crowdgan --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.hookspecs import CommandOffer, hookimpl


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandOffer]:
    """The commands under `crowdgan plot`."""
    from crowdgan_plot.cli import loss

    return [CommandOffer("plot", module.command) for module in (loss,)]
