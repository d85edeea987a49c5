"""Selection of images of a dataset by class, density and name, and their order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from crowdgan_core.datasets.inspection import ClassBoundary, ambiguous_images, boundary_distances, class_boundaries
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.utils.arrays import BoolArray, FloatArray, IndexArray

SortKey = Literal["dataset", "density", "persons", "name", "source", "distance"]
"""Order of images: of the dataset, by density, person count, name, source name or distance to a class boundary."""

SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)

UnknownPolicy = Literal["include", "exclude", "only"]
"""Whether images of unknown density are selected; a range of densities excludes them."""

UNKNOWN_POLICIES: tuple[UnknownPolicy, ...] = get_args(UnknownPolicy)

NO_CLASS = -1
"""Class index of an image without a class."""

HISTOGRAM_BINS = 40


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Filters and order of the images of a dataset."""

    classes: frozenset[int] | None = None
    """Class indices; None for all images."""

    min_density: float | None = None
    """Lowest density in the unit of the dataset, inclusive."""

    max_density: float | None = None
    """Highest density in the unit of the dataset, inclusive."""

    search: str = ""
    """Part of the name or the source name, in any case."""

    only_ambiguous: bool = False
    """Whether only images near a class boundary are selected."""

    unknown: UnknownPolicy = "include"

    sort: SortKey = "dataset"

    descending: bool = False


class RecordTable:
    """The records of a dataset as arrays, one value per image; NaN where a value is unknown.

    Args:
        metadata: metadata of the dataset.
    """

    def __init__(self, metadata: DatasetMetadata) -> None:
        records = metadata.images
        self._records = records
        self.num_classes = len(metadata.classes)
        self.boundaries: tuple[ClassBoundary, ...] = class_boundaries(metadata)
        self.densities: FloatArray = _numbers(map(record_density, records))
        self.person_counts: FloatArray = _numbers(record.person_count for record in records)
        self.classes: IndexArray = np.array([_class_index(record) for record in records], np.intp)
        self.distances: FloatArray = (
            boundary_distances(self.densities, self.boundaries)
            if self.boundaries
            else np.full(len(self.densities), np.nan)
        )
        near = {record.name for record in ambiguous_images(metadata, self.boundaries)}
        self.is_ambiguous: BoolArray = np.array([record.name in near for record in records], bool)

    @property
    def sort_keys(self) -> list[SortKey]:
        """The orders in which images can differ: those of which at least one value is known."""
        return [key for key in SORT_KEYS if not np.isnan(self._sort_values(key)).all()]

    def select(self, selection: Selection) -> IndexArray:
        """Indices of the selected images in their order; equal images in the order of the dataset, unknown ones last.

        Args:
            selection: filters and order.
        """
        indices = np.flatnonzero(self._is_selected(selection))
        values = self._sort_values(selection.sort)[indices]
        return np.asarray(indices[np.argsort(-values if selection.descending else values, kind="stable")], np.intp)

    def histogram(self) -> tuple[FloatArray, IndexArray] | None:
        """Edges of the bins, `[num_bins + 1]`, and the number of images in each bin by class, `[num_rows, num_bins]`.

        There is one row per class, and one for images without a class if there are any. None without known densities.
        """
        is_known = np.isfinite(self.densities)
        if not is_known.any():
            return None
        edges = np.histogram_bin_edges(self.densities[is_known], HISTOGRAM_BINS)
        rows = list(range(self.num_classes))
        if (self.classes[is_known] == NO_CLASS).any():
            rows.append(NO_CLASS)
        counts = [np.histogram(self.densities[is_known & (self.classes == row)], edges)[0] for row in rows]
        return edges, np.array(counts, np.intp)

    def _is_selected(self, selection: Selection) -> BoolArray:
        selected = np.ones(len(self._records), bool)
        if selection.classes is not None:
            selected &= np.isin(self.classes, list(selection.classes))
        if selection.min_density is not None:
            selected &= self.densities >= selection.min_density
        if selection.max_density is not None:
            selected &= self.densities <= selection.max_density
        if selection.unknown != "include":
            selected &= np.isnan(self.densities) == (selection.unknown == "only")
        if selection.only_ambiguous:
            selected &= self.is_ambiguous
        if selection.search:
            text = selection.search.lower()
            selected &= np.fromiter((text in names for names in self._search_texts), bool, len(selected))
        return selected

    def _sort_values(self, key: SortKey) -> FloatArray:
        """The values by which images are sorted, `[num_images]`."""
        if key == "dataset":
            return np.arange(len(self._records), dtype=float)
        if key == "name":
            return self._name_ranks
        if key == "source":
            return self._source_ranks
        return {"density": self.densities, "persons": self.person_counts, "distance": self.distances}[key]

    @cached_property
    def _search_texts(self) -> list[str]:
        return [f"{record.name}\n{record.source or ''}".lower() for record in self._records]

    @cached_property
    def _name_ranks(self) -> FloatArray:
        return _ranks([record.name for record in self._records])

    @cached_property
    def _source_ranks(self) -> FloatArray:
        return _ranks([record.source for record in self._records])


def record_density(record: ImageRecord) -> float | None:
    """The density of an image, or its only continuous label; None if it is unknown."""
    if record.density is None and isinstance(record.label, tuple) and len(record.label) == 1:
        return record.label[0]
    return record.density


def _class_index(record: ImageRecord) -> int:
    return record.label if isinstance(record.label, int) else NO_CLASS


def _numbers(values: Iterable[float | None]) -> FloatArray:
    """Values as an array; NaN for None."""
    return np.array(list(values), float)


def _ranks(texts: Sequence[str | None]) -> FloatArray:
    """Rank of each text in alphabetical order, equal for equal texts; NaN for None."""
    ranks = dict(zip(sorted({text for text in texts if text is not None}), itertools.count()))
    return _numbers(None if text is None else ranks[text] for text in texts)
