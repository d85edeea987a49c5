"""Densities of annotated images: their labels, or the densities from which classes were derived; their logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.utils.arrays import FloatArray, IndexArray

OFFSET_FRACTION = 0.1
"""Offset of the logarithm as a fraction of the median positive density.

Ours: with it an image without people has a finite logarithm, and the result does not depend on the unit of the density,
which log(1 + density) does.
"""

MAX_EXTRAPOLATION = 2.0
"""Largest measured density in multiples of the largest one of the images that predictors are fitted to.

Ours: a linear prediction of the logarithm can be far outside the densities that it was fitted to, and a single such
image would dominate the mean absolute error.
"""


def label_density(record: ImageRecord) -> float | None:
    """The density that a label requests or an image has; the class number from 1 if there are only classes."""
    if isinstance(record.label, tuple):
        return record.label[0] if len(record.label) == 1 else None
    if record.density is not None:
        return record.density
    return None if record.label is None else float(record.label + 1)


def record_densities(records: Sequence[ImageRecord]) -> FloatArray:
    """Density of each annotated image, `[num_images]`."""
    return np.array([label_density(record) for record in records], float)


def annotated_indices(metadata: DatasetMetadata) -> IndexArray:
    """Indices of the images with a known density; of all images if a dataset with classes has no densities."""
    records = metadata.images
    if metadata.label_kind == "class" and any(record.density is not None for record in records):
        known = [index for index, record in enumerate(records) if record.density is not None]
    else:
        known = [index for index, record in enumerate(records) if label_density(record) is not None]
    return np.array(known, np.intp)


@dataclass(frozen=True, kw_only=True)
class LogScale:
    """The logarithmic scale of densities that density predictors are fitted to."""

    offset: float
    """Predictors are fitted to log(density + offset)."""

    max_density: float
    """Largest density that is measured; higher predictions are set to it."""

    @classmethod
    def fit(cls, densities: FloatArray) -> LogScale:
        """The scale of densities `[num_images]`, of which at least one is positive."""
        return LogScale(
            offset=OFFSET_FRACTION * float(np.median(densities[densities > 0])),
            max_density=MAX_EXTRAPOLATION * float(densities.max()),
        )

    def log(self, densities: FloatArray) -> FloatArray:
        """Logarithms of densities plus the offset."""
        return np.asarray(np.log(densities + self.offset))

    def density(self, logs: FloatArray) -> FloatArray:
        """Densities of logarithms, from 0 to `max_density`."""
        max_log = np.log(self.max_density + self.offset)
        return np.asarray(np.maximum(np.exp(np.minimum(logs, max_log)) - self.offset, 0))
