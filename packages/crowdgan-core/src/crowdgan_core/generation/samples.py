"""`crowdgan generate`: a picture per seed, or one of them all in a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.atomic import files_into, refuse_existing
from crowdgan_core.backend import ImageGenerator
from crowdgan_core.dataset import Pixels
from crowdgan_core.errors import ConfigError
from crowdgan_core.generation.batches import Rendering, generated
from crowdgan_core.generation.labels import LabelRequest, LabelVector, described, label_vector
from crowdgan_core.generation.numbers import check_grid
from crowdgan_core.generation.record import encode_png, model_record, rendering_record
from crowdgan_core.model_card import ModelCard
from crowdgan_core.pictures import MAX_PIXELS
from crowdgan_core.progress import NoProgress, Progress

GRID_NAME = "grid.png"


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """What `crowdgan generate` makes.

    Raises:
        ConfigError: the grid has another number of cells than there are seeds.
    """

    outdir: Path
    """Folder for the pictures; made if it is missing."""

    seeds: tuple[int, ...]
    """One per picture, 0 to 2^32 - 1, all different."""

    model_name: str
    """Name of the model file, for the record in the pictures."""

    request: LabelRequest = field(default_factory=LabelRequest)
    """Label of all pictures."""

    rendering: Rendering = field(default_factory=Rendering)
    """How they are made."""

    grid: tuple[int, int] | None = None
    """`(columns, rows)` of one picture of them all, row by row; None for a file per seed."""

    overwrite: bool = False
    """Whether existing files are replaced."""

    def __post_init__(self) -> None:
        if self.grid is not None:
            check_grid(self.grid, len(self.seeds))

    @property
    def names(self) -> list[str]:
        """Names of the files to write."""
        return [picture_name(seed) for seed in self.seeds] if self.grid is None else [GRID_NAME]

    def check_destination(self) -> None:
        """Checks that the files may be written.

        Raises:
            DatasetError: one of them exists and is not to be replaced.
        """
        for name in self.names:
            refuse_existing(self.outdir / name, overwrite=self.overwrite)

    def check_model(self, card: ModelCard) -> None:
        """Checks that the model can give these pictures.

        Raises:
            ConfigError: it has no such label, or the grid would be too large.
        """
        label_vector(card, self.request)
        if self.grid is not None:
            (columns, rows), (height, width) = self.grid, card.resolution
            if columns * width * rows * height > MAX_PIXELS:
                size = f"{columns * width}x{rows * height} px"
                raise ConfigError(f"grid {columns}x{rows}: {size} is too large a picture; use fewer seeds, or no grid")


def make_samples(generator: ImageGenerator, settings: SampleSettings, progress: Progress | None = None) -> list[Path]:
    """Makes the pictures and writes them, each when it is ready; returns their files.

    What was written stays where a later picture fails; no file is ever half-written.

    Raises:
        ConfigError: the model cannot give these pictures.
        DatasetError: a file exists already, or cannot be written.
        PluginError: the generator breaks its contract.
    """
    settings.check_destination()
    settings.check_model(generator.card)
    pictures = _reported(_pictures(generator, settings), len(settings.seeds), progress or NoProgress())
    with files_into(settings.outdir) as write:
        if settings.grid is not None:
            record = {"seeds": list(settings.seeds), "grid": list(settings.grid), **_record(generator.card, settings)}
            sheet = arranged(np.stack(list(pictures)), settings.grid)
            write(GRID_NAME, encode_png(sheet, record), overwrite=settings.overwrite)
        else:
            for seed, picture in zip(settings.seeds, pictures, strict=True):
                data = encode_png(picture, {"seed": seed, **_record(generator.card, settings)})
                write(picture_name(seed), data, overwrite=settings.overwrite)
    return [settings.outdir / name for name in settings.names]


def picture_name(seed: int) -> str:
    """Name of the file of a seed, as the official tool has it."""
    return f"seed{seed:04d}.png"


def arranged(pictures: Pixels, grid: tuple[int, int]) -> Pixels:
    """Pictures `[columns * rows, height, width, 3]`, row by row, as one `[rows * height, columns * width, 3]`."""
    columns, rows = grid
    _, height, width, channels = pictures.shape
    cells = pictures.reshape(rows, columns, height, width, channels)
    return cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def _record(card: ModelCard, settings: SampleSettings) -> dict[str, Any]:
    vector = label_vector(card, settings.request)
    label = {} if vector is None else {"label": list(vector), "density": described(card, vector)}
    return {**label, **rendering_record(settings.rendering), **model_record(card, settings.model_name)}


def _pictures(generator: ImageGenerator, settings: SampleSettings) -> Iterator[Pixels]:
    labels: list[LabelVector | None] = [label_vector(generator.card, settings.request)] * len(settings.seeds)
    return generated(generator, settings.seeds, labels, settings.rendering)


def _reported(pictures: Iterator[Pixels], total: int, progress: Progress) -> Iterator[Pixels]:
    progress.start("generating pictures", total)
    for picture in pictures:
        yield picture
        progress.advance()
