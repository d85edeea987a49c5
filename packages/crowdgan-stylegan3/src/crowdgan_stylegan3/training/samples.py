"""Grids of sample pictures: one row per class, or per step of a continuous label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.dataset import DatasetReader, Pixels
from crowdgan_core.generation.record import encode_png
from crowdgan_core.generation.samples import arranged
from crowdgan_core.spreading import evenly_spread
from crowdgan_stylegan3.generate import Labels, SeededGenerator
from crowdgan_stylegan3.training.labels import TrainingLabels

SHEET_PX = 2048
"""About how wide a grid is."""

COLUMNS = (8, 16)
"""Fewest and most columns."""

PLAIN_ROWS = 4
"""Rows of a grid without labels."""

MAX_ROWS = 32
"""Most rows: of more classes the first are shown."""

AT_ONCE = 16
"""Pictures that are generated at once."""

EMPTY = 128
"""Grey level where a class has no further picture."""


@dataclass(frozen=True, kw_only=True)
class SampleGrid:
    """What the grids of a run show; a column of generated pictures has one seed, so it is one place in all classes."""

    rows: tuple[str, ...]
    """Names of the rows; none without labels."""
    labels: Labels
    """`[num_rows, label_dim]`."""
    columns: int

    @classmethod
    def of(cls, labels: TrainingLabels, resolution: int) -> SampleGrid:
        """The grid for labels, of pictures of a side in pixels."""
        names, vectors = labels.shown()
        columns = int(np.clip(SHEET_PX // resolution, *COLUMNS))
        return cls(rows=tuple(names[:MAX_ROWS]), labels=vectors[:MAX_ROWS], columns=columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows) or PLAIN_ROWS, self.columns

    def real(self, reader: DatasetReader, labels: TrainingLabels) -> list[Pixels]:
        """Pictures of the dataset `[num_pictures, H, W, 3]`, a stack per row; fewer where a class has fewer."""
        rows, columns = self.shape
        if not self.rows:
            every = evenly_spread(range(len(reader)), rows * columns)
            return [_stack(reader, every[row * columns : (row + 1) * columns]) for row in range(rows)]
        return [_stack(reader, _with_label(labels, label, columns)) for label in self.labels]

    def fake(self, generator: SeededGenerator) -> list[Pixels]:
        """Generated pictures `[columns, H, W, 3]`, a stack per row: those of `crowdgan generate` for the same seeds."""
        rows, columns = self.shape
        seeds = list(range(columns)) * rows if self.rows else list(range(rows * columns))
        labels = self.labels.repeat(columns, axis=0) if self.rows else None
        parts = [
            generator.generate(seeds[at : at + AT_ONCE], None if labels is None else labels[at : at + AT_ONCE])
            for at in range(0, len(seeds), AT_ONCE)
        ]
        return np.split(np.concatenate(parts), rows)

    def encode(self, stacks: Sequence[Pixels]) -> bytes:
        """The rows as one PNG file."""
        rows, columns = self.shape
        size = next(stack.shape[1:] for stack in stacks if len(stack))
        sheet = np.full((rows, columns, *size), EMPTY, np.uint8)
        for row, stack in zip(sheet, stacks, strict=True):
            row[: len(stack)] = stack
        return encode_png(arranged(sheet.reshape(-1, *size), (columns, rows)), {"rows": list(self.rows)})


def _with_label(labels: TrainingLabels, label: Labels, count: int) -> list[int]:
    """Numbers of at most `count` pictures of a class, spread over the dataset; or of those with the nearest label."""
    distances = np.abs(labels.vectors - label).sum(axis=1)
    if labels.kind == "class":
        return evenly_spread(np.flatnonzero(distances == 0).tolist(), count)
    return [int(number) for number in np.argsort(distances, kind="stable")[:count]]


def _stack(reader: DatasetReader, numbers: Sequence[int]) -> Pixels:
    if not numbers:
        return np.zeros((0, *reader.image(0).shape), np.uint8)
    return np.stack([reader.image(number) for number in numbers])
