"""Generated samples on disk: one file per seed or latent file, or one image grid."""

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
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images, synthesise_images
from crowdgan_core.models.generation.parsing import check_grid, parse_grid, parse_seeds
from crowdgan_core.models.generation.png_metadata import (
    encode_png_with_metadata,
    label_record,
    model_record,
    options_record,
    transform_record,
)
from crowdgan_core.models.latent_file import read_latent
from crowdgan_core.models.latent_generator import require_latents
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

GRID_NAME = "grid.png"
"""File name of an image grid."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """Samples to generate, and where to write them.

    Raises:
        ConfigError: not either seeds or latent files, or a number of grid cells that differs from their number.
    """

    seeds: tuple[int, ...] = flag(
        "--seeds", default=(), parse=parse_seeds, help="Random seeds, one image each, e.g. 0-31 or 1,5,9-12."
    )
    """0 to 2^32 - 1, all different."""

    latents: tuple[Path, ...] = flag(
        "--latent",
        default=(),
        help="Instead of --seeds: a latent file of `crowdgan project` or `edit`. Repeatable.",
    )

    grid: tuple[int, int] | None = flag(
        "--grid",
        default=None,
        parse=parse_grid,
        metavar="COLUMNSxROWS",
        help="Write one image grid (grid.png) instead of single images.",
    )
    """`(columns, rows)`, filled row by row; None for one file per seed."""

    outdir: Path = flag("--outdir", help="Output folder.")
    """Created if it does not exist."""

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite existing files.")

    model_name: str
    """Name of the model file, for the record in the images."""

    conditioning: Conditioning = field(default_factory=Conditioning)
    """Label of all images."""

    options: GenerationOptions = field(default_factory=GenerationOptions)

    def __post_init__(self) -> None:
        if bool(self.seeds) == bool(self.latents):
            raise ConfigError("give either --seeds or --latent")
        if self.latents and (self.conditioning, self.options) != (Conditioning(), self._latent_options):
            raise ConfigError("latents determine their image; remove --density, --label, truncation and noise")
        if self.grid is not None:
            check_grid(self.grid, self.num_images)

    @property
    def _latent_options(self) -> GenerationOptions:
        """The options that apply to latent files."""
        options = self.options
        return GenerationOptions(
            translate=options.translate, rotate_deg=options.rotate_deg, batch_size=options.batch_size
        )

    @property
    def num_images(self) -> int:
        """Number of generated images."""
        return len(self.seeds) + len(self.latents)

    @property
    def names(self) -> list[str]:
        """Names of the output files."""
        if self.grid is not None:
            return [GRID_NAME]
        return [image_name(seed) for seed in self.seeds] or [f"latent{i:04d}.png" for i in range(len(self.latents))]

    def check_destination(self) -> None:
        """Checks that the output files may be written.

        Raises:
            DatasetError: a file exists and `overwrite` is False.
        """
        for name in self.names:
            check_overwrite(self.outdir / name, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that a model can generate these samples.

        Raises:
            ConfigError: it has no such label, or the grid is too large.
        """
        if self.seeds:
            label_vector(card, self.conditioning)
        if self.grid is not None:
            check_grid_size(self.grid, card, "use fewer seeds, or no grid")


def write_samples(generator: ImageGenerator, config: SampleConfig, progress: Progress | None = None) -> list[Path]:
    """Generates the samples and writes each as soon as it is complete; returns the paths of the files.

    After an error the finished files remain; no file is incomplete.

    Raises:
        ConfigError: the model cannot generate these samples.
        DatasetError: a file exists already or cannot be written.
        PluginError: the generator violates its contract.
    """
    config.check_destination()
    config.check_model(generator.card)
    samples = _seed_samples(generator, config) if config.seeds else _latent_samples(generator, config)
    samples = _report_progress(samples, config.num_images, progress or NullProgress())
    with atomic_writer(config.outdir) as write:
        if config.grid is not None:
            origins, images = zip(*samples, strict=True)
            origin = {"seeds": list(config.seeds)} if config.seeds else {"latents": list(origins)}
            record = {**origin, "grid": list(config.grid), **_record(generator.card, config)}
            grid = tile_images(np.stack(images), config.grid)
            write(GRID_NAME, encode_png_with_metadata(grid, record), overwrite=config.overwrite)
        else:
            for name, (origin, image) in zip(config.names, samples, strict=True):
                png = encode_png_with_metadata(image, {**origin, **_record(generator.card, config)})
                write(name, png, overwrite=config.overwrite)
    return [config.outdir / name for name in config.names]


def image_name(seed: int) -> str:
    """File name of a seed's image, as in the official tool."""
    return f"seed{seed:04d}.png"


def check_grid_size(grid: tuple[int, int], card: ModelCard, advice: str) -> None:
    """Checks that a grid `(columns, rows)` of a model's images is small enough for one file.

    Raises:
        ConfigError: it is too large; the message ends with the advice.
    """
    (columns, rows), (height, width) = grid, card.resolution
    if columns * width * rows * height > MAX_PIXELS:
        size = f"{columns * width}x{rows * height} px"
        raise ConfigError(f"grid {columns}x{rows}: {size} is too large; {advice}")


def tile_images(images: ImageArray, grid: tuple[int, int]) -> ImageArray:
    """Images `[columns * rows, height, width, 3]`, row by row, as one `[rows * height, columns * width, 3]`."""
    columns, rows = grid
    _, height, width, channels = images.shape
    cells = images.reshape(rows, columns, height, width, channels)
    return cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def _record(card: ModelCard, config: SampleConfig) -> dict[str, Any]:
    model = model_record(card, config.model_name)
    if config.latents:
        return {**transform_record(config.options), **model}
    return {**label_record(card, label_vector(card, config.conditioning)), **options_record(config.options), **model}


Sample = tuple[dict[str, Any], ImageArray]
"""Origin of an image for its record, and the image `[height, width, 3]`."""


def _seed_samples(generator: ImageGenerator, config: SampleConfig) -> Iterator[Sample]:
    labels: list[LabelVector | None] = [label_vector(generator.card, config.conditioning)] * len(config.seeds)
    for seed, image in zip(config.seeds, generate_images(generator, config.seeds, labels, config.options), strict=True):
        yield {"seed": seed}, image


def _latent_samples(generator: ImageGenerator, config: SampleConfig) -> Iterator[Sample]:
    """All files are read before the first image is generated."""
    latent_generator = require_latents(generator, "--latent")
    config.options.check_generator(generator)
    files = [read_latent(path, latent_generator) for path in config.latents]
    for path, (latent, record) in zip(config.latents, files, strict=True):
        (image,) = synthesise_images(latent_generator, latent, config.options.batch_size, config.options.transform)
        yield {"latent": path.name, "latent_record": record}, image


def _report_progress(samples: Iterator[Sample], total: int, progress: Progress) -> Iterator[Sample]:
    progress.start("generating images", total)
    for sample in samples:
        yield sample
        progress.advance()
