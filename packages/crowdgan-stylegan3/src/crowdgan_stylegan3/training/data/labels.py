"""Label vectors of a training dataset, their meaning, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crowdgan_core.datasets.label_vectors import label_vectors
from crowdgan_core.datasets.metadata import DatasetMetadata
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import LabelKind
from crowdgan_core.utils.arrays import IndexArray, LabelArray
from crowdgan_core.utils.formatting import join_limited
from crowdgan_stylegan3.config import LabelEncoding

MAX_LISTED_CLASSES = 12
"""Maximum number of classes in the description."""

SAMPLE_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
"""Quantiles of continuous labels that sample grids show, one row each."""

LOG_RATIO = 10
"""Ratio of the largest to the smallest label above which a logarithmic scale is used."""

WEIGHT_DECIMALS = 6
"""Decimals to which weights of a principal direction are compared: equal ones differ by rounding errors."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingLabels:
    """Label vectors of all images and their meaning; vectors of length 0 for unconditional training."""

    vectors: LabelArray
    """`[num_images, label_dim]`; one-hot for classes."""
    kind: LabelKind | None = None
    """`class` or `value` (the density itself, or a vector of numbers); None without labels."""
    classes: tuple[str, ...] = ()
    """Class names."""
    unit: str | None = None
    """Unit of the density from which the labels were computed."""
    labelling: Mapping[str, Any] = field(default_factory=dict)
    """Estimator, options and region with which the labels were computed."""
    transform: str | None = None
    """Crop and size of the images, as the dataset states them; None if unknown."""

    def __repr__(self) -> str:
        """One line, without the vectors."""
        return f"TrainingLabels({len(self.vectors)} images, kind {self.kind}, label_dim {self.dim})"

    @property
    def dim(self) -> int:
        """Length of a label vector."""
        return int(self.vectors.shape[1])

    def encoding(self) -> LabelEncoding | None:
        """Encoding of continuous labels for the networks; None for other labels.

        Numbers that are positive and vary by more than `LOG_RATIO` are standardised on a logarithmic scale.
        """
        if self.kind != "value" or not len(self.vectors):
            return None
        values = self.vectors.astype(float)
        low, high = values.min(axis=0), values.max(axis=0)
        is_log = (low > 0) & (high > LOG_RATIO * low)
        values = np.where(is_log, np.log(np.where(is_log, values, 1)), values)
        std = values.std(axis=0)
        return LabelEncoding(
            mean=tuple(values.mean(axis=0).tolist()),
            std=tuple(np.where(std > 0, std, 1).tolist()),
            is_log=tuple(is_log.tolist()),
        )

    def density_range(self) -> tuple[float, float] | None:
        """Lowest and highest density; None for other labels than continuous ones of one number."""
        if self.kind != "value" or self.dim != 1 or not len(self.vectors):
            return None
        return float(self.vectors.min()), float(self.vectors.max())

    def sample_rows(self) -> tuple[list[str], LabelArray]:
        """Names and label vectors `[num_rows, label_dim]` of the rows of a sample grid; no rows without labels.

        Continuous labels have one row for each of `SAMPLE_QUANTILES`. Vectors are ordered along the direction of
        their largest variation (see `ascending_order`), and rows are vectors of the dataset.
        """
        if self.kind == "class":
            return list(self.classes), np.eye(self.dim, dtype=np.float32)
        if self.kind is None:
            return [], self.vectors[:0]
        ascending = self.vectors[ascending_order(self.vectors)]
        rows = ascending[[round(quantile * (len(ascending) - 1)) for quantile in SAMPLE_QUANTILES]]
        names = [", ".join(f"{number:.3g}" for number in row.tolist()) for row in rows]
        return [f"{name} {self.unit or ''}".strip() for name in names], rows

    def describe(self) -> str:
        """The conditioning of training, in one line."""
        if self.kind is None:
            return "unconditional: the dataset has no labels, or --cond=false"
        if self.kind == "value" and self.dim > 1:
            limits = zip(self.vectors.min(axis=0).tolist(), self.vectors.max(axis=0).tolist(), strict=True)
            ranges = [f"{low:.3g} to {high:.3g}" for low, high in limits]
            return f"conditional on vectors of {self.dim} numbers: {join_limited(ranges, MAX_LISTED_CLASSES)}"
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


def ascending_order(vectors: LabelArray) -> IndexArray:
    """Indices of label vectors in ascending order, `[num_images]`.

    Single numbers are sorted. Vectors are sorted by their projection on the first principal direction of their
    standardised components, with the sign for which the component with the largest weight increases.

    Args:
        vectors: `[num_images, label_dim]`, num_images and label_dim at least 1.
    """
    centred = vectors.astype(float) - vectors.mean(axis=0, dtype=float)
    spread = centred.std(axis=0)
    standardised = centred / np.where(spread > 0, spread, 1)
    direction = np.linalg.eigh(standardised.T @ standardised)[1][:, -1]
    largest = direction[np.argmax(np.abs(direction).round(WEIGHT_DECIMALS))]
    return np.argsort(standardised @ (direction * np.sign(largest)), kind="stable")


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
        return TrainingLabels(vectors=np.zeros((len(records), 0), np.float32), transform=metadata.transform)
    values = {"estimator": metadata.estimator, "options": dict(metadata.options), "region": metadata.region}
    labelling = {name: value for name, value in values.items() if value}
    classes = metadata.classes if kind == "class" else ()
    return TrainingLabels(
        vectors=label_vectors(metadata),
        kind=kind,
        classes=classes,
        unit=metadata.unit,
        labelling=labelling,
        transform=metadata.transform,
    )
