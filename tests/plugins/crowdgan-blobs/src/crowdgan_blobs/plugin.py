"""Hook implementations: the backend `blobs`, and the feature extractor `grid-colours`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from crowdgan_core.errors import CheckpointError, ConfigError
from crowdgan_core.hookspecs import PretrainedModel, hookimpl
from crowdgan_core.models.backend import ImageGenerator, ModelBackend
from crowdgan_core.models.card import read_card

if TYPE_CHECKING:
    from crowdgan_core.metrics.extractor import FeatureExtractor

LABELS = ("class", "value", "none")


class BlobsBackend:
    """Loads models that draw blobs; its training command creates a random model."""

    name = "blobs"

    def train_command(self) -> click.Command:
        """The command `crowdgan train blobs`."""
        return train

    def can_load(self, path: Path) -> bool:
        """Whether the model card names this backend."""
        try:
            return read_card(path).backend == self.name
        except CheckpointError:
            return False

    def load_generator(self, path: Path, device: str) -> ImageGenerator:
        """The generator, which runs on the CPU only."""
        from crowdgan_blobs.generator import BlobGenerator
        from crowdgan_blobs.model import read_model

        if device not in ("auto", "cpu"):
            raise ConfigError(f"device {device} is not available for blobs; use cpu")
        return BlobGenerator(read_model(path))


@click.command("blobs", short_help="Create a random blob model")
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="Output file (NAME.safetensors).")
@click.option("--labels", type=click.Choice(LABELS), default="class", show_default=True, help="Label type.")
@click.option("--size", type=int, default=128, show_default=True, help="Image height and width in pixels.")
def train(dest: Path, labels: Literal["class", "value", "none"], size: int) -> None:
    """Create a random model that draws blobs; it is not trained."""
    from crowdgan_blobs.model import example_model, write_model

    write_model(dest, example_model(None if labels == "none" else labels, (size, size)))
    click.echo(f"wrote {dest}")


@hookimpl
def crowdgan_register_model_backends() -> Sequence[ModelBackend]:
    """The backend `blobs`."""
    return [BlobsBackend()]


@hookimpl
def crowdgan_register_pretrained_models() -> Sequence[PretrainedModel]:
    """The model `blobs32`, a file in this package."""
    path = Path(__file__).parent / "pretrained" / "blobs32.safetensors"
    return [PretrainedModel("blobs32", path, "blobs, 32x32 px, classes sparse, medium, dense")]


@hookimpl
def crowdgan_register_feature_extractors() -> Sequence[type[FeatureExtractor]]:
    """The extractor `grid-colours`."""
    from crowdgan_blobs.features import GridColours

    return [GridColours]
