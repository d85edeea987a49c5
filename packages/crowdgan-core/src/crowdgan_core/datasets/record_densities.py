"""Densities of annotated images: their labels, or the densities from which classes were derived."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.utils.arrays import FloatArray, IndexArray

OFFSET_FRACTION = 0.1
"""Offset of the logarithm as a fraction of the median positive density.

Ours: with it an image without people has a finite logarithm, and the result does not depend on the unit of the density,
which log(1 + density) does.
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


def log_offset(densities: FloatArray) -> float:
    """Offset of the logarithm log(density + offset), to which density predictors are fitted."""
    return OFFSET_FRACTION * float(np.median(densities[densities > 0]))
