"""The hooks of this distribution. Importing this module loads no torch, so that `crowdgan --help` stays fast."""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.hookspecs import CommandOffer, hookimpl

GROUP = "stylegan3"
"""Group of this package's own commands."""


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandOffer]:
    """The commands under `crowdgan stylegan3`."""
    from crowdgan_stylegan3.cli import build, doctor

    return [CommandOffer(GROUP, module.command) for module in (build, doctor)]
