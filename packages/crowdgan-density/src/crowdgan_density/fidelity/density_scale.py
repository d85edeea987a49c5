"""Densities, their classes and their logarithms, which the predictors are fitted to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.record_densities import LogScale, annotated_indices, record_densities
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.errors import DatasetError
from crowdgan_core.utils.arrays import FloatArray, IndexArray
from crowdgan_density.fidelity.split import quantile_bounds

NUM_WINDOWS = 4
"""Windows of densities of a dataset with continuous labels, with equal numbers of images."""

NUM_REQUESTED = 8
"""Densities that are requested from a model with continuous labels: evenly spaced quantiles of the dataset."""

CLASS_UNIT = "classes"
"""Unit of the densities of a dataset that has classes but no densities: the class number from 1."""


@dataclass(frozen=True, kw_only=True)
class DensityScale(LogScale):
    """The logarithmic scale of densities, and their classes."""

    label_kind: Literal["class", "value"]
    """Whether requests are classes or densities."""

    unit: str
    """Unit of the densities."""

    classes: tuple[str, ...]
    """Names of the classes; windows of densities for continuous labels."""

    bounds: ClassBounds
    """Densities at which the class changes."""

    centres: tuple[float, ...]
    """Median of log(density + offset) of each class, increasing."""

    requests: tuple[float, ...]
    """Densities to request: one per class, or evenly spaced quantiles for continuous labels."""

    def class_indices(self, densities: FloatArray) -> IndexArray:
        """Class of each density."""
        return np.array([self.bounds.class_index(float(density)) for density in densities], np.intp)

    def record_classes(self, records: Sequence[ImageRecord]) -> IndexArray:
        """Class of each annotated image: its class label, or the class of its density."""
        if self.label_kind == "class":
            return np.array([record.label for record in records], np.intp)
        return self.class_indices(record_densities(records))

    def class_position(self, logs: FloatArray) -> FloatArray:
        """Continuous class index of logarithms: linear between the centres of the classes and beyond them."""
        if len(self.centres) == 1:
            return np.zeros(len(logs))
        centres = np.array(self.centres)
        segment = np.clip(np.searchsorted(centres, logs) - 1, 0, len(centres) - 2)
        return np.asarray(segment + (logs - centres[segment]) / (centres[segment + 1] - centres[segment]))

    def labels(self, densities: FloatArray) -> FloatArray:
        """Densities in label units: the class index, or the density."""
        return densities if self.label_kind == "value" else self.class_indices(densities).astype(float)


def check_annotated(metadata: DatasetMetadata, where: str) -> None:
    """Checks that a dataset has labels from which densities can be requested.

    Raises:
        DatasetError: no labels, labels that are vectors, a negative density, or a single density.
    """
    if metadata.label_kind is None:
        raise DatasetError(f"{where}: no labels; add them with `crowdgan label`")
    records = [metadata.images[index] for index in annotated_indices(metadata)]
    if metadata.label_kind == "value" and len(records) < len(metadata.images):
        raise DatasetError(f"{where}: labels are vectors; density fidelity needs classes, or one density per image")
    densities = record_densities(records)
    if len(densities) and densities.min() < 0:
        raise DatasetError(f"{where}: the lowest density is {densities.min():g}; densities must be at least 0")
    if len(np.unique(densities)) < 2:
        raise DatasetError(f"{where}: all {len(densities)} annotated images have the same density")


def fit_scale(metadata: DatasetMetadata, records: Sequence[ImageRecord]) -> DensityScale:
    """The scale of a dataset, from its class boundaries, or fitted to annotated images.

    Args:
        metadata: metadata of the dataset, checked by `check_annotated`.
        records: annotated images to fit to, the training part, with at least two different densities.
    """
    assert metadata.label_kind is not None
    densities = record_densities(records)
    bounds = _bounds(metadata, records, densities)
    classes = metadata.classes or _window_names(bounds.values)
    scale = LogScale.fit(densities)
    centres = _centres(scale.log(densities), bounds, densities)
    requests = np.exp(centres) - scale.offset
    if metadata.label_kind == "value":
        requests = np.unique(np.quantile(densities, (np.arange(NUM_REQUESTED) + 0.5) / NUM_REQUESTED))
    return DensityScale(
        label_kind=metadata.label_kind,
        unit=_unit(metadata),
        classes=classes,
        bounds=bounds,
        offset=scale.offset,
        centres=centres,
        requests=tuple(requests.tolist()),
        max_density=scale.max_density,
    )


def fit_thresholds(densities: FloatArray, classes: IndexArray, num_classes: int) -> tuple[float, ...]:
    """Densities that separate classes with the fewest errors, `num_classes - 1` increasing numbers.

    Each threshold is the middle between two neighbouring densities; among equally good ones the middle one is taken.

    Args:
        densities: `[num_images]`, with at least two different values.
        classes: `[num_images]`, class indices.
        num_classes: number of classes.
    """
    values = np.unique(densities)
    middles = (values[:-1] + values[1:]) / 2
    thresholds: list[float] = []
    for boundary in range(1, num_classes):
        errors = np.array([np.count_nonzero((densities > middle) != (classes >= boundary)) for middle in middles])
        best = np.flatnonzero(errors == errors.min())
        threshold = float(middles[best[len(best) // 2]])
        thresholds.append(max(threshold, np.nextafter(thresholds[-1], np.inf)) if thresholds else threshold)
    return tuple(thresholds)


def _bounds(metadata: DatasetMetadata, records: Sequence[ImageRecord], densities: FloatArray) -> ClassBounds:
    if metadata.label_kind == "value":
        return ClassBounds(values=tuple(quantile_bounds(densities, NUM_WINDOWS).tolist()))
    if metadata.class_bounds is not None and all(record.density is not None for record in records):
        return metadata.class_bounds
    labels = np.array([record.label for record in records], np.intp)
    return ClassBounds(values=fit_thresholds(densities, labels, len(metadata.classes)))


def _unit(metadata: DatasetMetadata) -> str:
    if metadata.unit is not None:
        return metadata.unit
    return CLASS_UNIT if metadata.label_kind == "class" else "label"


def _window_names(bounds: Sequence[float]) -> tuple[str, ...]:
    if not bounds:
        return ("all",)
    inner = [f"{low:.3g} to {high:.3g}" for low, high in itertools.pairwise(bounds)]
    return (f"below {bounds[0]:.3g}", *inner, f"{bounds[-1]:.3g} and above")


def _centres(logs: FloatArray, bounds: ClassBounds, densities: FloatArray) -> tuple[float, ...]:
    """Median of each class, increasing; a class without images is one step beside its neighbours."""
    count = len(bounds.values) + 1
    classes = np.array([bounds.class_index(float(density)) for density in densities])
    present = [index for index in range(count) if (classes == index).any()]
    medians = [float(np.median(logs[classes == index])) for index in present]
    step = (medians[-1] - medians[0]) / max(present[-1] - present[0], 1) or float(np.ptp(logs)) or 1.0
    centres = np.interp(range(count), present, medians)
    below, above = np.arange(count) < present[0], np.arange(count) > present[-1]
    centres[below] = medians[0] - step * (present[0] - np.arange(count)[below])
    centres[above] = medians[-1] + step * (np.arange(count)[above] - present[-1])
    return tuple(centres.tolist())
