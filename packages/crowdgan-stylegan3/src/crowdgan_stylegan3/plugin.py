"""Hook implementations. Importing this module loads no torch, so that `crowdgan --help` starts fast."""

from __future__ import annotations

from collections.abc import Sequence

from crowdgan_core.hookspecs import CommandSpec, hookimpl
from crowdgan_core.models.backend import ModelBackend
from crowdgan_stylegan3.backend import StyleGan3Backend
from crowdgan_stylegan3.config import BACKEND_NAME


@hookimpl
def crowdgan_register_commands() -> Sequence[CommandSpec]:
    """The commands of `crowdgan stylegan3`."""
    from crowdgan_stylegan3.cli import build, doctor, export, import_, init, video

    return [CommandSpec(BACKEND_NAME, module.command) for module in (init, import_, export, video, doctor, build)]


@hookimpl
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """The model backend `stylegan3`."""
    return [StyleGan3Backend()]
