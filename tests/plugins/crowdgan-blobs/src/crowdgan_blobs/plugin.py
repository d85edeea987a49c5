"""What the distribution offers: the backend `blobs`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.hookspecs import hookimpl
from crowdgan_core.models.backend import ImageGenerator, ModelBackend
from crowdgan_core.models.card import read_card

LABELS = ("class", "value", "none")


class BlobsBackend:
    """Loads models that draw blobs, and makes them up instead of training."""

    name = "blobs"

    def train_command(self) -> click.Command:
        """`crowdgan train blobs`."""
        return train

    def can_load(self, path: Path) -> bool:
        """Whether the card names this backend."""
        try:
            return read_card(path).backend == self.name
        except CheckpointError:
            return False

    def load_generator(self, path: Path, device: str) -> ImageGenerator:
        """The generator; numpy computes on the CPU alone."""
        from crowdgan_blobs.generator import BlobGenerator
        from crowdgan_blobs.model import read_model

        if device not in ("auto", "cpu"):
            raise ConfigError(f"device {device}: blobs are drawn on the cpu")
        return BlobGenerator(read_model(path))


@click.command("blobs")
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="Model to write: NAME.safetensors.")
@click.option("--labels", type=click.Choice(LABELS), default="class", show_default=True, help="What labels are.")
@click.option("--size", type=int, default=128, show_default=True, help="Height and width in pixels.")
def train(dest: Path, labels: Literal["class", "value", "none"], size: int) -> None:
    """Make up a model that draws blobs; nothing is learnt."""
    from crowdgan_blobs.model import made_up_model, write_model

    write_model(dest, made_up_model(None if labels == "none" else labels, (size, size)))
    click.echo(f"made {dest}")


@hookimpl
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """The one backend."""
    return [BlobsBackend()]
