"""Label vectors of a training dataset, their meaning, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import LabelKind
from crowdgan_core.utils.arrays import LabelArray
from crowdgan_core.utils.formatting import join_limited

MAX_LISTED_CLASSES = 12
"""Maximum number of classes in the description."""

SAMPLE_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Quantiles of continuous labels that sample grids show, one row each."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingLabels:
    """Label vectors of all images and their meaning; vectors of length 0 for unconditional training."""

    vectors: LabelArray
    """`[num_images, label_dim]`; one-hot for classes."""
    kind: LabelKind | None = None
    """`class` or `value` (the density itself); None without labels."""
    classes: tuple[str, ...] = ()
    """Class names."""
    unit: str | None = None
    """Unit of the density from which the labels were computed."""
    labelling: Mapping[str, Any] = field(default_factory=dict)
    """Estimator, options and region with which the labels were computed."""

    def __repr__(self) -> str:
        """One line, without the vectors."""
        return f"TrainingLabels({len(self.vectors)} images, kind {self.kind}, label_dim {self.dim})"

    @property
    def dim(self) -> int:
        """Length of a label vector."""
        return int(self.vectors.shape[1])

    def sample_rows(self) -> tuple[list[str], LabelArray]:
        """Names and label vectors `[num_rows, label_dim]` of the rows of a sample grid; no rows without labels."""
        if self.kind == "class":
            return list(self.classes), np.eye(self.dim, dtype=np.float32)
        if self.kind is None:
            return [], self.vectors[:0]
        ascending = self.vectors[np.argsort(self.vectors[:, 0], kind="stable")]
        rows = ascending[[round(quantile * (len(ascending) - 1)) for quantile in SAMPLE_QUANTILES]]
        return [f"{row[0]:.3g} {self.unit or ''}".strip() for row in rows], rows

    def describe(self) -> str:
        """The conditioning of training, in one line."""
        if self.kind is None:
            return "unconditional: the dataset has no labels, or --cond=false"
        if self.kind == "value":
            low, median, high = np.quantile(self.vectors[:, 0], [0, 0.5, 1])
            return f"conditional on the density, {low:.3g} to {high:.3g} {self.unit or ''}, median {median:.3g}".strip()
        fractions = self.vectors.mean(axis=0)
        classes = [
            f"{name} {fraction:.0%}".replace("%", " %") for name, fraction in zip(self.classes, fractions, strict=True)
        ]
        return f"conditional on {len(classes)} classes: {join_limited(classes, MAX_LISTED_CLASSES)}"

    def empty_classes(self) -> list[str]:
        """Names of classes without images; a model cannot learn them."""
        has_images = (self.vectors != 0).any(axis=0).tolist()
        return [name for name, is_present in zip(self.classes, has_images, strict=False) if not is_present]


def training_labels(metadata: DatasetMetadata, dataset: str, *, conditional: bool | None) -> TrainingLabels:
    """Training labels from the metadata of a dataset.

    Args:
        metadata: metadata of the dataset.
        dataset: path of the dataset, for error messages.
        conditional: whether to use the labels; None uses them if there are any.

    Raises:
        ConfigError: `conditional` is True and the dataset has no labels.
    """
    records = metadata.images
    kind = metadata.label_kind
    if conditional and kind is None:
        raise ConfigError(
            f"{dataset}: the dataset has no labels, which --cond=true requires; "
            "create a labelled dataset with crowdgan label, or set --cond=false"
        )
    if conditional is False or kind is None:
        return TrainingLabels(vectors=np.zeros((len(records), 0), np.float32))
    values = {"estimator": metadata.estimator, "options": dict(metadata.options), "region": metadata.region}
    labelling = {name: value for name, value in values.items() if value}
    labels = [record.label for record in records]
    if kind == "value":
        vectors = np.array(labels, np.float32)
        return TrainingLabels(vectors=vectors, kind="value", unit=metadata.unit, labelling=labelling)
    vectors = np.eye(len(metadata.classes), dtype=np.float32)[np.array(labels, int)]
    return TrainingLabels(
        vectors=vectors, kind="class", classes=metadata.classes, unit=metadata.unit, labelling=labelling
    )
