"""`crowdgan generate`: an image per seed, or one of them all in a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.io.images import MAX_PIXELS
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, describe_label, label_vector
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.models.generation.parsing import check_grid
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata, model_record, rendering_record
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.progress import NullProgress, Progress

GRID_NAME = "grid.png"


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """What `crowdgan generate` makes.

    Raises:
        ConfigError: the grid has another number of cells than there are seeds.
    """

    outdir: Path
    """Folder for the images; made if it is missing."""

    seeds: tuple[int, ...]
    """One per image, 0 to 2^32 - 1, all different."""

    model_name: str
    """Name of the model file, for the record in the images."""

    request: Conditioning = field(default_factory=Conditioning)
    """Label of all images."""

    rendering: GenerationOptions = field(default_factory=GenerationOptions)
    """How they are made."""

    grid: tuple[int, int] | None = None
    """`(columns, rows)` of one image of them all, row by row; None for a file per seed."""

    overwrite: bool = False
    """Whether existing files are replaced."""

    def __post_init__(self) -> None:
        if self.grid is not None:
            check_grid(self.grid, len(self.seeds))

    @property
    def names(self) -> list[str]:
        """Names of the files to write."""
        return [image_name(seed) for seed in self.seeds] if self.grid is None else [GRID_NAME]

    def check_destination(self) -> None:
        """Checks that the files may be written.

        Raises:
            DatasetError: one of them exists and is not to be replaced.
        """
        for name in self.names:
            check_overwrite(self.outdir / name, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that the model can give these images.

        Raises:
            ConfigError: it has no such label, or the grid would be too large.
        """
        label_vector(card, self.request)
        if self.grid is not None:
            (columns, rows), (height, width) = self.grid, card.resolution
            if columns * width * rows * height > MAX_PIXELS:
                size = f"{columns * width}x{rows * height} px"
                raise ConfigError(f"grid {columns}x{rows}: {size} is too large an image; use fewer seeds, or no grid")


def write_samples(generator: ImageGenerator, settings: SampleConfig, progress: Progress | None = None) -> list[Path]:
    """Makes the images and writes them, each when it is ready; returns their files.

    What was written stays where a later image fails; no file is ever half-written.

    Raises:
        ConfigError: the model cannot give these images.
        DatasetError: a file exists already, or cannot be written.
        PluginError: the generator breaks its contract.
    """
    settings.check_destination()
    settings.check_model(generator.card)
    images = _reported(_images(generator, settings), len(settings.seeds), progress or NullProgress())
    with atomic_writer(settings.outdir) as write:
        if settings.grid is not None:
            record = {"seeds": list(settings.seeds), "grid": list(settings.grid), **_record(generator.card, settings)}
            sheet = tile_images(np.stack(list(images)), settings.grid)
            write(GRID_NAME, encode_png_with_metadata(sheet, record), overwrite=settings.overwrite)
        else:
            for seed, image in zip(settings.seeds, images, strict=True):
                data = encode_png_with_metadata(image, {"seed": seed, **_record(generator.card, settings)})
                write(image_name(seed), data, overwrite=settings.overwrite)
    return [settings.outdir / name for name in settings.names]


def image_name(seed: int) -> str:
    """Name of the file of a seed, as the official tool has it."""
    return f"seed{seed:04d}.png"


def tile_images(images: ImageArray, grid: tuple[int, int]) -> ImageArray:
    """Images `[columns * rows, height, width, 3]`, row by row, as one `[rows * height, columns * width, 3]`."""
    columns, rows = grid
    _, height, width, channels = images.shape
    cells = images.reshape(rows, columns, height, width, channels)
    return cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def _record(card: ModelCard, settings: SampleConfig) -> dict[str, Any]:
    vector = label_vector(card, settings.request)
    label = {} if vector is None else {"label": list(vector), "density": describe_label(card, vector)}
    return {**label, **rendering_record(settings.rendering), **model_record(card, settings.model_name)}


def _images(generator: ImageGenerator, settings: SampleConfig) -> Iterator[ImageArray]:
    labels: list[LabelVector | None] = [label_vector(generator.card, settings.request)] * len(settings.seeds)
    return generate_images(generator, settings.seeds, labels, settings.rendering)


def _reported(images: Iterator[ImageArray], total: int, progress: Progress) -> Iterator[ImageArray]:
    progress.start("generating images", total)
    for image in images:
        yield image
        progress.advance()
