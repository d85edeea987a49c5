"""Label vectors of a dataset, as generators receive them."""

from __future__ import annotations

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.utils.arrays import LabelArray


def label_vectors(metadata: DatasetMetadata) -> LabelArray:
    """Label vectors `[num_images, label_dim]`: one-hot for classes; of length 0 for a dataset without labels."""
    if metadata.label_kind is None:
        return np.zeros((len(metadata.images), 0), np.float32)
    labels = [record.label for record in metadata.images]
    if metadata.label_kind == "value":
        return np.array(labels, np.float32)
    one_hot: LabelArray = np.eye(len(metadata.classes), dtype=np.float32)[np.array(labels, int)]
    return one_hot
