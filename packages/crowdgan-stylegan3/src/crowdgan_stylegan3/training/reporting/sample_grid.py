"""Sample grids: images of the dataset or of the generator, one row per class or label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.models.generation.png_metadata import encode_png_with_metadata
from crowdgan_core.models.generation.samples import tile_images
from crowdgan_core.utils.arrays import ImageArray, LabelArray
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.training.data.labels import TrainingLabels

GRID_WIDTH_PX = 2048
"""Approximate width of a grid."""

MIN_COLUMNS, MAX_COLUMNS = 8, 16
"""Limits of the number of columns."""

UNCONDITIONAL_ROWS = 4
"""Rows of a grid without labels."""

MAX_ROWS = 32
"""Maximum number of rows; further classes are not shown."""

GENERATION_BATCH_SIZE = 16
"""Images generated at a time."""

EMPTY_CELL_LEVEL = 128
"""Grey level of cells without an image."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SampleGrid:
    """Layout of the sample grids of a run. All generated images of a column have the same seed."""

    rows: tuple[str, ...]
    """Names of the rows; empty without labels."""
    labels: LabelArray
    """Label vector of each row, `[num_rows, label_dim]`."""
    columns: int
    """Number of columns."""

    def __repr__(self) -> str:
        """One line, without the labels."""
        rows, columns = self.shape
        return f"SampleGrid({rows} rows, {columns} columns)"

    @classmethod
    def for_labels(cls, labels: TrainingLabels, resolution: int) -> SampleGrid:
        """The grid for a dataset.

        Args:
            labels: labels of the dataset.
            resolution: side of its images in pixels.
        """
        names, vectors = labels.sample_rows()
        columns = int(np.clip(GRID_WIDTH_PX // resolution, MIN_COLUMNS, MAX_COLUMNS))
        return cls(rows=tuple(names[:MAX_ROWS]), labels=vectors[:MAX_ROWS], columns=columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows) or UNCONDITIONAL_ROWS, self.columns

    def read_images(self, reader: DatasetReader, labels: TrainingLabels) -> list[ImageArray]:
        """Images of the dataset, one stack `[num_images, H, W, 3]` per row, of at most `columns` images."""
        rows, columns = self.shape
        if not self.rows:
            indices = evenly_spaced(range(len(reader)), rows * columns)
            return [_read_stack(reader, indices[row * columns : (row + 1) * columns]) for row in range(rows)]
        return [_read_stack(reader, _indices_with_label(labels, label, columns)) for label in self.labels]

    def generate_images(self, generator: StyleGanImageGenerator) -> list[ImageArray]:
        """Generated images, one stack `[columns, H, W, 3]` per row; equal to `crowdgan generate` with these seeds."""
        rows, columns = self.shape
        seeds = list(range(columns)) * rows if self.rows else list(range(rows * columns))
        labels = self.labels.repeat(columns, axis=0) if self.rows else None
        batches = []
        for start in range(0, len(seeds), GENERATION_BATCH_SIZE):
            part = slice(start, start + GENERATION_BATCH_SIZE)
            batches.append(generator.generate(seeds[part], None if labels is None else labels[part]))
        return np.split(np.concatenate(batches), rows)

    def encode(self, stacks: Sequence[ImageArray]) -> bytes:
        """A PNG file of the stacks, one per row."""
        rows, columns = self.shape
        shape = next(stack.shape[1:] for stack in stacks if len(stack))
        cells = np.full((rows, columns, *shape), EMPTY_CELL_LEVEL, np.uint8)
        for row, stack in zip(cells, stacks, strict=True):
            row[: len(stack)] = stack
        image = tile_images(cells.reshape(-1, *shape), (columns, rows))
        return encode_png_with_metadata(image, {"rows": list(self.rows)})


def _indices_with_label(labels: TrainingLabels, label: LabelArray, count: int) -> list[int]:
    """Indices of at most `count` images: of a class, evenly spaced over the dataset; or with the nearest labels."""
    distances = np.abs(labels.vectors - label).sum(axis=1)
    if labels.kind == "class":
        return evenly_spaced(np.flatnonzero(distances == 0).tolist(), count)
    return [int(index) for index in np.argsort(distances, kind="stable")[:count]]


def _read_stack(reader: DatasetReader, indices: Sequence[int]) -> ImageArray:
    """Images `[num_indices, H, W, 3]` of the dataset."""
    if not indices:
        return np.zeros((0, *reader.image(0).shape), np.uint8)
    return np.stack([reader.image(index) for index in indices])
