"""The model backend `stylegan3`. Importing this module loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import CheckpointError
from crowdgan_stylegan3.backend_name import BACKEND_NAME

if TYPE_CHECKING:
    import click

    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator


class StyleGan3Backend:
    """Training and loading of StyleGAN3 and StyleGAN2; implements `crowdgan_core.models.backend.ModelBackend`."""

    name = BACKEND_NAME

    def train_command(self) -> click.Command:
        """The click command `crowdgan train stylegan3`."""
        from crowdgan_core.cli.common.lazy_command import LazyCommand

        return LazyCommand(BACKEND_NAME, "Train StyleGAN3 or StyleGAN2", "crowdgan_stylegan3.cli.train:command")

    def can_load(self, path: Path) -> bool:
        """Whether the model card of a file names this backend."""
        from crowdgan_core.models.card import read_card

        try:
            return read_card(path).backend == BACKEND_NAME
        except CheckpointError:
            return False

    def load_generator(self, path: Path, device: str) -> StyleGanImageGenerator:
        """The generator in a model file, on the device `auto`, `cpu` or `cuda`.

        Raises:
            CheckpointError: the file is not a model of this backend, or is damaged.
            ConfigError: the device is not available.
        """
        from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
        from crowdgan_stylegan3.io.safetensors_files import load_network

        return StyleGanImageGenerator(*load_network(path), device)
