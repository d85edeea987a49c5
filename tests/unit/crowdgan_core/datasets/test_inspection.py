"""Dataset statistics and contact sheets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.datasets.contact_sheet import contact_sheet
from crowdgan_core.datasets.inspection import ClassBoundary, class_boundaries, inspect_dataset
from crowdgan_core.datasets.metadata import DatasetMetadata, ImageRecord
from crowdgan_core.datasets.protocols import DatasetReader
from crowdgan_core.datasets.zip_folder import FolderFormat
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.io.stored_images import ArrayImage
from crowdgan_core.testing import write_dataset
from crowdgan_core.utils.arrays import ImageArray

DENSITIES = [0.1, 0.2, 0.98, 1.04, 1.5, 1.9, 2.5, 3.0]


class MemoryReader(DatasetReader):
    """A dataset in memory, with images of one colour."""

    def __init__(self, metadata: DatasetMetadata) -> None:
        self.path = Path("memory")
        self.metadata = metadata

    def image(self, index: int) -> ImageArray:
        return np.full((8, 16, 3), 10 * index, np.uint8)

    def stored_image(self, index: int) -> ArrayImage:
        return ArrayImage(self.image(index), f"{self.path}:{index}")

    def close(self) -> None:
        pass


def memory_dataset(labelled: bool = True) -> DatasetReader:
    records = tuple(
        ImageRecord(
            name=f"{index}.png",
            person_count=index if labelled else None,
            density=value if labelled else None,
            label=int(value >= 1) if labelled else None,
        )
        for index, value in enumerate(DENSITIES)
    )
    kind, classes = ("class", ("low", "high", "none")) if labelled else (None, ())
    estimator = "x" if labelled else None
    return MemoryReader(DatasetMetadata(label_kind=kind, classes=classes, estimator=estimator, images=records))


def test_images_of_another_size_are_reported(tmp_path: Path) -> None:
    images = [np.zeros((*size, 3), np.uint8) for size in [(32, 32), (16, 16), (16, 16), (16, 24)]]
    metadata = DatasetMetadata(images=[ImageRecord(name="")] * len(images))
    write_dataset(FolderFormat(), tmp_path / "mixed", images, metadata)
    with FolderFormat().open(tmp_path / "mixed") as reader:
        report = inspect_dataset(reader)
    assert report.size == (16, 16)
    assert report.other_sizes == {"00000/img00000000.png": (32, 32), "00000/img00000003.png": (16, 24)}


def test_the_report_has_counts_ranges_and_class_boundaries() -> None:
    report = inspect_dataset(memory_dataset())
    assert report.size == (8, 16)
    assert report.class_counts == {"low": 3, "high": 5, "none": 0}
    assert report.density_range == pytest.approx((0.1, 1.27, 3.0))
    assert report.person_range == (0, 3.5, 7)
    assert report.unknown_count == 0
    [boundary] = report.boundaries
    assert boundary == ClassBoundary(below="low", above="high", value=pytest.approx(1.01), is_exact=False)
    assert [record.name for record in report.ambiguous] == ["2.png", "3.png"]


def test_stated_boundaries_are_exact_also_for_classes_without_images() -> None:
    metadata = replace(memory_dataset().metadata, class_bounds=ClassBounds(values=(1.04, 5.0)))
    report = inspect_dataset(MemoryReader(metadata))
    assert report.boundaries == (
        ClassBoundary(below="low", above="high", value=1.04, is_exact=True),
        ClassBoundary(below="high", above="none", value=5.0, is_exact=True),
    )
    assert [record.name for record in report.ambiguous] == ["3.png", "2.png"]


def test_peaks_and_images_of_uncertain_class_are_counted() -> None:
    reader = memory_dataset()
    assert (inspect_dataset(reader).peak_range, inspect_dataset(reader).uncertain_count) == (None, None)
    records = []
    for record in reader.metadata.images:
        density = record.density or 0.0
        records.append(replace(record, interval=(0.8 * density, 1.2 * density), peak=2 * density))
    bounds = ClassBounds(values=(1.0, 2.9))
    reader.metadata = replace(reader.metadata.with_images(records), class_bounds=bounds)
    report = inspect_dataset(reader)
    assert report.peak_range == pytest.approx((0.2, 2.54, 6.0))
    assert report.uncertain_count == 4, "the densities 0.98, 1.04, 2.5 and 3.0"


def test_each_number_of_vector_labels_has_a_range() -> None:
    labels = [(1.0, 0.5), (25.0, 0.25), (3.0, 4.0)]
    records = [ImageRecord(name=f"{index}.png", label=label) for index, label in enumerate(labels)]
    report = inspect_dataset(MemoryReader(DatasetMetadata(label_kind="value", images=tuple(records))))
    assert report.label_ranges == ((1.0, 3.0, 25.0), (0.25, 0.5, 4.0))
    assert report.density_range is None
    assert inspect_dataset(memory_dataset()).label_ranges == ()


def test_overlapping_classes_have_no_boundary() -> None:
    records = [ImageRecord(name=str(label), density=1.0 - label, label=label) for label in (0, 1)]
    assert class_boundaries(DatasetMetadata(images=tuple(records))) == ()


def test_the_report_of_an_unlabelled_dataset_has_no_label_statistics() -> None:
    report = inspect_dataset(memory_dataset(labelled=False))
    assert (report.class_counts, report.density_range, report.person_range) == ({}, None, None)
    assert (report.boundaries, report.ambiguous, report.unknown_count) == ((), (), 0)


def test_the_contact_sheet_has_one_row_per_class() -> None:
    sheet = np.asarray(contact_sheet(memory_dataset(), columns=4))
    visible = {index for index in range(8) if (sheet == 10 * index).all(axis=2).sum() > 1000}
    assert {0, 1, 2, 3, 7} <= visible
    assert len(visible) == 7, "all three images of the first class, and four of the five images of the second"
    rows = [np.flatnonzero((sheet == 10 * index).all(axis=2).sum(axis=1) > 60)[0] for index in (1, 7)]
    assert rows[0] < rows[1]


def test_the_contact_sheet_of_an_unlabelled_dataset_shows_all_images() -> None:
    sheet = np.asarray(contact_sheet(memory_dataset(labelled=False), columns=4))
    assert all((sheet == 10 * index).all(axis=2).sum() > 1000 for index in range(1, 8))
