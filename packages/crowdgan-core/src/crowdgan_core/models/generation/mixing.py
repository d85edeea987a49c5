"""Style mixing on disk: images that take some layers from one seed and the others from another seed.

Source: Karras et al., "A Style-Based Generator Architecture for GANs", 2019, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import atomic_writer, check_overwrite
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.captions import PAPER
from crowdgan_core.models.generation.conditioning import Conditioning, LabelVector, label_vector
from crowdgan_core.models.generation.generation import GenerationOptions, synthesise_images
from crowdgan_core.models.generation.parsing import parse_layers, parse_seeds
from crowdgan_core.models.generation.png_metadata import (
    encode_png_with_metadata,
    label_record,
    model_record,
    options_record,
)
from crowdgan_core.models.generation.samples import check_grid_size, tile_images
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator, require_latents
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

MIX_GRID_NAME = "mix.png"
"""File name of the grid of all images."""


@dataclass(frozen=True, kw_only=True)
class MixConfig:
    """Seeds and layers to mix, and where to write the images."""

    rows: tuple[int, ...] = flag("--rows", parse=parse_seeds, help="Seeds of the rows, e.g. 0-3 or 1,5,9-12.")
    """0 to 2^32 - 1, all different."""

    cols: tuple[int, ...] = flag("--cols", parse=parse_seeds, help="Seeds of the columns, e.g. 0-3 or 1,5,9-12.")
    """0 to 2^32 - 1, all different."""

    styles: tuple[int, ...] | None = flag(
        "--styles",
        default=None,
        parse=parse_layers,
        metavar="LAYERS",
        shown_default="coarse half",
        help="Layers taken from the column seed, from 0 (coarsest), e.g. 0-6 or 0,2,4-6.",
    )
    """The other layers are taken from the row seed; None for the coarse half, 0 to `num_layers // 2 - 1`."""

    outdir: Path = flag("--outdir", help="Output folder.")
    """Created if it does not exist."""

    overwrite: bool = flag("--overwrite", default=False, switch=True, help="Overwrite existing files.")

    model_name: str
    """Name of the model file, for the record in the images."""

    conditioning: Conditioning = field(default_factory=Conditioning)
    """Label of all images."""

    options: GenerationOptions = field(default_factory=GenerationOptions)
    """Without translation and rotation."""

    @property
    def paths(self) -> list[Path]:
        """Paths of all files: the grid, and one image per pair of seeds, row by row."""
        names = [pair_name(row, col) for row in self.rows for col in self.cols]
        return [self.outdir / name for name in (MIX_GRID_NAME, *names)]

    def check_destination(self) -> None:
        """Checks that the output files may be written.

        Raises:
            DatasetError: a file exists and `overwrite` is False.
        """
        for path in self.paths:
            check_overwrite(path, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that a model can generate these images.

        Raises:
            ConfigError: it has no such label, or the grid is too large.
        """
        label_vector(card, self.conditioning)
        check_grid_size(self.grid, card, "use fewer seeds")

    @property
    def grid(self) -> tuple[int, int]:
        """`(columns, rows)` of the grid, with the images of the seeds."""
        return len(self.cols) + 1, len(self.rows) + 1


def write_mixes(generator: ImageGenerator, config: MixConfig, progress: Progress | None = None) -> list[Path]:
    """Generates an image per pair of seeds, and a grid of all; returns the paths of the files, the grid first.

    The first row of the grid has the images of the column seeds, the first column those of the row seeds. After an
    error the finished files remain; no file is incomplete.

    Raises:
        ConfigError: the model cannot generate these images, or has no intermediate latents.
        DatasetError: a file exists already or cannot be written.
        PluginError: the generator violates its contract.
    """
    config.check_destination()
    config.check_model(generator.card)
    latent_generator = require_style_mixing(generator)
    config.options.check_generator(generator)
    layers = style_layers(config.styles, latent_generator)
    vector = label_vector(generator.card, config.conditioning)
    record = {
        "styles": list(layers),
        **label_record(generator.card, vector),
        **options_record(config.options),
        **model_record(generator.card, config.model_name),
    }
    progress = progress or NullProgress()
    progress.start("generating images", config.grid[0] * config.grid[1] - 1)
    grid_rows = _report_progress(
        mixing_grid(latent_generator, config.rows, config.cols, layers, vector, config.options), progress
    )
    with atomic_writer(config.outdir) as write:
        grid = [next(grid_rows)]
        for row, images in zip(config.rows, grid_rows, strict=True):
            for col, image in zip(config.cols, images[1:], strict=True):
                png = encode_png_with_metadata(image, {"row": row, "col": col, **record})
                write(pair_name(row, col), png, overwrite=config.overwrite)
            grid.append(images)
        grid_record = {"rows": list(config.rows), "cols": list(config.cols), **record}
        png = encode_png_with_metadata(tile_images(np.concatenate(grid), config.grid), grid_record)
        write(MIX_GRID_NAME, png, overwrite=config.overwrite)
    return config.paths


def require_style_mixing(generator: ImageGenerator) -> LatentGenerator:
    """The same generator, if it supports style mixing.

    Raises:
        ConfigError: its backend does not support intermediate latents.
    """
    return require_latents(generator, "style mixing")


def style_layers(styles: Sequence[int] | None, generator: LatentGenerator) -> tuple[int, ...]:
    """Layers that are taken from the column seeds; None for the coarse half of the generator's layers.

    Raises:
        ConfigError: the generator has no such layer.
    """
    num_layers, _ = generator.latent_shape
    if styles is None:
        return tuple(range(num_layers // 2))
    for layer in styles:
        if not 0 <= layer < num_layers:
            raise ConfigError(f"styles: layer {layer} does not exist; the model has the layers 0 to {num_layers - 1}")
    return tuple(styles)


def mixing_grid(
    generator: LatentGenerator,
    rows: Sequence[int],
    cols: Sequence[int],
    layers: Sequence[int],
    vector: LabelVector | None,
    options: GenerationOptions,
) -> Iterator[ImageArray]:
    """The rows of a grid of images, `num_rows + 1` arrays `[num_cols + 1, height, width, 3]`.

    The first one has the images of the column seeds after a blank image, each other one the image of its row seed and
    the mixed images.

    Args:
        generator: a generator with intermediate latents.
        rows: seeds of the rows.
        cols: seeds of the columns.
        layers: layers taken from the column seeds; the others are taken from the row seeds.
        vector: label of all images.
        options: truncation and batch size.
    """
    row_latents, col_latents = (seed_latents(generator, seeds, vector, options) for seeds in (rows, cols))
    blank = np.full((1, *generator.card.resolution, 3), PAPER, np.uint8)
    yield np.concatenate([blank, synthesise_images(generator, col_latents, options.batch_size)])
    for latents in row_latents:
        mixed = np.repeat(latents[None], len(cols) + 1, axis=0)
        mixed[1:, list(layers)] = col_latents[:, list(layers)]
        yield synthesise_images(generator, mixed, options.batch_size)


def pair_name(row: int, col: int) -> str:
    """File name of the image of a row seed and a column seed."""
    return f"mix-{row:04d}-{col:04d}.png"


def seed_latents(
    generator: LatentGenerator, seeds: Sequence[int], vector: LabelVector | None, options: GenerationOptions
) -> LatentArray:
    """Intermediate latents of seeds with one label and the truncation of the options."""
    labels = None if vector is None else np.tile(np.array(vector, np.float32), (len(seeds), 1))
    return generator.map_seeds(list(seeds), labels, **options.truncation)


def _report_progress(grid_rows: Iterator[ImageArray], progress: Progress) -> Iterator[ImageArray]:
    """The rows of the grid; the blank image is not counted."""
    num_blank = 1
    for images in grid_rows:
        for _ in images[num_blank:]:
            progress.advance()
        num_blank = 0
        yield images
