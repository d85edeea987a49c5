"""The model backend `stylegan3`. Importing this module loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crowdgan_core.errors import CheckpointError
from crowdgan_core.model_card import read_card

if TYPE_CHECKING:
    import click

    from crowdgan_stylegan3.generate import SeededGenerator

NAME = "stylegan3"
"""What users write after `crowdgan train`, and what cards name."""


class StyleGan3Backend:
    """Generators of StyleGAN3 and StyleGAN2; crowdgan_core's `ModelBackend`."""

    name = NAME

    def train_command(self) -> click.Command:
        """`crowdgan train stylegan3`."""
        from crowdgan_stylegan3.cli.train import command

        return command

    def can_load(self, path: Path) -> bool:
        """Whether the file's card names this backend."""
        try:
            return read_card(path).backend == NAME
        except CheckpointError:
            return False

    def load_generator(self, path: Path, device: str) -> SeededGenerator:
        """The generator in a model file, on the device `auto`, `cpu` or `cuda`.

        Raises:
            CheckpointError: the file is no model of this backend, or is damaged.
            ConfigError: there is no such device.
        """
        from crowdgan_stylegan3.checkpoint import load_generator
        from crowdgan_stylegan3.generate import SeededGenerator

        return SeededGenerator(*load_generator(path), device)
