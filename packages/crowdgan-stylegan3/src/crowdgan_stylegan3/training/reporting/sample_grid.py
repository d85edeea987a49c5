"""Grids of sample images: one row per class, or per step of a continuous label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_stylegan3.inference.image_generator import Labels, StyleGanImageGenerator
from crowdgan_stylegan3.training.data.labels import TrainingLabels

SHEET_PX = 2048
"""About how wide a grid is."""

COLUMNS = (8, 16)
"""Fewest and most columns."""

PLAIN_ROWS = 4
"""Rows of a grid without labels."""

MAX_ROWS = 32
"""Most rows: of more classes the first are shown."""

AT_ONCE = 16
"""Images that are generated at once."""

EMPTY = 128
"""Grey level where a class has no further image."""


@dataclass(frozen=True, kw_only=True)
class SampleGrid:
    """What the grids of a run show; a column of generated images has one seed, so it is one place in all classes."""

    rows: tuple[str, ...]
    """Names of the rows; none without labels."""
    labels: Labels
    """`[num_rows, label_dim]`."""
    columns: int

    @classmethod
    def of(cls, labels: TrainingLabels, resolution: int) -> SampleGrid:
        """The grid for labels, of images of a side in pixels."""
        names, vectors = labels.shown()
        columns = int(np.clip(SHEET_PX // resolution, *COLUMNS))
        return cls(rows=tuple(names[:MAX_ROWS]), labels=vectors[:MAX_ROWS], columns=columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows) or PLAIN_ROWS, self.columns

    def real(self, reader: DatasetReader, labels: TrainingLabels) -> list[ImageArray]:
        """Images of the dataset `[num_images, H, W, 3]`, a stack per row; fewer where a class has fewer."""
        rows, columns = self.shape
        if not self.rows:
            every = evenly_spaced(range(len(reader)), rows * columns)
            return [_stack(reader, every[row * columns : (row + 1) * columns]) for row in range(rows)]
        return [_stack(reader, _with_label(labels, label, columns)) for label in self.labels]

    def fake(self, generator: StyleGanImageGenerator) -> list[ImageArray]:
        """Generated images `[columns, H, W, 3]`, a stack per row: those of `crowdgan generate` for the same seeds."""
        rows, columns = self.shape
        seeds = list(range(columns)) * rows if self.rows else list(range(rows * columns))
        labels = self.labels.repeat(columns, axis=0) if self.rows else None
        parts = [
            generator.generate(seeds[at : at + AT_ONCE], None if labels is None else labels[at : at + AT_ONCE])
            for at in range(0, len(seeds), AT_ONCE)
        ]
        return np.split(np.concatenate(parts), rows)

    def encode(self, stacks: Sequence[ImageArray]) -> bytes:
        """The rows as one PNG file."""
        rows, columns = self.shape
        size = next(stack.shape[1:] for stack in stacks if len(stack))
        sheet = np.full((rows, columns, *size), EMPTY, np.uint8)
        for row, stack in zip(sheet, stacks, strict=True):
            row[: len(stack)] = stack
        return encode_png_with_metadata(
            tile_images(sheet.reshape(-1, *size), (columns, rows)), {"rows": list(self.rows)}
        )


def _with_label(labels: TrainingLabels, label: Labels, count: int) -> list[int]:
    """Numbers of at most `count` images of a class, spread over the dataset; or of those with the nearest label."""
    distances = np.abs(labels.vectors - label).sum(axis=1)
    if labels.kind == "class":
        return evenly_spaced(np.flatnonzero(distances == 0).tolist(), count)
    return [int(number) for number in np.argsort(distances, kind="stable")[:count]]


def _stack(reader: DatasetReader, numbers: Sequence[int]) -> ImageArray:
    if not numbers:
        return np.zeros((0, *reader.image(0).shape), np.uint8)
    return np.stack([reader.image(number) for number in numbers])
