"""The hooks of this distribution. Importing this module loads no torch, so that `crowdgan --help` stays fast."""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.backend import ModelBackend
from crowdgan_core.hookspecs import CommandOffer, hookimpl
from crowdgan_stylegan3.backend import NAME, StyleGan3Backend


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandOffer]:
    """The commands under `crowdgan stylegan3`."""
    from crowdgan_stylegan3.cli import build, doctor, export, import_, init, video

    return [CommandOffer(NAME, module.command) for module in (init, import_, export, video, doctor, build)]


@hookimpl
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """The backend `stylegan3`."""
    return [StyleGan3Backend()]
