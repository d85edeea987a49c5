"""What the labels of a training dataset are and mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import LabelKind

NAMED_CLASSES = 12
"""Classes that the description names at most."""

SHOWN_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Places in the order of the densities that stand for continuous labels in sample images."""


@dataclass(frozen=True, kw_only=True)
class TrainingLabels:
    """The label of each image as a vector, and what it means; none for unconditional training."""

    vectors: npt.NDArray[np.float32]
    """`[num_images, label_dim]`; classes are one-hot."""
    kind: LabelKind | None = None
    """Whether a label is a class or the density itself; None without labels."""
    classes: tuple[str, ...] = ()
    """Names of the classes."""
    unit: str | None = None
    """Unit of the density that the labels stand for."""
    labelling: Mapping[str, Any] = field(default_factory=dict)
    """How the labels were measured."""

    @property
    def dim(self) -> int:
        """Length of a label."""
        return int(self.vectors.shape[1])

    def shown(self) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Names and vectors `[num_rows, label_dim]` of the labels that sample images show, one row each."""
        if self.kind == "class":
            return list(self.classes), np.eye(self.dim, dtype=np.float32)
        if self.kind is None:
            return [], self.vectors[:0]
        ranked = self.vectors[np.argsort(self.vectors[:, 0], kind="stable")]
        rows = ranked[[round(share * (len(ranked) - 1)) for share in SHOWN_QUANTILES]]
        return [f"{row[0]:.3g} {self.unit or ''}".strip() for row in rows], rows

    def describe(self) -> str:
        """What training is conditional on, in one line."""
        if self.kind is None:
            return "unconditional: the images have no labels, or --cond=false leaves them out"
        if self.kind == "value":
            low, middle, high = np.quantile(self.vectors[:, 0], [0, 0.5, 1])
            return f"conditional on the density, {low:.3g} to {high:.3g} {self.unit or ''}, median {middle:.3g}".strip()
        shares = self.vectors.mean(axis=0)
        named = [f"{name} {share:.0%}".replace("%", " %") for name, share in zip(self.classes, shares, strict=True)]
        more = f" and {len(named) - NAMED_CLASSES} more" if len(named) > NAMED_CLASSES else ""
        return f"conditional on {len(named)} classes: {', '.join(named[:NAMED_CLASSES])}{more}"

    def empty_classes(self) -> list[str]:
        """Classes without images, of which a model learns nothing."""
        present = (self.vectors != 0).any(axis=0).tolist()
        return [name for name, is_present in zip(self.classes, present, strict=False) if not is_present]


def labels_of(metadata: DatasetMetadata, where: str, *, conditional: bool | None) -> TrainingLabels:
    """The labels of a dataset.

    Args:
        metadata: of the dataset.
        where: its path, for messages.
        conditional: whether to use them; None for where there are some.

    Raises:
        ConfigError: labels are asked for, and there are none.
    """
    images = metadata.images
    kind = metadata.label_kind
    if conditional and kind is None:
        raise ConfigError(
            f"{where}: its images have no labels, so --cond=true cannot be; crowdgan label makes datasets with labels"
        )
    if conditional is False or kind is None:
        return TrainingLabels(vectors=np.zeros((len(images), 0), np.float32))
    facts = {"estimator": metadata.estimator, "options": dict(metadata.options), "region": metadata.region}
    labelling = {name: value for name, value in facts.items() if value}
    if kind == "value":
        vectors = np.array([record.label for record in images], np.float32)
        return TrainingLabels(vectors=vectors, kind="value", unit=metadata.unit, labelling=labelling)
    numbers = [record.label for record in images]
    vectors = np.eye(len(metadata.classes), dtype=np.float32)[np.array(numbers, int)]
    return TrainingLabels(
        vectors=vectors, kind="class", classes=metadata.classes, unit=metadata.unit, labelling=labelling
    )
